// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Whole functions as spans: they begin at the function's entry and end where it returns, with the
 * same stack pointer. Nothing is read from the target, so a span costs little more than its probes.
 *
 * Where the return is hooked the kernel tells of it after `ret` has popped the return address;
 * where every way out of the function is probed instead, before that. A function left by an
 * exception or longjmp has no end: the next probe above it closes it as unwound.
 */
#include "span_stack.bpf.h"

#define POPPED	    8 /* bytes that `ret` took off the stack */

static __always_inline int is_left(const struct open_span *top, __u32 pair, __u64 sp)
{
	if (top->record.flags & SPAN_FLAG_NAMED)
		return 0;
	return top->sp < sp || (top->sp == sp && top->record.pair == pair);
}

static __always_inline void fill(struct span_thread *t, struct open_span *span, __u32 pair,
				 __u64 sp, struct task_struct *task)
{
	struct open_span *parent = t->depth ? open_at(t, t->depth - 1) : NULL;
	struct span_record *r = &span->record;

	span->sp = sp;
	span->start_rss = rss_bytes(task);
	r->type = RECORD_SPAN;
	r->tgid = task->tgid;
	r->tid = task->pid;
	r->depth = t->depth;
	r->flags = 0;
	r->id = (__u64)(__u32)task->pid << 32 | (__u32)++t->serial;
	r->parent = parent ? parent->record.id : 0;
	r->child_ns = 0;
	r->name_hash = 0;
	r->pair = pair;
	r->context_len = 0;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	r->start_ns = bpf_ktime_get_ns();
}

static __always_inline int begin_function(struct task_struct *task, __u32 index, __u64 sp)
{
	struct target *target = find_target(task->tgid);
	struct open_span *span, *top;
	struct span_thread *t;
	struct span_site *site;

	if (!gate || !target || !target->spans_ready)
		return SKIP_RETURN;
	site = bpf_map_lookup_elem(&span_sites, &index);
	if (!site)
		return SKIP_RETURN;
	count(COUNTER_PROBE_HITS, 1);
	t = bpf_task_storage_get(&span_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t) {
		count(COUNTER_SPAN_NO_STATE, 1);
		return SKIP_RETURN;
	}
	count(COUNTER_SPAN_STARTS, 1);
	top = t->depth ? open_at(t, t->depth - 1) : NULL;
	if (t->overflow || (top && is_left(top, site->pair, sp)))
		leave_frames(t, site->pair, sp);
	span = t->overflow ? NULL : open_at(t, t->depth);
	if (!span) {
		t->overflow++;
		count(COUNTER_SPAN_TOO_DEEP, 1);
		return 0;
	}
	fill(t, span, site->pair, sp, task);
	t->depth++;
	return 0;
}

/* The entry of `pair` at `sp`, one above its place; 0 = none: it began before the trace. */
GLOBAL __u32 find_function(struct span_thread *t, __u32 pair, __u64 sp)
{
	if (!t)
		return 0;
	for (__u32 n = 0; n < SPAN_DEPTH_MAX; n++) {
		struct open_span *span;

		if (n >= t->depth)
			break;
		span = open_at(t, t->depth - 1 - n);
		if (!span)
			break;
		if (span->sp == sp && span->record.pair == pair &&
		    !(span->record.flags & SPAN_FLAG_SENT))
			return t->depth - n;
	}
	return 0;
}

static __always_inline int end_function(struct task_struct *task, __u32 index, __u64 sp)
{
	struct span_thread *t = bpf_task_storage_get(&span_threads, task, 0, 0);
	struct span_site *site = bpf_map_lookup_elem(&span_sites, &index);
	__u64 now = bpf_ktime_get_ns();
	struct open_span *top;
	__u32 found;

	if (!gate || !site || !t)
		return 0;
	forget_overflow(t, sp);
	if (t->overflow) {
		t->overflow--;
		return 0;
	}
	top = t->depth ? open_at(t, t->depth - 1) : NULL;
	if (!top || top->sp != sp || top->record.pair != site->pair) {
		found = find_function(t, site->pair, sp);
		if (!found) {
			count(COUNTER_SPAN_ORPHAN_ENDS, 1);
			return 0;
		}
		close_above(t, found, sp, now);
		/* What the program named itself may outlive this frame: it stays, and we below it.
		 */
		if (t->depth != found) {
			end_below(t, found, now);
			return 0;
		}
	}
	pop(t, now, SPAN_OK);
	return 0;
}

SEC("uprobe")
int function_session(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 index = bpf_get_attach_cookie(ctx);

	if (session_is_return())
		return end_function(task, index, PT_REGS_SP(ctx) - POPPED);
	return begin_function(task, index, PT_REGS_SP(ctx));
}

/* An entry, or one of the ways out. */
SEC("uprobe")
int function_site(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 index = bpf_get_attach_cookie(ctx);
	struct span_site *site = bpf_map_lookup_elem(&span_sites, &index);

	if (site && site->role == SITE_END) {
		if (is_target(task->tgid)) {
			count(COUNTER_PROBE_HITS, 1);
			end_function(task, index, PT_REGS_SP(ctx));
		}
		return 0;
	}
	begin_function(task, index, PT_REGS_SP(ctx));
	return 0;
}

SEC("uprobe")
int function_return(struct pt_regs *ctx)
{
	return end_function(bpf_get_current_task_btf(), bpf_get_attach_cookie(ctx),
			    PT_REGS_SP(ctx) - POPPED);
}
