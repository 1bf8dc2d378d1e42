// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The heap ledger. One session program sits on every function of the malloc family: at entry it
 * notes size and stack, at return it books the block; free books at entry. That order (out of the
 * live set when free begins, into it when malloc is done) is the only one that survives another
 * thread getting the address in between.
 *
 * Calls nest (realloc(NULL) -> malloc, memalign -> malloc): only the outermost call of a thread
 * books, inner ones skip their return.
 */
#include "args.bpf.h"
#include "condition.bpf.h"
#include "heap_books.bpf.h"
#include "heap_calls.bpf.h"
#include "stack.bpf.h"

/*
 * Was this block just freed, in a function that passed it on to this one (operator delete to
 * free)? Then it is booked.
 */
static __always_inline int is_passed_on(const struct heap_thread *t, struct pt_regs *ctx,
					__u64 address)
{
	return t && t->freed == address && t->freed_ip != ctx->ip;
}

static __always_inline int on_free(struct pt_regs *ctx, struct heap_thread *t, __u64 space,
				   __u32 fn)
{
	__u32 n = HEAP_ARGUMENT(fn, HEAP_BLOCK);
	__u64 address = n == 1 ? PT_REGS_PARM1(ctx) : argument(ctx, n);
	struct live_block block;

	if (!address)
		return SKIP_RETURN;
	if (t && t->sp) {
		/* An allocator that frees inside realloc moves its own blocks, not the user's. */
		if (PT_REGS_SP(ctx) <= t->sp)
			return SKIP_RETURN;
		abandon(t);
	}
	if (live_take(space, address, &block))
		book_free(&block);
	else if (!is_passed_on(t, ctx, address))
		count(COUNTER_HEAP_UNKNOWN_FREES, 1);
	if (t && fn & HEAP_FORWARDS) {
		t->freed = address;
		t->freed_ip = ctx->ip;
	}
	return SKIP_RETURN;
}

/* `here` as in capture_stack(). */
static __always_inline void note_stack(struct heap_thread *t, struct pt_regs *ctx, __u64 here)
{
	__u64 seen = layouts_changed, hash;

	if (t->layout_seen != seen) {
		struct target *target = known_target(current_tgid());

		if (target)
			t->layout = target->layout;
		t->layout_seen = seen;
	}
	t->site.depth = capture_stack(ctx, here, t->layout, &t->stack, t->site.frames, &hash);
	t->site.stop = t->stack.stop;
	t->site.layout = t->layout;
	/* Children share their parent's code; but whoever asks for everybody asks who it was. */
	t->site_key = config.everybody ? mix(hash, t->space) : hash;
}

static __always_inline int on_entry(struct pt_regs *ctx, struct heap_thread *t, __u32 fn)
{
	__u64 sp = PT_REGS_SP(ctx);

	if (t->sp) {
		/*
		 * The stack grows down: a call from above the one we wait for proves that one was
		 * left without returning. The same address is a tail call and still nested.
		 */
		if (sp <= t->sp)
			return SKIP_RETURN;
		abandon(t);
	}
	t->sp = sp;
	note_arguments(t, ctx, fn);
	t->old_known = t->old_address ? live_take(t->space, t->old_address, &t->old) : 0;
	if (t->old_known)
		gauge_in_realloc(1);
	note_stack(t, ctx, 0);
	return fn & HEAP_THROWS ? SKIP_RETURN : 0;
}

/* Inside a call that is booked anyway nothing is: it would be the same block. */
static __noinline int on_told(struct pt_regs *ctx, struct heap_thread *t, struct span_site *site)
{
	struct live_block block;
	__u64 address;

	if (!t || !site) /* for the verifier */
		return 0;
	if (t->sp) {
		if (PT_REGS_SP(ctx) <= t->sp)
			return 0;
		abandon(t);
	}
	count(COUNTER_PROBE_HITS, 1);
	bpf_probe_read_kernel(&t->regs, PROBE_REGS_BYTES, ctx);
	address = fetch_arg(&t->regs, &site->name);
	if (!address)
		return 0;
	if (site->role == SITE_TOLD_FREE) {
		if (live_take(t->space, address, &block))
			book_free(&block);
		else
			count(COUNTER_HEAP_UNKNOWN_FREES, 1);
		return 0;
	}
	/* The bytes that this sample stands for. */
	t->size = fetch_arg(&t->regs, &site->string[1]);
	if (!t->size)
		t->size = fetch_arg(&t->regs, &site->string[0]);
	t->alignment = 0;
	note_stack(t, ctx, ctx->ip + 1);
	book_alloc(t, t->space, address);
	return 0;
}

/* The call we wait for gave `result`. */
static __noinline int settle(struct heap_thread *t, __u64 result)
{
	__u64 space, address = result;
	__u32 kind;

	if (!t) /* for the verifier */
		return 0;
	space = t->space;
	kind = t->function & HEAP_KIND_MASK;
	t->sp = 0;
	if (kind == HEAP_STORES) {
		int rc = address;

		address = 0;
		if (!rc && bpf_probe_read_user(&address, sizeof(address), (void *)t->out)) {
			count(COUNTER_HEAP_READ_FAULTS, 1);
			return 0;
		}
	} else if (kind == HEAP_RESIZES) {
		address = result >= t->size ? t->old_address : 0;
	}
	if (t->old_address)
		settle_realloc(t, space, address);
	if (address)
		book_alloc(t, space, address);
	else if (!t->old_address || t->size)
		count(COUNTER_HEAP_FAILED, 1);
	return 0;
}

static __always_inline int on_return(struct pt_regs *ctx, struct heap_thread *t)
{
	/* Returning popped the return address. Anything else is the return of a call left behind.
	 */
	if (PT_REGS_SP(ctx) - 8 != t->sp)
		return 0;
	return settle(t, PT_REGS_RC(ctx));
}

/* Here the result of a function is known whose return is not hooked (user/probe/results.h). */
static __noinline int on_result(struct pt_regs *ctx, struct heap_thread *t, __u32 fn)
{
	__u32 condition = HEAP_RESULT_CONDITION(fn);

	if (!t || !t->sp || !(t->function & HEAP_THROWS) ||
	    PT_REGS_SP(ctx) + HEAP_RESULT_WORDS(fn) * 8 != t->sp)
		return SKIP_RETURN;
	if (condition && !condition_holds(ctx->flags, condition - 1))
		return SKIP_RETURN;
	settle(t, register_value(ctx, HEAP_RESULT_REGISTER(fn)));
	return SKIP_RETURN;
}

/* An exception is being made: if that is inside an allocator call, the call has failed. */
static __always_inline int on_raise(struct pt_regs *ctx, struct heap_thread *t)
{
	if (t && t->sp && (t->function & HEAP_THROWS) && PT_REGS_SP(ctx) < t->sp)
		settle(t, 0);
	return SKIP_RETURN;
}

/* The space of the present thread, whose state is made if need be; 0 if it is no target's. */
static __always_inline int of_target(struct task_struct *task, struct heap_thread **t, __u64 *space)
{
	struct target *target;

	*space = *t ? (*t)->space : 0;
	if (*space)
		return 1;
	target = find_target(task->tgid);
	if (!target || !target->heap_ready)
		return 0;
	*space = target->space;
	if (!*t)
		*t = bpf_task_storage_get(&heap_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (*t) {
		(*t)->space = target->space;
		(*t)->layout = target->layout;
		(*t)->site.tgid = task->tgid;
	}
	return 1;
}

/* An allocator call begins, or free is called; the cookie tells (abi/heap.h). */
static __always_inline int call_begins(struct pt_regs *ctx, struct heap_thread *t,
				       struct task_struct *task)
{
	__u32 fn = bpf_get_attach_cookie(ctx), kind = fn & HEAP_KIND_MASK;
	__u64 space;

	/* A call whose entry was seen is booked to its end, also when the gate has closed since. */
	if (kind == HEAP_RESULT)
		return on_result(ctx, t, fn);
	if (kind == HEAP_RAISES)
		return on_raise(ctx, t);
	if (!gate)
		return SKIP_RETURN;
	if (!of_target(task, &t, &space))
		return SKIP_RETURN;
	count(COUNTER_PROBE_HITS, 1);
	if (kind == HEAP_FREES)
		return on_free(ctx, t, space, fn);
	if (!t) {
		count(COUNTER_HEAP_NO_STATE, 1);
		return SKIP_RETURN;
	}
	return on_entry(ctx, t, fn);
}

/*
 * One of two sets is loaded. The session program comes at entry and, unless it asked not to, at
 * return; kernels without sessions get a program for each, and every return is seen.
 */
SEC("uprobe")
int heap_session(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct heap_thread *t = bpf_task_storage_get(&heap_threads, task, 0, 0);

	/* A call whose entry was seen is booked to its end, also when the gate has closed since. */
	if (session_is_return())
		return t ? on_return(ctx, t) : 0;
	return call_begins(ctx, t, task);
}

/* The program tells itself (user/probe/plan_told.c); the cookie is the index into span_sites. */
SEC("uprobe")
int heap_told(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct heap_thread *t = bpf_task_storage_get(&heap_threads, task, 0, 0);
	__u32 index = bpf_get_attach_cookie(ctx);
	struct span_site *site = bpf_map_lookup_elem(&span_sites, &index);
	__u64 space;

	if (gate && site && of_target(task, &t, &space) && t)
		on_told(ctx, t, site);
	return 0;
}

SEC("uprobe")
int heap_entry(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	call_begins(ctx, bpf_task_storage_get(&heap_threads, task, 0, 0), task);
	return 0;
}

SEC("uprobe")
int heap_return(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct heap_thread *t = bpf_task_storage_get(&heap_threads, task, 0, 0);

	return t ? on_return(ctx, t) : 0;
}
