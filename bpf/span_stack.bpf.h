/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A thread's stack of open scoped spans, which USDT pairs, macros and functions share. */
#ifndef PERFTRACE_SPAN_STACK_BPF_H
#define PERFTRACE_SPAN_STACK_BPF_H

#include "common.bpf.h"

/* Completes the record an open span carries and sends it. `status`: enum span_status. */
int send_span(struct open_span *span, __u64 now, __u32 status);
/* Takes the top span off the stack, sends it, and adds its time to the one below. */
int pop(struct span_thread *t, __u64 now, __u32 status);
/*
 * A start of `pair` at `sp` closes what was left open in frames that no longer exist: those below
 * it, and the same pair at the very same place, whose function was left and entered again.
 */
int heal(struct span_thread *t, __u32 pair, __u64 sp, __u64 now);
/*
 * Closes what a span that ends at `sp` left open above it, as far as those frames are gone; of
 * those that the program named, what was started below `named_sp`.
 */
int close_above(struct span_thread *t, __u32 keep, __u64 sp, __u64 now, __u64 named_sp);

/* Drops entries whose span has already been sent from the top of the stack. */
int trim(struct span_thread *t);
/*
 * Ends the span at place `found` - 1, which is not the innermost: those above go on. Its entry
 * stays as a placeholder, so that theirs need not move, until it comes to the top.
 */
int end_below(struct span_thread *t, __u32 found, __u64 now);

static __always_inline struct open_span *open_at(struct span_thread *t, __u32 i)
{
	if (i >= SPAN_DEPTH_MAX)
		return NULL;
	/* The verifier must see the bound on the very register that becomes the offset. */
	barrier_var(i);
	return &t->open[i & (SPAN_DEPTH_MAX - 1)];
}

/*
 * Spans beyond the stack of open ones are only counted, so that as many ends are swallowed. They
 * are over when a probe of a pair fires from above the deepest one kept, or is that one's own.
 */
static __always_inline void forget_overflow(struct span_thread *t, __u32 pair, __u64 sp)
{
	struct open_span *deepest = &t->open[SPAN_DEPTH_MAX - 1];

	if (t->overflow &&
	    (sp > deepest->sp || (sp == deepest->sp && pair == deepest->record.pair)))
		t->overflow = 0;
}

/*
 * Named spans may outlive their frames, but ends that are forgotten, or left by exceptions, must
 * not fill the stack until a thread is blind: where many are open, those go as well.
 */
#define SPAN_DEPTH_TRUSTED (SPAN_DEPTH_MAX / 2)

/* A probe of a pair fires at `sp`: what was open below it is over. */
static __always_inline void leave_frames(struct span_thread *t, __u32 pair, __u64 sp)
{
	forget_overflow(t, pair, sp);
	if (t->overflow)
		return;
	heal(t, pair, sp, bpf_ktime_get_ns());
	if (t->depth > SPAN_DEPTH_TRUSTED)
		close_above(t, 0, sp - 1, bpf_ktime_get_ns(), sp);
}

/*
 * What a thread counted for itself becomes part of the counters: when it has counted enough, when
 * it ends, and when the trace does. Adding to one's own number is an atomic operation saved.
 */
static __always_inline void hand_over_counts(struct span_thread *t)
{
	count(COUNTER_PROBE_HITS, t->starts);
	count(COUNTER_SPAN_STARTS, t->starts);
	count(COUNTER_SPAN_ENDS, t->ends);
	t->starts = 0;
	t->ends = 0;
}

#endif
