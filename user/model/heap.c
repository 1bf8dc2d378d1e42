// SPDX-License-Identifier: BSD-2-Clause
#include "model/heap.h"

#include <stdlib.h>
#include <string.h>

struct heap_frame *heap_frames__copy(const struct heap_frame *frames, uint32_t depth)
{
	struct heap_frame *copy = calloc(depth ? depth : 1, sizeof(*copy));

	if (copy && depth)
		memcpy(copy, frames, depth * sizeof(*copy));
	return copy;
}

struct call_site *heap_snapshot__add_site(struct heap_snapshot *heap,
					  const struct heap_frame *frames, uint32_t depth)
{
	struct heap_frame *copy = heap_frames__copy(frames, depth);
	struct call_site *site;

	if (!copy)
		return NULL;
	site = vec_push(&heap->sites);
	if (!site) {
		free(copy);
		return NULL;
	}
	site->frames = copy;
	site->depth = depth;
	return site;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* The same library may be known by one path in two interned copies: compare text. */
static int compare_text(const char *a, const char *b)
{
	if (a == b)
		return 0;
	if (!a || !b)
		return a ? 1 : -1;
	return strcmp(a, b);
}

/* By build-id, whatever the file is called; by its path where it has none. */
static int compare_modules(const struct heap_frame *a, const struct heap_frame *b)
{
	int order = compare_text(a->build_id, b->build_id);

	return order || a->build_id ? order : compare_text(a->module, b->module);
}

static int compare_frames(const struct heap_frame *a, const struct heap_frame *b)
{
	int order = compare_numbers(a->offset, b->offset);

	if (!order)
		order = compare_modules(a, b);
	/* Inlined functions share their place. */
	if (!order && (a->inlined || b->inlined))
		order = compare_text(a->function, b->function);
	return order;
}

static int compare_stacks(const void *a, const void *b)
{
	const struct call_site *x = a, *y = b;

	for (uint32_t i = 0; i < x->depth && i < y->depth; i++) {
		int order = compare_frames(&x->frames[i], &y->frames[i]);

		if (order)
			return order;
	}
	if (x->depth != y->depth)
		return compare_numbers(x->depth, y->depth);
	return compare_numbers(x->truncated, y->truncated);
}

static int compare_places(const void *a, const void *b)
{
	const struct call_site *x = a, *y = b;
	int order = compare_stacks(a, b);

	return order ? order : compare_numbers(x->pid, y->pid);
}

static void add_site(struct call_site *into, const struct call_site *from)
{
	into->allocs += from->allocs;
	into->frees += from->frees;
	into->alloc_bytes += from->alloc_bytes;
	into->freed_bytes += from->freed_bytes;
	into->live_blocks += from->live_blocks;
	into->live_bytes += from->live_bytes;
	into->aged_blocks += from->aged_blocks;
	into->aged_bytes += from->aged_bytes;
	into->lost += from->lost;
	if (from->first_ns && (!into->first_ns || from->first_ns < into->first_ns))
		into->first_ns = from->first_ns;
	if (from->last_ns > into->last_ns)
		into->last_ns = from->last_ns;
	if (from->largest > into->largest)
		into->largest = from->largest;
}

void heap_snapshot__merge_sites(struct heap_snapshot *heap)
{
	struct call_site *sites = heap->sites.data;
	size_t kept = 0;

	if (!heap->sites.len)
		return;
	qsort(sites, heap->sites.len, sizeof(*sites), compare_places);
	for (size_t i = 1; i < heap->sites.len; i++) {
		/* Stacks that could not be read are not the same stack. */
		if (sites[i].depth && !compare_stacks(&sites[kept], &sites[i]) &&
		    (!heap->by_process || sites[kept].pid == sites[i].pid)) {
			add_site(&sites[kept], &sites[i]);
			free(sites[i].frames);
		} else {
			sites[++kept] = sites[i];
		}
	}
	heap->sites.len = kept + 1;
}

static int more_live_first(const void *a, const void *b)
{
	const struct call_site *x = a, *y = b;
	int order = compare_numbers(y->live_bytes, x->live_bytes);

	if (!order)
		order = compare_numbers(y->live_blocks, x->live_blocks);
	if (!order)
		order = compare_numbers(y->allocs, x->allocs);
	return order ? order : compare_stacks(a, b);
}

void heap_snapshot__sort_by_live(struct heap_snapshot *heap)
{
	if (heap->sites.len)
		qsort(heap->sites.data, heap->sites.len, sizeof(*heap->sites.data),
		      more_live_first);
}

void heap_snapshot__free(struct heap_snapshot *heap)
{
	struct call_site *site;

	vec_for_each (&heap->sites, site)
		free(site->frames);
	vec_free(&heap->sites);
	memset(heap, 0, sizeof(*heap));
}
