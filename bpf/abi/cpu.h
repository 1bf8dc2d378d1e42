/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the map of CPU samples holds. */
#ifndef PERFTRACE_ABI_CPU_H
#define PERFTRACE_ABI_CPU_H

#include "abi/heap.h"
#include "abi/types.h"
#include "abi/unwind.h"

#define CPU_KERNEL_DEPTH_MAX 32 /* innermost kernel frames that are kept; a power of two */

/*
 * One place at which the timer found threads on a CPU, and how often. Key: a hash of (process,
 * thread name, layout, frames). Every frame minus 1 is the address to look up.
 */
struct cpu_stack {
	__u64 count;
	__u64 layout; /* whose mappings `frames` belong to */
	__u32 tgid;
	__u16 kernel_depth;	  /* 0: interrupted in user mode */
	__u16 depth;		  /* 0: no user stack; a thread that is ending has none any more */
	__u32 stop;		  /* enum unwind_stop: why `frames` ends */
	__u32 kernel_cut;	  /* 1: there were more kernel frames */
	char comm[HEAP_COMM_LEN]; /* the thread's name */
	__u64 kernel[CPU_KERNEL_DEPTH_MAX]; /* innermost first */
	__u64 frames[STACK_DEPTH_MAX];	    /* of the user stack, innermost first */
};

#endif
