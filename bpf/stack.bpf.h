/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Capturing call stacks, complete and without frame pointers: the door to unwind.bpf.c. */
#ifndef PERFTRACE_STACK_BPF_H
#define PERFTRACE_STACK_BPF_H

#include "unwind.bpf.h"

_Static_assert(COUNTER_STACKS_COMPLETE + UNWIND_STOP_NO_MAPPING == COUNTER_STACKS_NO_MAPPING &&
		       COUNTER_STACKS_COMPLETE + UNWIND_STOP_NO_RULE == COUNTER_STACKS_NO_RULE &&
		       COUNTER_STACKS_COMPLETE + UNWIND_STOP_READ_FAULT ==
			       COUNTER_STACKS_READ_FAULT &&
		       COUNTER_STACKS_COMPLETE + UNWIND_STOP_DEPTH == COUNTER_STACKS_DEPTH &&
		       COUNTER_STACKS_COMPLETE + UNWIND_STOP_NO_TABLES == COUNTER_STACKS_NO_TABLES,
	       "a counter for each enum unwind_stop, in its order");

/*
 * Captures the calls that lead to where `regs` stands: a uprobe's context, or bpf_task_pt_regs().
 *
 * here 0: of a function that is being called, at its entry or wherever the unwind tables say how
 * to leave it. The function itself is not recorded, its return address is frames[0].
 * here not 0: of any place; frames[0] = here (ip + 1 for the exact place), its callers come after.
 *
 * layout: of the process, from its `struct target` as it is now. Frames are return addresses, but
 * for places interrupted by a signal, which are stored as their address + 1: frame - 1 is always
 * what to look up.
 *
 * The scratch is the caller's alone while this runs: uprobe programs can be preempted, theirs
 * belongs to the thread; perf_event programs cannot, theirs may belong to the CPU. All zero before
 * its first use.
 *
 * Returns the number of frames, at most config.stack_depth; frames beyond are left as they were.
 * *hash becomes the identity of (layout, frames), s->stop says why the stack ends there, and one
 * of the counters STACKS_* has counted it. With a config.stack_depth of 0 nothing is captured, and
 * nothing counted.
 */
static __always_inline __u32 capture_stack(struct pt_regs *regs, __u64 here, __u64 layout,
					   struct stack_scratch *s, __u64 frames[STACK_DEPTH_MAX],
					   __u64 *hash)
{
	__u32 n, stop;

	if (!config.stack_depth) {
		s->stop = UNWIND_STOP_DEPTH;
		*hash = mix(0, layout);
		return 0;
	}
	if (s->seen != layouts_changed || s->layout != layout)
		unwind_look_at_layout(s, layout);
	s->frame = regs->ip + 1;
	s->sp = regs->sp;
	s->bp = regs->bp;
	s->registers = (__u64)regs;
	n = unwind_walk(s, (struct stack_frames *)frames, here);
	*hash = s->hash;
	if (!s->n)
		s->stop = UNWIND_STOP_NO_TABLES;
	stop = s->stop & 7;
	count(COUNTER_STACKS_COMPLETE + stop, 1);
	if (stop == UNWIND_STOP_NO_MAPPING || stop == UNWIND_STOP_NO_TABLES)
		unwind_ask(layout);
	return n;
}

#endif
