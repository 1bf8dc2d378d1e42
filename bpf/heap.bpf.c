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
#include "condition.bpf.h"
#include "stack.bpf.h"

static __always_inline void gauge_add(__s64 bytes, __s64 blocks)
{
	__s64 now = __sync_fetch_and_add(&gauge.live_bytes, bytes) + bytes;

	__sync_fetch_and_add(&gauge.live_blocks, blocks);
	/* Of two racing peaks the lower one may lose its update, never the higher: it tries again.
	 */
	for (int i = 0; i < 4; i++) {
		__s64 peak = gauge.peak_live_bytes;

		if (now <= peak ||
		    __sync_val_compare_and_swap(&gauge.peak_live_bytes, peak, now) == peak)
			break;
	}
}

static __always_inline void gauge_in_realloc(__s64 blocks)
{
	__sync_fetch_and_add(&gauge.in_realloc, blocks);
}

static __always_inline struct heap_site *site_of(struct heap_thread *t)
{
	struct heap_site *site = bpf_map_lookup_elem(&sites, &t->site_key);

	if (site)
		return site;
	bpf_probe_read_kernel(t->site.comm, sizeof(t->site.comm),
			      bpf_get_current_task_btf()->group_leader->comm);
	bpf_map_update_elem(&sites, &t->site_key, &t->site, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sites, &t->site_key);
}

/* Takes a block out of the live set; 1 if it was in it. Only who deletes it may book it. */
static __always_inline int take_block(__u64 space, __u64 address, struct live_block *out)
{
	struct live_key key = {.space = space, .address = address};
	struct live_block *block = bpf_map_lookup_elem(&live, &key);

	if (!block)
		return 0;
	*out = *block;
	return bpf_map_delete_elem(&live, &key) == 0;
}

/* A block leaves the books because its free was missed. */
static __noinline int retire(struct live_block *block)
{
	struct heap_site *site = bpf_map_lookup_elem(&sites, &block->site);

	count(COUNTER_HEAP_CONFLICTS, 1);
	count(COUNTER_HEAP_CONFLICT_BYTES, block->size);
	gauge_add(-(__s64)block->size, -1);
	if (site) {
		__sync_fetch_and_add(&site->retired, 1);
		__sync_fetch_and_add(&site->retired_bytes, block->size);
	}
	return 0;
}

static __always_inline void book_alloc(struct heap_thread *t, __u64 space, __u64 address)
{
	struct live_key key = {.space = space, .address = address};
	struct live_block block = {
		.size = t->size,
		.site = t->site_key,
		.time_ns = bpf_ktime_get_ns(),
		.alignment = t->alignment,
	};
	struct heap_site *site;
	long err;

	count(COUNTER_HEAP_ALLOCS, 1);
	count(COUNTER_HEAP_ALLOC_BYTES, block.size);
	site = site_of(t);
	if (site) {
		if (!site->first_ns)
			site->first_ns = block.time_ns;
		site->last_ns = block.time_ns;
		if (block.size > site->largest)
			site->largest = block.size;
		__sync_fetch_and_add(&site->allocs, 1);
		__sync_fetch_and_add(&site->alloc_bytes, block.size);
	} else {
		count(COUNTER_HEAP_SITES_FULL, 1);
	}

	err = bpf_map_update_elem(&live, &key, &block, BPF_NOEXIST);
	if (err == -17 /* EEXIST */) {
		struct live_block stale;

		if (take_block(space, address, &stale))
			retire(&stale);
		err = bpf_map_update_elem(&live, &key, &block, BPF_ANY);
	}
	if (err) {
		count(COUNTER_HEAP_LIVE_FULL, 1);
		count(COUNTER_HEAP_LIVE_FULL_BYTES, block.size);
		return;
	}
	gauge_add(block.size, 1);
}

static __always_inline void book_free(struct live_block *block)
{
	struct heap_site *site = bpf_map_lookup_elem(&sites, &block->site);

	count(COUNTER_HEAP_FREES, 1);
	count(COUNTER_HEAP_FREED_BYTES, block->size);
	gauge_add(-(__s64)block->size, -1);
	if (site) {
		__sync_fetch_and_add(&site->frees, 1);
		__sync_fetch_and_add(&site->freed_bytes, block->size);
	}
}

/* n * size; a product that does not fit makes the call fail, and is no size 0 (realloc frees). */
static __always_inline __u64 product(__u64 n, __u64 size)
{
	__u64 most = size ? ~0ULL / size : n;

	/* Hidden, or the compiler makes this a 128-bit multiplication, which BPF has not. */
	barrier_var(most);
	return n > most ? ~0ULL : n * size;
}

/*
 * One arm of a choice among registers. The comments differ, or the compiler would make one load
 * from a computed address of all arms, which the verifier refuses.
 */
#define REGISTER(n, field)                                          \
	case n:                                                     \
		value = ctx->field;                                 \
		__asm__ volatile("/* " #field " */" : "+r"(value)); \
		return value

/* Argument `n` of a function at its entry, 1 to 6. */
static __noinline __u64 argument(struct pt_regs *ctx, __u32 n)
{
	__u64 value;

	switch (n) {
		REGISTER(1, di);
		REGISTER(2, si);
		REGISTER(3, dx);
		REGISTER(4, cx);
		REGISTER(5, r8);
		REGISTER(6, r9);
	}
	return 0;
}

/* As the description says. Several times as many instructions as one that is known. */
static __noinline int note_described(struct heap_thread *t, struct pt_regs *ctx)
{
	__u32 fn, n;

	if (!t) /* for the verifier */
		return 0;
	fn = t->function;
	t->size = argument(ctx, HEAP_ARGUMENT(fn, HEAP_SIZE));
	n = HEAP_ARGUMENT(fn, HEAP_COUNT);
	if (n)
		t->size = product(argument(ctx, n), t->size);
	n = HEAP_ARGUMENT(fn, HEAP_BLOCK);
	if (n)
		t->old_address = argument(ctx, n);
	n = HEAP_ARGUMENT(fn, HEAP_OUT);
	if (n)
		t->out = argument(ctx, n);
	n = HEAP_ARGUMENT(fn, HEAP_ALIGN);
	if (n)
		t->alignment = argument(ctx, n);
	n = HEAP_ARGUMENT(fn, HEAP_FLAGS);
	if (n) {
		n = argument(ctx, n) & 63;
		if (n)
			t->alignment = 1ULL << n;
	}
	return 0;
}

static __always_inline void note_arguments(struct heap_thread *t, struct pt_regs *ctx, __u32 fn)
{
	__u64 arg1 = PT_REGS_PARM1(ctx), arg2 = PT_REGS_PARM2(ctx), arg3 = PT_REGS_PARM3(ctx);

	t->function = fn;
	t->alignment = 0;
	t->old_address = 0;
	t->size = arg1;
	switch (fn) {
	case HEAP_MALLOC:
		break;
	case HEAP_CALLOC:
		t->size = product(arg1, arg2);
		break;
	case HEAP_REALLOC:
		t->old_address = arg1;
		t->size = arg2;
		break;
	case HEAP_REALLOCARRAY:
		t->old_address = arg1;
		t->size = product(arg2, arg3);
		break;
	case HEAP_POSIX_MEMALIGN:
		t->out = arg1;
		t->alignment = arg2;
		t->size = arg3;
		break;
	case HEAP_MEMALIGN:
		t->alignment = arg1;
		t->size = arg2;
		break;
	default:
		note_described(t, ctx);
	}
}

/* The block a realloc took out of the live set will never be settled. */
static __always_inline void lose_old_block(struct heap_thread *t)
{
	gauge_in_realloc(-1);
	gauge_add(-(__s64)t->old.size, -1);
	count(COUNTER_HEAP_RESTORE_FAILED, 1);
	t->old_known = 0;
}

/* The call we wait for was left without returning: its result is not known. */
static __always_inline void abandon(struct heap_thread *t)
{
	count(COUNTER_HEAP_MISSED_RETURNS, 1);
	if (t->old_known)
		lose_old_block(t);
	t->sp = 0;
}

/*
 * Was this block just freed, in a function that passed it on to this one (operator delete to
 * free)? Then it is booked.
 */
static __always_inline int is_passed_on(const struct heap_thread *t, struct pt_regs *ctx,
					__u64 address)
{
	return t && t->freed == address && t->freed_ip != ctx->ip;
}

static __always_inline int on_free(struct pt_regs *ctx, struct heap_thread *t,
				   struct task_struct *task, __u64 space, __u32 fn)
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
	if (take_block(space, address, &block))
		book_free(&block);
	else if (!is_passed_on(t, ctx, address))
		count(COUNTER_HEAP_UNKNOWN_FREES, 1);
	if (fn & HEAP_FORWARDS) {
		if (!t)
			t = bpf_task_storage_get(&heap_threads, task, 0,
						 BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (t) {
			t->freed = address;
			t->freed_ip = ctx->ip;
		}
	}
	return SKIP_RETURN;
}

static __always_inline int on_entry(struct pt_regs *ctx, struct heap_thread *t,
				    const struct target *target, __u32 fn)
{
	__u64 space = target->space, sp = PT_REGS_SP(ctx);

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
	t->space = space;
	note_arguments(t, ctx, fn);
	t->old_known = t->old_address ? take_block(space, t->old_address, &t->old) : 0;
	if (t->old_known)
		gauge_in_realloc(1);
	t->site.tgid = current_tgid();
	t->site.depth = capture_stack(ctx, target->layout, &t->stack, t->site.frames, &t->site_key);
	return fn & HEAP_THROWS ? SKIP_RETURN : 0;
}

/* The old block of a realloc: gone if the call succeeded or freed it, else put back. */
static __always_inline void settle_realloc(struct heap_thread *t, __u64 space, __u64 address)
{
	struct live_key key = {.space = space, .address = t->old_address};

	if (t->old_known)
		gauge_in_realloc(-1);
	if (address || !t->size || (t->function & HEAP_FREES_ALWAYS)) {
		if (t->old_known)
			book_free(&t->old);
		else
			count(COUNTER_HEAP_UNKNOWN_FREES, 1);
	} else if (t->old_known && bpf_map_update_elem(&live, &key, &t->old, BPF_NOEXIST)) {
		gauge_in_realloc(1); /* lose_old_block() takes it off again */
		lose_old_block(t);
	}
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

/* A register by its number in instructions. */
static __noinline __u64 register_value(struct pt_regs *ctx, __u32 n)
{
	__u64 value;

	switch (n) {
		REGISTER(0, ax);
		REGISTER(1, cx);
		REGISTER(2, dx);
		REGISTER(3, bx);
		REGISTER(5, bp);
		REGISTER(6, si);
		REGISTER(7, di);
		REGISTER(8, r8);
		REGISTER(9, r9);
		REGISTER(10, r10);
		REGISTER(11, r11);
		REGISTER(12, r12);
		REGISTER(13, r13);
		REGISTER(14, r14);
		REGISTER(15, r15);
	}
	return 0;
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

/* An allocator call begins, or free is called; the cookie tells (abi/heap.h). */
static __always_inline int call_begins(struct pt_regs *ctx, struct heap_thread *t,
				       struct task_struct *task)
{
	__u32 fn = bpf_get_attach_cookie(ctx), kind = fn & HEAP_KIND_MASK;
	struct target *target;

	/* A call whose entry was seen is booked to its end, also when the gate has closed since. */
	if (kind == HEAP_RESULT)
		return on_result(ctx, t, fn);
	if (kind == HEAP_RAISES)
		return on_raise(ctx, t);
	target = find_target(task->tgid);
	if (!target || !target->heap_ready || !gate)
		return SKIP_RETURN;
	count(COUNTER_PROBE_HITS, 1);
	if (kind == HEAP_FREES)
		return on_free(ctx, t, task, target->space, fn);
	if (!t)
		t = bpf_task_storage_get(&heap_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t) {
		count(COUNTER_HEAP_NO_STATE, 1);
		return SKIP_RETURN;
	}
	return on_entry(ctx, t, target, fn);
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
