/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Walking a stack by the rules of abi/unwind.h; what a capture is: stack.bpf.h. */
#ifndef PERFTRACE_UNWIND_BPF_H
#define PERFTRACE_UNWIND_BPF_H

#include "common.bpf.h"

#define UNWIND_BY_CHAIN 1 /* the frame was found by a frame pointer: is it one? */
#define UNWIND_EXACT	2 /* it did not call, it was interrupted */

struct stack_frames {
	__u64 frame[STACK_DEPTH_MAX];
};

/* Takes the layout's mappings as they are now. */
int unwind_look_at_layout(struct stack_scratch *s, __u64 layout);

/*
 * From s->frame - 1, s->sp, s->bp upwards. `here` as in capture_stack(). Returns the number of
 * frames, sets s->stop and s->hash.
 */
int unwind_walk(struct stack_scratch *s, struct stack_frames *frames, __u64 here);

/* Asks user space to look at the mappings of the present process, from time to time. */
int unwind_ask(__u64 layout);

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

#endif
