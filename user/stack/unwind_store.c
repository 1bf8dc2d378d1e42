// SPDX-License-Identifier: BSD-2-Clause
#include "stack/unwind_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "stack/extents.h"
#include "stack/unwind_objects.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define SPARE_HALVES (4U << 20) /* 8 MB */
#define SPARE_PAGES  65536	/* of 4 GB of code */

typedef VEC(struct unwind_mapping) mapping_list;
typedef VEC(struct unwind_object *) object_list;

/* A list of mappings in its place. */
struct slice {
	bool cut; /* some of it found no room */
	uint32_t first, n;
	object_list objects; /* referred to, one for each mapping of theirs */
};

struct stored_layout {
	uint64_t number;
	struct slice *slice;
	UT_hash_handle hh;
};

/* Places that nobody new gets to see, but somebody may still be reading. */
struct quarantined {
	uint32_t first, n;
	uint64_t until_ns;
};

struct unwind_store {
	struct unwind_objects *objects;
	struct unwind_memory memory;
	struct extents free_mappings;
	VEC(struct quarantined) quarantine; /* oldest first */
	struct stored_layout *layouts;
	uint64_t mappings; /* in slices */
};

struct unwind_store *unwind_store__new(unwind_build_fn build)
{
	struct unwind_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->objects = unwind_objects__new(build);
	if (store->objects)
		return store;
	free(store);
	return NULL;
}

static void free_slice(struct slice *slice)
{
	vec_free(&slice->objects);
	free(slice);
}

void unwind_store__free(struct unwind_store *store)
{
	struct stored_layout *layout, *next;

	if (!store)
		return;
	HASH_ITER (hh, store->layouts, layout, next) {
		HASH_DEL(store->layouts, layout);
		free_slice(layout->slice);
		free(layout);
	}
	vec_free(&store->quarantine);
	extents__free(&store->free_mappings);
	unwind_objects__free(store->objects);
	free(store);
}

/* ---- sizes ---- */

/* Not a process' own code, and never on its stack as far as we are concerned. */
static bool is_code(const struct mapping *m)
{
	return m->executable && strcmp(m->path, "[vsyscall]") && strcmp(m->path, "[uprobes]");
}

int unwind_store__learn(struct unwind_store *store, pid_t pid, const struct maps *maps)
{
	const struct mapping *m;
	uint64_t vaddr;

	vec_for_each (&maps->list, m) {
		struct unwind_object *object =
			is_code(m) ? unwind_objects__get(store->objects, pid, m, 0, &vaddr) : NULL;

		if (object)
			unwind_objects__put(store->objects, object, 0);
	}
	return 0;
}

void unwind_store__needs(const struct unwind_store *store, size_t *shards, size_t *pages)
{
	uint64_t n_halves, n_pages;

	unwind_objects__sum(store->objects, &n_halves, &n_pages);
	n_halves += n_halves / 2 > SPARE_HALVES ? n_halves / 2 : SPARE_HALVES;
	n_pages += n_pages / 2 > SPARE_PAGES ? n_pages / 2 : SPARE_PAGES;
	*shards = (n_halves + UNWIND_SHARD_HALVES - 1) / UNWIND_SHARD_HALVES;
	if (*shards > UNWIND_SHARDS_MAX)
		*shards = UNWIND_SHARDS_MAX;
	*pages = n_pages;
}

int unwind_store__bind(struct unwind_store *store, const struct unwind_memory *memory,
		       uint64_t now_ns)
{
	int ret = extents__init(&store->free_mappings, memory->n_mappings, 0);

	store->memory = *memory;
	return ret ? ret : unwind_objects__bind(store->objects, memory, now_ns);
}

/* ---- what is mapped ---- */

/* Neighbours without tables are one; JITs map their code in very many pieces. */
static int add_by_frame_pointer(mapping_list *list, uint64_t start, uint64_t end)
{
	struct unwind_mapping *last = list->len ? &list->data[list->len - 1] : NULL;

	if (last && last->kind == UNWIND_BY_FRAME_POINTER && last->end == start) {
		last->end = end;
		return 0;
	}
	last = vec_push(list);
	if (!last)
		return -ENOMEM;
	*last = (struct unwind_mapping){
		.start = start, .end = end, .kind = UNWIND_BY_FRAME_POINTER};
	return 0;
}

/* The part of `m` that the object's pages cover, and what lies around it. */
static int add_by_rules(mapping_list *list, const struct mapping *m, uint64_t vaddr,
			const struct unwind_object *object)
{
	uint64_t page_vaddr;
	uint32_t first_page, n_pages = unwind_object__pages(object, &page_vaddr, &first_page);
	__int128 base = (__int128)m->start - vaddr + page_vaddr;
	__int128 end = base + ((__int128)n_pages << UNWIND_PAGE_BITS);
	uint64_t from = base > m->start ? base : m->start, to = end < m->end ? end : m->end;
	struct unwind_mapping *slot;

	if (end <= m->start || base >= m->end || !n_pages)
		return add_by_frame_pointer(list, m->start, m->end);
	if (from > m->start && add_by_frame_pointer(list, m->start, from))
		return -ENOMEM;
	slot = vec_push(list);
	if (!slot)
		return -ENOMEM;
	*slot = (struct unwind_mapping){
		.start = from,
		.end = to,
		.base = (uint64_t)base,
		.first_page = first_page,
		.kind = UNWIND_BY_RULES,
	};
	return to < m->end ? add_by_frame_pointer(list, to, m->end) : 0;
}

static int add_mapping(struct unwind_store *store, pid_t pid, const struct mapping *m,
		       uint64_t now_ns, mapping_list *list, object_list *objects)
{
	uint64_t vaddr;
	struct unwind_object *object = unwind_objects__get(store->objects, pid, m, now_ns, &vaddr),
			     **slot;

	if (!object)
		return add_by_frame_pointer(list, m->start, m->end);
	slot = vec_push(objects);
	if (!slot) {
		unwind_objects__put(store->objects, object, now_ns);
		return -ENOMEM;
	}
	*slot = object;
	return add_by_rules(list, m, vaddr, object);
}

/*
 * Too many: code without tables is taken together across the gaps, in which no code is known. What
 * is still too much is left out at the end.
 */
static void condense(mapping_list *list)
{
	size_t kept = 0;

	for (size_t i = 1; list->len > UNWIND_LAYOUT_MAX && i < list->len; i++) {
		struct unwind_mapping *last = &list->data[kept], *m = &list->data[i];

		if (last->kind == UNWIND_BY_FRAME_POINTER && m->kind == UNWIND_BY_FRAME_POINTER)
			last->end = m->end;
		else
			list->data[++kept] = *m;
	}
	if (list->len > UNWIND_LAYOUT_MAX)
		list->len = kept + 1;
	if (list->len > UNWIND_LAYOUT_MAX)
		list->len = UNWIND_LAYOUT_MAX;
}

static void put_objects(struct unwind_store *store, object_list *objects, uint64_t now_ns)
{
	struct unwind_object **object;

	vec_for_each (objects, object)
		unwind_objects__put(store->objects, *object, now_ns);
	vec_free(objects);
}

static int list_mappings(struct unwind_store *store, pid_t pid, const struct maps *maps,
			 uint64_t now_ns, mapping_list *list, object_list *objects)
{
	const struct mapping *m;
	int ret = 0;

	vec_for_each (&maps->list, m) {
		if (!ret && is_code(m))
			ret = add_mapping(store, pid, m, now_ns, list, objects);
	}
	condense(list);
	return ret;
}

/* ---- slices ---- */

static void release_quarantine(struct unwind_store *store, uint64_t now_ns)
{
	size_t over = 0;

	while (over < store->quarantine.len && store->quarantine.data[over].until_ns <= now_ns) {
		const struct quarantined *q = &store->quarantine.data[over++];

		extents__give(&store->free_mappings, q->first, q->n);
	}
	store->quarantine.len -= over;
	if (over)
		memmove(store->quarantine.data, store->quarantine.data + over,
			store->quarantine.len * sizeof(*store->quarantine.data));
}

static void leave_slice(struct unwind_store *store, struct slice *slice, uint64_t now_ns)
{
	struct quarantined *q;

	store->mappings -= slice->n;
	q = slice->n ? vec_push(&store->quarantine) : NULL;
	if (q) /* else the places are lost, no more */
		*q = (struct quarantined){slice->first, slice->n, now_ns + UNWIND_QUARANTINE_NS};
	put_objects(store, &slice->objects, now_ns);
	free_slice(slice);
}

static bool any_cut(const object_list *objects)
{
	struct unwind_object **object;

	vec_for_each (objects, object) {
		if (unwind_object__is_cut(*object))
			return true;
	}
	return false;
}

/* Takes over the content of `objects`, also when it fails. */
static int write_slice(struct unwind_store *store, const mapping_list *list, object_list *objects,
		       uint64_t now_ns, struct slice **out)
{
	struct slice *slice = calloc(1, sizeof(*slice));
	int ret = slice ? 0 : -ENOMEM;

	release_quarantine(store, now_ns);
	if (!ret && list->len && !extents__take(&store->free_mappings, list->len, &slice->first))
		ret = -ENOSPC;
	if (ret) {
		put_objects(store, objects, now_ns);
		free(slice);
		return ret;
	}
	slice->cut = any_cut(objects);
	slice->n = list->len;
	memcpy(&slice->objects, objects, sizeof(slice->objects));
	if (list->len)
		memcpy(&store->memory.mappings[slice->first], list->data,
		       list->len * sizeof(*list->data));
	store->mappings += slice->n;
	*out = slice;
	return 0;
}

/* ---- layouts ---- */

static struct stored_layout *find_layout(const struct unwind_store *store, uint64_t number)
{
	struct stored_layout *layout;

	HASH_FIND(hh, store->layouts, &number, sizeof(number), layout);
	return layout;
}

static int publish(struct unwind_store *store, uint64_t number, const struct slice *slice)
{
	struct unwind_layout value = {.first = slice->first, .n = slice->n};

	if (getrandom(&value.seed, sizeof(value.seed), GRND_NONBLOCK) != sizeof(value.seed))
		value.seed = (uint64_t)(uintptr_t)slice * 0x9e3779b97f4a7c15ULL ^ number;
	return store->memory.publish(store->memory.arg, number, &value);
}

/* Lets a layout have this slice, which it takes, in place of its former one. */
static int show(struct unwind_store *store, uint64_t number, struct slice *slice, uint64_t now_ns)
{
	struct stored_layout *layout = find_layout(store, number);
	int ret = publish(store, number, slice);

	if (!ret && !layout) {
		layout = calloc(1, sizeof(*layout));
		ret = layout ? 0 : -ENOMEM;
		if (layout) {
			layout->number = number;
			HASH_ADD(hh, store->layouts, number, sizeof(layout->number), layout);
		}
		if (layout && !layout->hh.tbl) {
			free(layout);
			layout = NULL;
			ret = -ENOMEM;
		}
		if (ret)
			store->memory.publish(store->memory.arg, number, NULL);
	} else if (!ret) {
		leave_slice(store, layout->slice, now_ns);
	}
	if (ret)
		leave_slice(store, slice, now_ns);
	else
		layout->slice = slice;
	return ret;
}

/* What has found its room since is shown anew: the kernel side may remember that it had none. */
static bool is_shown(const struct unwind_store *store, const struct stored_layout *layout,
		     const mapping_list *list, bool cut)
{
	return layout && layout->slice->n == list->len && layout->slice->cut == cut &&
	       (!list->len || !memcmp(&store->memory.mappings[layout->slice->first], list->data,
				      list->len * sizeof(*list->data)));
}

int unwind_store__set_layout(struct unwind_store *store, uint64_t number, pid_t pid,
			     const struct maps *maps, uint64_t now_ns)
{
	mapping_list list = {0};
	object_list objects = {0};
	struct slice *slice;
	int ret = list_mappings(store, pid, maps, now_ns, &list, &objects);
	bool cut = any_cut(&objects);

	if (ret || is_shown(store, find_layout(store, number), &list, cut))
		put_objects(store, &objects, now_ns);
	else
		ret = write_slice(store, &list, &objects, now_ns, &slice)
			      ?: show(store, number, slice, now_ns);
	vec_free(&list);
	if (ret) /* what it was is true no more */
		unwind_store__drop_layout(store, number, now_ns);
	return ret ? ret : cut ? -EAGAIN : 0;
}

void unwind_store__drop_layout(struct unwind_store *store, uint64_t number, uint64_t now_ns)
{
	struct stored_layout *layout = find_layout(store, number);

	if (!layout)
		return;
	store->memory.publish(store->memory.arg, number, NULL);
	leave_slice(store, layout->slice, now_ns);
	HASH_DEL(store->layouts, layout);
	free(layout);
}

void unwind_store__facts(const struct unwind_store *store, struct unwind_store_facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	unwind_objects__facts(store->objects, facts);
	facts->layouts = HASH_COUNT(store->layouts);
	facts->mappings = store->mappings;
}
