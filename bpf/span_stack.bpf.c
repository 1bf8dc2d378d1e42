// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "span_stack.bpf.h"

GLOBAL int send_span(struct open_span *span, __u64 now, __u32 status)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct span_record *r;
	__u32 len;

	if (!span)
		return 0;
	r = &span->record;
	r->end_ns = now;
	r->status = status;
	r->rss_bytes = r->flags & SPAN_FLAG_BARE ? 0 : rss_bytes(task);
	r->rss_delta_bytes = r->rss_bytes - span->start_rss;
	len = r->context_len;
	if (len > CONTEXT_LEN)
		len = CONTEXT_LEN;
	if (bpf_ringbuf_output(&ring, r, RECORD_HEAD_LEN(struct span_record) + len, ring_flags()))
		count(COUNTER_RING_SPANS_LOST, 1);
	return 0;
}

GLOBAL int trim(struct span_thread *t)
{
	if (!t)
		return 0;
	for (int i = 0; i < SPAN_DEPTH_MAX; i++) {
		struct open_span *top = t->depth ? open_at(t, t->depth - 1) : NULL;

		if (!top || !(top->record.flags & SPAN_FLAG_SENT))
			break;
		t->depth--;
	}
	return 0;
}

GLOBAL int pop(struct span_thread *t, __u64 now, __u32 status)
{
	struct open_span *span, *parent;

	if (!t || !t->depth)
		return 0;
	t->depth--;
	span = open_at(t, t->depth);
	if (!span)
		return 0;
	parent = t->depth ? open_at(t, t->depth - 1) : NULL;
	if (parent)
		parent->record.child_ns += now - span->record.start_ns;
	if (!(span->record.flags & SPAN_FLAG_SENT)) {
		count(status == SPAN_OK ? COUNTER_SPAN_ENDS : COUNTER_SPAN_UNWOUND, 1);
		send_span(span, now, status);
	}
	trim(t);
	return 0;
}

GLOBAL int heal(struct span_thread *t, __u32 pair, __u64 sp, __u64 now)
{
	if (!t)
		return 0;
	for (int i = 0; i < SPAN_DEPTH_MAX; i++) {
		struct open_span *top = t->depth ? open_at(t, t->depth - 1) : NULL;

		/* A named span may rightly outlive the frame it was started in. */
		if (!top || top->record.flags & SPAN_FLAG_NAMED)
			break;
		if (top->sp > sp || (top->sp == sp && top->record.pair != pair))
			break;
		pop(t, now, SPAN_WAS_UNWOUND);
	}
	return 0;
}

GLOBAL int close_above(struct span_thread *t, __u32 keep, __u64 sp, __u64 now, __u64 named_sp)
{
	if (!t)
		return 0;
	for (int i = 0; i < SPAN_DEPTH_MAX; i++) {
		struct open_span *top = t->depth > keep ? open_at(t, t->depth - 1) : NULL;

		if (!top ||
		    (top->record.flags & SPAN_FLAG_NAMED ? top->sp >= named_sp : top->sp > sp))
			break;
		pop(t, now, SPAN_WAS_UNWOUND);
	}
	return 0;
}

GLOBAL int end_below(struct span_thread *t, __u32 found, __u64 now)
{
	struct open_span *span, *parent;

	if (!t || !found)
		return 0;
	span = open_at(t, found - 1);
	if (!span)
		return 0;
	parent = found > 1 ? open_at(t, found - 2) : NULL;
	if (parent && !(span->record.flags & SPAN_FLAG_UNSCOPED))
		parent->record.child_ns += now - span->record.start_ns;
	count(COUNTER_SPAN_ENDS, 1);
	send_span(span, now, SPAN_OK);
	span->record.flags |= SPAN_FLAG_SENT;
	return 0;
}
