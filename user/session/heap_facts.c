// SPDX-License-Identifier: BSD-2-Clause
#include "session/heap_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "session/named_stack.h"

/* What is alive of one site, counted block by block. */
struct live_count {
	uint64_t key;
	uint64_t blocks, bytes, aged_blocks, aged_bytes;
	UT_hash_handle hh;
};

struct reading {
	struct symbolizer *symbolizer;
	struct names *names;
	struct heap_snapshot *heap;
	struct live_count *counts;
};

static int count_block(void *arg, const struct live_key *key, const struct live_block *block)
{
	struct reading *r = arg;
	struct live_count *count;

	HASH_FIND(hh, r->counts, &block->site, sizeof(block->site), count);
	if (!count) {
		count = calloc(1, sizeof(*count));
		if (!count)
			return -ENOMEM;
		count->key = block->site;
		HASH_ADD(hh, r->counts, key, sizeof(count->key), count);
		if (!count->hh.tbl) {
			free(count);
			return -ENOMEM;
		}
	}
	count->blocks++;
	count->bytes += block->size;
	if (r->heap->age_ns && block->time_ns + r->heap->age_ns <= r->heap->taken_ns) {
		count->aged_blocks++;
		count->aged_bytes += block->size;
	}
	return 0;
}

static int add_site(void *arg, uint64_t key, const struct heap_site *site)
{
	struct heap_frame frames[STACK_DEPTH_MAX];
	struct reading *r = arg;
	struct live_count *count;
	struct call_site *out;
	uint32_t depth = site->depth < STACK_DEPTH_MAX ? site->depth : STACK_DEPTH_MAX;

	depth = named_stack(r->symbolizer, r->names, site->layout, (const uint64_t *)site->frames,
			    depth, site->stop, frames);
	out = heap_snapshot__add_site(r->heap, frames, depth);
	if (!out)
		return -ENOMEM;
	out->truncated = site->stop != UNWIND_STOP_END;
	out->stop = site->stop;
	out->pid = site->tgid;
	memcpy(out->comm, site->comm, sizeof(out->comm));
	out->comm[sizeof(out->comm) - 1] = '\0';
	out->allocs = site->allocs;
	out->frees = site->frees;
	out->alloc_bytes = site->alloc_bytes;
	out->freed_bytes = site->freed_bytes;
	out->lost = site->retired;
	out->first_ns = site->first_ns;
	out->last_ns = site->last_ns;
	out->largest = site->largest;
	HASH_FIND(hh, r->counts, &key, sizeof(key), count);
	if (count) {
		out->live_blocks = count->blocks;
		out->live_bytes = count->bytes;
		out->aged_blocks = count->aged_blocks;
		out->aged_bytes = count->aged_bytes;
	}
	return 0;
}

static int fill_totals(const struct kernel *kernel, struct reading *r)
{
	struct heap_totals *total = &r->heap->total;
	uint64_t counters[COUNTER_COUNT];
	struct live_count *count, *next;
	struct heap_gauge gauge;
	int ret = kernel__counters(kernel, counters);

	if (ret)
		return ret;
	kernel__gauge(kernel, &gauge);
	total->allocs = counters[COUNTER_HEAP_ALLOCS];
	total->frees = counters[COUNTER_HEAP_FREES];
	total->failed = counters[COUNTER_HEAP_FAILED];
	total->alloc_bytes = counters[COUNTER_HEAP_ALLOC_BYTES];
	total->freed_bytes = counters[COUNTER_HEAP_FREED_BYTES];
	total->unknown_frees = counters[COUNTER_HEAP_UNKNOWN_FREES];
	total->peak_live_bytes = gauge.peak_live_bytes > 0 ? gauge.peak_live_bytes : 0;
	HASH_ITER (hh, r->counts, count, next) {
		total->live_blocks += count->blocks;
		total->live_bytes += count->bytes;
	}
	return 0;
}

int heap_facts__read(const struct kernel *kernel, struct symbolizer *symbolizer,
		     struct names *names, struct heap_snapshot *heap)
{
	struct reading r = {symbolizer, names, heap, NULL};
	struct live_count *count, *next;
	int ret = kernel__for_each_live(kernel, count_block, &r);

	if (!ret)
		ret = kernel__for_each_site(kernel, add_site, &r);
	if (!ret)
		ret = fill_totals(kernel, &r);
	HASH_ITER (hh, r.counts, count, next) {
		HASH_DEL(r.counts, count);
		free(count);
	}
	if (ret)
		return ret;
	heap_snapshot__merge_sites(heap);
	heap_snapshot__sort_by_live(heap);
	return 0;
}
