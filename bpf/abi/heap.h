/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the heap maps hold. */
#ifndef PERFTRACE_ABI_HEAP_H
#define PERFTRACE_ABI_HEAP_H

#include "abi/types.h"

#define STACK_DEPTH_MAX 32

/* Which allocator function a probe site is (its BPF cookie). Names where size and block are. */
enum heap_function {
	HEAP_MALLOC = 1,     /* (size): malloc, valloc, pvalloc */
	HEAP_CALLOC,	     /* (n, size) */
	HEAP_REALLOC,	     /* (block, size) */
	HEAP_REALLOCARRAY,   /* (block, n, size) */
	HEAP_POSIX_MEMALIGN, /* (&block, alignment, size) -> 0 or an error number */
	HEAP_MEMALIGN,	     /* (alignment, size): memalign, aligned_alloc */
	HEAP_FREE,	     /* (block, ...) */
};

/*
 * A traced process. Address spaces are numbered, never reused and not the kernel's mm pointer: a
 * new child may get the mm of one that has just died.
 */
struct target {
	__u64 space;  /* shared with a vfork child until it execs */
	__u64 layout; /* shared with forked children until they exec: same code at same addresses */
	/*
	 * 1 once all its probes of that kind are linked. They come one by one: allocations seen
	 * before frees are would stay in the books for ever, spans before ends open.
	 */
	__u32 heap_ready, spans_ready;
};

/* Key of the live set: an address means nothing without its address space. */
struct live_key {
	__u64 space;
	__u64 address;
};

struct live_block {
	__u64 size;	 /* bytes requested */
	__u64 site;	 /* key of the sites map */
	__u64 time_ns;	 /* when it was allocated */
	__u64 alignment; /* requested alignment, 0 = the function's default */
};

/* One call site: its stack and its totals. Key: hash of (layout, frames). */
struct heap_site {
	__u64 allocs, frees;
	__u64 alloc_bytes, freed_bytes;
	__u64 retired, retired_bytes; /* blocks whose free was missed: the address came again */
	__u64 first_ns, last_ns;      /* first and last allocation */
	__u64 largest;		      /* bytes of the largest block */
	__u32 tgid;		      /* whose mappings the frames belong to */
	__u32 depth;
	__u64 frames[STACK_DEPTH_MAX]; /* return addresses, innermost first */
};

/* One per run. */
struct heap_gauge {
	__s64 live_bytes;
	__s64 peak_live_bytes;
	__s64 live_blocks;
	__s64 in_realloc; /* blocks out of the live set while their realloc runs */
};

#endif
