// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Whole functions as spans: they begin at the function's entry and end where it returns, with the
 * same stack pointer. Nothing is read from the target, so a span costs little more than its probes.
 *
 * Where the return is hooked the kernel tells of it after `ret` has popped the return address;
 * where every way out of the function is probed instead, before that. A function left by an
 * exception or longjmp has no end: the next probe above it closes it as unwound.
 */
#include "condition.bpf.h"
#include "span_stack.bpf.h"

#define POPPED	      8		  /* bytes that `ret` took off the stack */
#define COMM_LASTS_NS 10000000ULL /* a thread's name is read again after that */
#define COUNTS_KEPT   256
#define RING_LOOK     16 /* ends between two looks at how full the ring is */
/* Passing the mark is noticed within so many bytes: twice what is sent between two looks. */
#define RING_WINDOW (2 * RING_LOOK * (RECORD_HEAD_LEN(struct span_record) + 8))

static __always_inline int is_left(const struct open_span *top, __u32 pair, __u64 sp)
{
	if (top->record.flags & SPAN_FLAG_NAMED)
		return top->sp < sp && top->record.depth >= SPAN_DEPTH_TRUSTED;
	return top->sp < sp ||
	       (top->sp == sp && (top->record.pair == pair || top->record.flags & SPAN_FLAG_EXITS));
}

/*
 * A function begins at `sp`: what was open below is over, and what was open right there, too, but
 * for one that may have jumped here as its last act and still has its end to come.
 */
static __always_inline void leave_for(struct span_thread *t, __u32 pair, __u64 sp)
{
	struct open_span *top;

	leave_frames(t, pair, sp);
	top = t->depth && !t->overflow ? open_at(t, t->depth - 1) : NULL;
	if (top && top->sp == sp && is_left(top, pair, sp))
		pop(t, bpf_ktime_get_ns(), SPAN_WAS_UNWOUND);
}

static __always_inline void fill(struct span_thread *t, struct open_span *span,
				 const struct span_site *site, __u64 sp, struct task_struct *task)
{
	struct open_span *parent = t->depth ? open_at(t, t->depth - 1) : NULL;
	struct span_record *r = &span->record;
	__u64 now;

	span->sp = sp;
	span->start_rss = 0;
	r->type = RECORD_SPAN;
	r->tgid = task->tgid;
	r->tid = task->pid;
	r->depth = t->depth;
	r->flags = site->flags;
	r->id = (__u64)(__u32)task->pid << 32 | (__u32)++t->serial;
	r->parent = parent ? parent->record.id : 0;
	r->child_ns = 0;
	r->name_hash = 0;
	r->pair = site->pair;
	r->context_len = 0;
	now = bpf_ktime_get_ns();
	if (now - t->comm_ns > COMM_LASTS_NS) {
		bpf_get_current_comm(t->comm, sizeof(t->comm));
		t->comm_ns = now;
	}
	__builtin_memcpy(r->comm, t->comm, sizeof(r->comm));
	r->start_ns = now;
}

/* The state of a thread that has none yet, or none that is known to belong to a target. */
static __always_inline struct span_thread *meet(struct task_struct *task)
{
	struct target *target = find_target(task->tgid);
	struct span_thread *t;

	if (!target || !target->spans_ready)
		return NULL;
	t = bpf_task_storage_get(&span_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (t)
		t->of_target = 1;
	else
		count(COUNTER_SPAN_NO_STATE, 1);
	return t;
}

static __always_inline int begin_function(struct task_struct *task, __u32 index, __u64 sp)
{
	struct span_thread *t = bpf_task_storage_get(&span_threads, task, 0, 0);
	struct open_span *span, *top;
	struct span_site *site;

	if (!gate)
		return SKIP_RETURN;
	if (!t || !t->of_target)
		t = meet(task);
	site = bpf_map_lookup_elem(&span_sites, &index);
	if (!site || !t)
		return SKIP_RETURN;
	sp += site->stack_moved;
	if (++t->starts >= COUNTS_KEPT)
		hand_over_counts(t);
	top = t->depth ? open_at(t, t->depth - 1) : NULL;
	if (t->overflow || (top && is_left(top, site->pair, sp)))
		leave_for(t, site->pair, sp);
	span = t->overflow ? NULL : open_at(t, t->depth);
	if (!span) {
		t->overflow++;
		count(COUNTER_SPAN_TOO_DEEP, 1);
		return 0;
	}
	fill(t, span, site, sp, task);
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

/*
 * Whether a function that ends is among those too deep to be kept. Counting does not tell: beyond
 * 64 hooked returns the kernel hooks no more, and those ends never come.
 */
static __always_inline int is_too_deep(struct span_thread *t, __u32 pair, __u64 sp)
{
	struct open_span *deepest = &t->open[SPAN_DEPTH_MAX - 1];

	return sp < deepest->sp || (sp == deepest->sp && pair != deepest->record.pair);
}

/* Not the innermost: something was left without its end, or began in another way. */
GLOBAL int end_other(struct span_thread *t, __u32 pair, __u64 sp, __u64 now)
{
	__u32 found;

	if (!t)
		return 0;
	if (t->overflow && is_too_deep(t, pair, sp)) {
		t->overflow--;
		return 0;
	}
	t->overflow = 0;
	found = find_function(t, pair, sp);
	if (!found) {
		count(COUNTER_SPAN_ORPHAN_ENDS, 1);
		return 0;
	}
	/*
	 * What the program named itself may outlive the frame it was started in, wherever that was:
	 * it stays, and we below it. Tracing a function must not change it.
	 */
	close_above(t, found, sp, now, 0);
	if (t->depth != found)
		end_below(t, found, now);
	else
		pop(t, now, SPAN_OK);
	return 0;
}

static __always_inline int end_function(struct task_struct *task, __u32 index, __u64 sp)
{
	struct span_thread *t = bpf_task_storage_get(&span_threads, task, 0, 0);
	struct span_site *site = bpf_map_lookup_elem(&span_sites, &index);
	struct open_span *top, *parent;
	struct span_record *r;
	__u64 now;

	if (!gate || !site || !t)
		return 0;
	now = bpf_ktime_get_ns();
	top = t->depth ? open_at(t, t->depth - 1) : NULL;
	if (!top || t->overflow || top->sp != sp || top->record.pair != site->pair)
		return end_other(t, site->pair, sp, now);
	/* What pop() does, as short as it can be. */
	r = &top->record;
	t->depth--;
	t->ends++;
	parent = t->depth ? open_at(t, t->depth - 1) : NULL;
	if (parent)
		parent->record.child_ns += now - r->start_ns;
	r->end_ns = now;
	r->status = SPAN_OK;
	r->rss_bytes = 0;
	r->rss_delta_bytes = 0;
	if (bpf_ringbuf_output(&ring, r, RECORD_HEAD_LEN(struct span_record),
			       t->ends % RING_LOOK ? BPF_RB_NO_WAKEUP
						   : ring_flags_within(RING_WINDOW)))
		count(COUNTER_RING_SPANS_LOST, 1);
	if (parent && parent->record.flags & SPAN_FLAG_SENT)
		trim(t);
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
		if (site->condition && !condition_holds(ctx->flags, site->condition - 1))
			return 0; /* it stays */
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
