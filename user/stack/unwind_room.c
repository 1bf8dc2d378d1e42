// SPDX-License-Identifier: BSD-2-Clause
#include "stack/unwind_room.h"

#include <stdlib.h>
#include <string.h>

int unwind_room__init(struct unwind_room *room, const struct unwind_memory *memory)
{
	int ret = extents__init(&room->rows, memory->n_rows, UNWIND_SHARD_ROWS);

	room->memory = *memory;
	return ret ? ret : extents__init(&room->pages, memory->n_pages, 0);
}

void unwind_room__free(struct unwind_room *room)
{
	extents__free(&room->rows);
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
	struct extent *last = p->rows.len ? &p->rows.data[p->rows.len - 1] : NULL;

	if (!extents__take(&room->rows, n, first))
		return false;
	/* Runs that follow each other are one, as long as they can be given back as one. */
	if (last && last->first + last->n == *first && *first % UNWIND_SHARD_ROWS) {
		last->n += n;
		return true;
	}
	last = vec_push(&p->rows);
	if (!last) {
		extents__give(&room->rows, *first, n);
		return false;
	}
	*last = (struct extent){*first, n};
	return true;
}

static void give_rows(struct unwind_room *room, struct unwind_placement *p)
{
	struct extent *run;

	vec_for_each (&p->rows, run)
		extents__give(&room->rows, run->first, run->n);
	vec_free(&p->rows);
}

/* In one store: the kernel side may be reading the page. */
static void set_page(struct unwind_page *page, uint32_t first, uint32_t rows)
{
	typedef uint64_t __attribute__((may_alias)) word;
	const struct unwind_page value = {first, rows};

	__atomic_store_n((word *)page, *(const word *)&value, __ATOMIC_RELEASE);
}

static bool is_sound(const struct unwind_table *t)
{
	for (size_t i = 0; i < t->n_pages; i++) {
		if (t->pages[i].rows > t->n_rows ||
		    t->pages[i].first > t->n_rows - t->pages[i].rows)
			return false;
	}
	return true;
}

bool unwind_room__take_rows(struct unwind_room *room, struct unwind_placement *p,
			    const struct unwind_table *t)
{
	bool placed = p->n_pages == t->n_pages && t->n_rows <= room->rows.left && is_sound(t);
	uint32_t *first = placed ? calloc(t->n_pages + 1, sizeof(*first)) : NULL;

	placed &= first != NULL;
	for (size_t i = 0; placed && i < t->n_pages; i++) {
		uint32_t n = t->pages[i].rows;

		placed = !n || take_run(room, p, n, &first[i]);
		if (placed && n)
			memcpy(&room->memory.rows[first[i]], &t->rows[t->pages[i].first],
			       n * sizeof(struct unwind_row));
	}
	if (!placed)
		give_rows(room, p); /* nobody has seen them */
	for (size_t i = 0; placed && i < t->n_pages; i++)
		set_page(&room->memory.pages[p->first_page + i], first[i], t->pages[i].rows);
	free(first);
	return placed;
}

void unwind_room__give(struct unwind_room *room, struct unwind_placement *p)
{
	give_rows(room, p);
	if (p->n_pages)
		extents__give(&room->pages, p->first_page, p->n_pages);
	p->n_pages = 0;
}
