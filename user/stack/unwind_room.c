// SPDX-License-Identifier: BSD-2-Clause
#include "stack/unwind_room.h"

#include <stdlib.h>
#include <string.h>

#include "stack/unwind_piece.h"

int unwind_room__init(struct unwind_room *room, const struct unwind_memory *memory)
{
	int ret = extents__init(&room->halves, memory->n_halves, UNWIND_SHARD_HALVES);

	room->memory = *memory;
	return ret ? ret : extents__init(&room->pages, memory->n_pages, 0);
}

void unwind_room__free(struct unwind_room *room)
{
	extents__free(&room->halves);
	extents__free(&room->pages);
}

void unwind_room__add_rules(struct unwind_room *room, const struct unwind_rules *rules)
{
	size_t n = unwind_rules__count(rules), known = room->rules_copied;

	if (n > UNWIND_RULES_MAX)
		n = UNWIND_RULES_MAX;
	if (n <= known)
		return;
	memcpy(&room->memory.rules[known], unwind_rules__data(rules) + known,
	       (n - known) * sizeof(struct unwind_rule));
	room->rules_copied = n;
}

bool unwind_room__take_pages(struct unwind_room *room, struct unwind_placement *p, size_t n)
{
	if (!n || n > UINT32_MAX || !extents__take(&room->pages, (uint32_t)n, &p->first_page))
		return false;
	p->n_pages = (uint32_t)n;
	memset(&room->memory.pages[p->first_page], 0, n * sizeof(struct unwind_page));
	return true;
}

static bool take_run(struct unwind_room *room, struct unwind_placement *p, uint32_t n,
		     uint32_t *first)
{
	struct extent *last = p->halves.len ? &p->halves.data[p->halves.len - 1] : NULL;

	if (!extents__take(&room->halves, n, first))
		return false;
	/* Runs that follow each other are one, as long as they can be given back as one. */
	if (last && last->first + last->n == *first && *first % UNWIND_SHARD_HALVES) {
		last->n += n;
		return true;
	}
	last = vec_push(&p->halves);
	if (!last) {
		extents__give(&room->halves, *first, n);
		return false;
	}
	*last = (struct extent){*first, n};
	return true;
}

static void give_halves(struct unwind_room *room, struct unwind_placement *p)
{
	struct extent *run;

	vec_for_each (&p->halves, run)
		extents__give(&room->halves, run->first, run->n);
	vec_free(&p->halves);
}

/* In one store: the kernel side may be reading the page. */
static void set_page(struct unwind_page *page, struct unwind_page value, uint32_t first)
{
	typedef uint64_t __attribute__((may_alias)) word;

	value.first = first;

	__atomic_store_n((word *)page, *(const word *)&value, __ATOMIC_RELEASE);
}

static bool is_sound(const struct unwind_table *t)
{
	for (size_t i = 0; i < t->n_pages; i++) {
		const struct unwind_page *page = &t->pages[i];

		if (page->rows > UNWIND_PAGE_ROWS || page->rules > UNWIND_PAGE_RULES ||
		    page->first > t->n_halves ||
		    unwind_piece__halves(*page) > t->n_halves - page->first)
			return false;
	}
	return true;
}

bool unwind_room__take_rows(struct unwind_room *room, struct unwind_placement *p,
			    const struct unwind_table *t)
{
	bool placed = p->n_pages == t->n_pages && t->n_halves <= room->halves.left && is_sound(t);
	uint32_t *first = placed ? calloc(t->n_pages + 1, sizeof(*first)) : NULL;

	placed &= first != NULL;
	for (size_t i = 0; placed && i < t->n_pages; i++) {
		uint32_t n = unwind_piece__halves(t->pages[i]);

		placed = !n || take_run(room, p, n, &first[i]);
		if (placed && n)
			memcpy(&room->memory.halves[first[i]], &t->halves[t->pages[i].first],
			       n * sizeof(*t->halves));
	}
	if (!placed)
		give_halves(room, p); /* nobody has seen them */
	for (size_t i = 0; placed && i < t->n_pages; i++)
		set_page(&room->memory.pages[p->first_page + i], t->pages[i], first[i]);
	free(first);
	return placed;
}

void unwind_room__give(struct unwind_room *room, struct unwind_placement *p)
{
	give_halves(room, p);
	if (p->n_pages)
		extents__give(&room->pages, p->first_page, p->n_pages);
	p->n_pages = 0;
}
