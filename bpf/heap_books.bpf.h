/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The heap's books: what an allocation, a free, a settled realloc and a missed free change in the
 * live set, the call sites, the gauge and the counters.
 */
#ifndef PERFTRACE_HEAP_BOOKS_BPF_H
#define PERFTRACE_HEAP_BOOKS_BPF_H

#include "heap_thread.bpf.h"
#include "live_table.bpf.h"

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

/* Books a block at an address where one is already. */
static __noinline int replace(__u64 space, __u64 address, const struct live_block *block)
{
	struct live_block stale;

	if (live_take(space, address, &stale))
		retire(&stale);
	return live_put(space, address, block);
}

static __always_inline void book_alloc(struct heap_thread *t, __u64 space, __u64 address)
{
	struct live_block block = {
		.size = t->size,
		.site = t->site_key,
		.time_ns = bpf_ktime_get_ns(),
		.alignment = t->alignment,
	};
	struct heap_site *site;
	int err;

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

	err = live_put(space, address, &block);
	if (err == -EEXIST)
		err = replace(space, address, &block);
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

/* The old block of a realloc: gone if the call succeeded or freed it, else put back. */
static __always_inline void settle_realloc(struct heap_thread *t, __u64 space, __u64 address)
{
	if (t->old_known)
		gauge_in_realloc(-1);
	if (address || !t->size || (t->function & HEAP_FREES_ALWAYS)) {
		if (t->old_known)
			book_free(&t->old);
		else
			count(COUNTER_HEAP_UNKNOWN_FREES, 1);
	} else if (t->old_known && live_put(space, t->old_address, &t->old)) {
		gauge_in_realloc(1); /* lose_old_block() takes it off again */
		lose_old_block(t);
	}
}

#endif
