// SPDX-License-Identifier: BSD-2-Clause
#include "stack/extents.h"

#include <errno.h>
#include <string.h>

int extents__init(struct extents *e, uint32_t n, uint32_t boundary)
{
	uint32_t step = boundary ? boundary : n;

	e->boundary = boundary;
	e->left = 0;
	for (uint32_t at = 0; at < n; at += step) {
		struct extent *slot = vec_push(&e->free);

		if (!slot)
			return -ENOMEM;
		*slot = (struct extent){at, n - at < step ? n - at : step};
		e->left += slot->n;
		if (n - at <= step) /* at + step may wrap */
			break;
	}
	return 0;
}

void extents__free(struct extents *e)
{
	vec_free(&e->free);
	e->left = 0;
}

static void remove_at(struct extents *e, size_t i)
{
	e->free.len--;
	memmove(&e->free.data[i], &e->free.data[i + 1], (e->free.len - i) * sizeof(*e->free.data));
}

bool extents__take(struct extents *e, uint32_t n, uint32_t *first)
{
	for (size_t i = 0; i < e->free.len; i++) {
		struct extent *gap = &e->free.data[i];

		if (gap->n < n)
			continue;
		*first = gap->first;
		gap->first += n;
		gap->n -= n;
		e->left -= n;
		if (!gap->n)
			remove_at(e, i);
		return true;
	}
	return false;
}

/* The first gap that begins behind `place`. */
static size_t find_gap(const struct extents *e, uint32_t place)
{
	size_t low = 0, high = e->free.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (e->free.data[mid].first <= place)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool can_join(const struct extents *e, const struct extent *left, uint32_t right)
{
	return left->first + left->n == right && !(e->boundary && right % e->boundary == 0);
}

void extents__give(struct extents *e, uint32_t first, uint32_t n)
{
	size_t i = find_gap(e, first);
	bool before = i && can_join(e, &e->free.data[i - 1], first);
	struct extent run = {first, n};
	bool behind = i < e->free.len && can_join(e, &run, e->free.data[i].first);

	if (before && behind) {
		e->free.data[i - 1].n += n + e->free.data[i].n;
		remove_at(e, i);
	} else if (before) {
		e->free.data[i - 1].n += n;
	} else if (behind) {
		e->free.data[i].first = first;
		e->free.data[i].n += n;
	} else {
		if (!vec_push(&e->free))
			return;
		memmove(&e->free.data[i + 1], &e->free.data[i],
			(e->free.len - 1 - i) * sizeof(*e->free.data));
		e->free.data[i] = run;
	}
	e->left += n;
}
