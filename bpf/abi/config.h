/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Switches fixed before load: one read-only block, so that the verifier removes what is off.
 */
#ifndef PERFTRACE_ABI_CONFIG_H
#define PERFTRACE_ABI_CONFIG_H

#include "abi/types.h"

struct config {
	__u32 page_size;       /* bytes */
	__u32 follow_children; /* 1: a child of a target becomes a target at fork */
	__u32 wakeup_bytes;    /* the ring's reader is woken when this much waits, not per record */
	__u32 stack_depth;     /* frames kept per call site, 0..STACK_DEPTH_MAX */
	__u32 everybody;       /* 1: every process is a target, except the tracer */
	__u32 self;	       /* the tracer's tgid */
	__u32 live_buckets;    /* of the table of blocks alive; 0: all of them are in the hash */
};

#endif
