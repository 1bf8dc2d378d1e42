// SPDX-License-Identifier: BSD-2-Clause
#include "session/layout_change.h"

#include <errno.h>
#include <string.h>

#define PAST_MAX 1024

/* Code that is made at run time may lie in a file that has no name. */
static bool is_made(const struct mapping *m)
{
	return !m->inode || !strncmp(m->path, "/memfd:", 7);
}

int code_list__take(struct code_list *list, const struct maps *maps)
{
	const struct mapping *m;

	vec_for_each (&maps->list, m) {
		struct code_range *range = m->executable ? vec_push(&list->now) : NULL;

		if (!m->executable)
			continue;
		if (!range)
			return -ENOMEM;
		*range = (struct code_range){
			.start = m->start,
			.end = m->end,
			.file_offset = m->file_offset,
		};
		if (is_made(m))
			continue;
		range->dev_major = m->dev_major;
		range->dev_minor = m->dev_minor;
		range->inode = m->inode;
	}
	return 0;
}

void code_list__free(struct code_list *list)
{
	vec_free(&list->now);
	vec_free(&list->past);
}

/* The first range of `list` that ends behind `address`; its number of ranges if there is none. */
static size_t find_behind(const struct code_list *list, uint64_t address)
{
	size_t low = 0, high = list->now.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list->now.data[mid].end <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The same bytes of the same file. */
static bool continues(const struct code_range *a, const struct code_range *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor &&
	       (!a->inode || a->start - a->file_offset == b->start - b->file_offset);
}

/* All of `range` is still there, perhaps in several pieces or as a part of something larger. */
static bool is_covered(const struct code_list *list, const struct code_range *range)
{
	uint64_t at = range->start;

	for (size_t i = find_behind(list, at); i < list->now.len && at < range->end; i++) {
		const struct code_range *m = &list->now.data[i];

		if (m->start > at || !continues(m, range))
			return false;
		at = m->end;
	}
	return at >= range->end;
}

/* Something else lies where `range` does, or a part of it. */
static bool is_overlaid(const struct code_list *list, const struct code_range *range)
{
	for (size_t i = find_behind(list, range->start); i < list->now.len; i++) {
		const struct code_range *m = &list->now.data[i];

		if (m->start >= range->end)
			return false;
		if (!continues(m, range))
			return true;
	}
	return false;
}

static bool is_same(const struct code_list *a, const struct code_list *b)
{
	return a->now.len == b->now.len &&
	       (!a->now.len ||
		!memcmp(a->now.data, b->now.data, a->now.len * sizeof(*a->now.data)));
}

enum code_change code_list__compare(const struct code_list *was, const struct code_list *is)
{
	const struct code_range *range;

	if (is_same(was, is))
		return CODE_SAME;
	vec_for_each (&was->now, range) {
		if (range->inode ? !is_covered(is, range) : is_overlaid(is, range))
			return CODE_REPLACED;
	}
	vec_for_each (&was->past, range) {
		if (is_overlaid(is, range))
			return CODE_REPLACED;
	}
	return CODE_ADDED;
}

static void add_past(struct code_list *list, const struct code_range *range)
{
	struct code_range *slot;

	if (list->past.len >= PAST_MAX) {
		list->past.len /= 2; /* the oldest half goes */
		memmove(list->past.data, list->past.data + list->past.len,
			list->past.len * sizeof(*list->past.data));
	}
	slot = vec_push(&list->past);
	if (slot) /* else it is forgotten, no more */
		*slot = *range;
}

void code_list__replace(struct code_list *was, struct code_list *is)
{
	const struct code_range *range;

	memcpy(&is->past, &was->past, sizeof(is->past));
	vec_for_each (&was->now, range) {
		if (!range->inode && !is_covered(is, range))
			add_past(is, range);
	}
	vec_free(&was->now);
	*was = *is;
}
