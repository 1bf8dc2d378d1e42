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

static __always_inline int on_free(struct heap_thread *t, __u64 space, __u64 address)
{
	struct live_block block;

	if (!address)
		return SKIP_RETURN;
	/* An allocator that frees inside realloc or malloc moves its own blocks, not the user's. */
	if (t && t->sp)
		return SKIP_RETURN;
	if (take_block(space, address, &block))
		book_free(&block);
	else
		count(COUNTER_HEAP_UNKNOWN_FREES, 1);
	return SKIP_RETURN;
}

/* n * size; a product that does not fit makes the call fail, and is no size 0 (realloc frees). */
static __always_inline __u64 product(__u64 n, __u64 size)
{
	__u64 most = size ? ~0ULL / size : n;

	/* Hidden, or the compiler makes this a 128-bit multiplication, which BPF has not. */
	barrier_var(most);
	return n > most ? ~0ULL : n * size;
}

static __always_inline void note_arguments(struct heap_thread *t, struct pt_regs *ctx, __u32 fn)
{
	__u64 arg1 = PT_REGS_PARM1(ctx), arg2 = PT_REGS_PARM2(ctx), arg3 = PT_REGS_PARM3(ctx);

	t->function = fn;
	t->alignment = 0;
	t->old_address = 0;
	t->size = arg1;
	switch (fn) {
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
		count(COUNTER_HEAP_MISSED_RETURNS, 1);
		if (t->old_known)
			lose_old_block(t);
	}
	t->sp = sp;
	t->space = space;
	note_arguments(t, ctx, fn);
	t->old_known = t->old_address ? take_block(space, t->old_address, &t->old) : 0;
	if (t->old_known)
		gauge_in_realloc(1);
	t->site.tgid = current_tgid();
	t->site.depth = capture_stack(ctx, target->layout, &t->stack, t->site.frames, &t->site_key);
	return 0;
}

/* The old block of a realloc: gone if the call succeeded or freed it, else put back. */
static __always_inline void settle_realloc(struct heap_thread *t, __u64 space, __u64 address)
{
	struct live_key key = {.space = space, .address = t->old_address};

	if (t->old_known)
		gauge_in_realloc(-1);
	if (address || !t->size) {
		if (t->old_known)
			book_free(&t->old);
		else
			count(COUNTER_HEAP_UNKNOWN_FREES, 1);
	} else if (t->old_known && bpf_map_update_elem(&live, &key, &t->old, BPF_NOEXIST)) {
		gauge_in_realloc(1); /* lose_old_block() takes it off again */
		lose_old_block(t);
	}
}

static __always_inline int on_return(struct pt_regs *ctx, struct heap_thread *t)
{
	__u64 space = t->space, address = PT_REGS_RC(ctx);

	/* Returning popped the return address. Anything else is the return of a call left behind.
	 */
	if (PT_REGS_SP(ctx) - 8 != t->sp)
		return 0;
	t->sp = 0;
	if (t->function == HEAP_POSIX_MEMALIGN) {
		int rc = address;

		address = 0;
		if (!rc && bpf_probe_read_user(&address, sizeof(address), (void *)t->out)) {
			count(COUNTER_HEAP_READ_FAULTS, 1);
			return 0;
		}
	}
	if (t->old_address)
		settle_realloc(t, space, address);
	if (address)
		book_alloc(t, space, address);
	else if (!t->old_address || t->size)
		count(COUNTER_HEAP_FAILED, 1);
	return 0;
}

/* An allocator call begins, or free is called; the cookie is the enum heap_function. */
static __always_inline int call_begins(struct pt_regs *ctx, struct heap_thread *t,
				       struct task_struct *task)
{
	struct target *target = find_target(task->tgid);
	__u32 fn;

	if (!target || !target->heap_ready || !gate)
		return SKIP_RETURN;
	count(COUNTER_PROBE_HITS, 1);
	fn = bpf_get_attach_cookie(ctx);
	if (fn == HEAP_FREE)
		return on_free(t, target->space, PT_REGS_PARM1(ctx));
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
