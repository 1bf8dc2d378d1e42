// SPDX-License-Identifier: BSD-2-Clause
#include "stack/perf_map_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "stack/perf_map.h"

struct entry {
	uint64_t start, end;
	uint32_t name;
	uint32_t age; /* 0 = last line of the file */
};

/* One hex number and the space behind it; NULL if that is not what is there. */
static char *take_hex(char *at, uint64_t *value)
{
	char *begin = at;

	*value = 0;
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
		begin = at += 2;
	for (;; at++) {
		unsigned int digit;

		if (*at >= '0' && *at <= '9')
			digit = (unsigned int)(*at - '0');
		else if ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'f')
			digit = (unsigned int)((*at | 0x20) - 'a' + 10);
		else
			break;
		*value = *value << 4 | digit;
	}
	return at > begin && at - begin <= 16 && *at == ' ' ? at + 1 : NULL;
}

/* `line` ends at `end`, which holds a NUL. */
static bool parse_line(char *text, char *line, char *end, struct entry *out)
{
	uint64_t size;
	char *at;

	if (end > line && end[-1] == '\r')
		*--end = '\0';
	/* With a NUL inside it is no text. */
	if (memchr(line, '\0', (size_t)(end - line)))
		return false;
	at = take_hex(line, &out->start);
	if (!at)
		return false;
	at = take_hex(at, &size);
	if (!at || !*at || !size || out->start + size < out->start)
		return false;
	if (end - at > PERF_MAP_NAME_MAX)
		at[PERF_MAP_NAME_MAX] = '\0';
	out->end = out->start + size;
	out->name = (uint32_t)(at - text);
	return true;
}

static struct entry *grow(struct entry *list, size_t *capacity)
{
	*capacity = *capacity ? *capacity * 2 : 256;
	return realloc(list, *capacity * sizeof(*list));
}

static char *line_begin(char *text, char *end)
{
	while (end > text && end[-1] != '\n')
		end--;
	return end;
}

/*
 * From the end to the beginning, so that the newest lines are the ones that fit. The last one may
 * still be being written: a line counts when it has its newline.
 */
static int parse(char *text, size_t len, struct entry **out, size_t *count)
{
	size_t n = 0, capacity = 0;
	struct entry *list = NULL, *more;
	/* Behind the last newline, and then behind the one before the line. */
	char *end = line_begin(text, text + len);

	while (end > text && n < PERF_MAP_ENTRIES_MAX) {
		char *newline = end - 1, *line = line_begin(text, newline);

		if (n == capacity) {
			more = grow(list, &capacity);
			if (!more) {
				free(list);
				return -ENOMEM;
			}
			list = more;
		}
		*newline = '\0';
		if (parse_line(text, line, newline, &list[n])) {
			list[n].age = (uint32_t)n;
			n++;
		}
		end = line;
	}
	*out = list;
	*count = n;
	return 0;
}

static int by_start(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->age < b->age ? -1 : a->age > b->age;
}

/* A heap of entries that cover the place where the sweep is, the youngest on top. */
struct sweep {
	const struct entry **heap;
	size_t n;
};

static void heap_push(struct sweep *s, const struct entry *e)
{
	size_t i = s->n++;

	for (; i && s->heap[(i - 1) / 2]->age > e->age; i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = e;
}

static void heap_pop(struct sweep *s)
{
	const struct entry *last = s->heap[--s->n];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= s->n)
			break;
		if (child + 1 < s->n && s->heap[child + 1]->age < s->heap[child]->age)
			child++;
		if (last->age <= s->heap[child]->age)
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
}

/* Walks over all starts and ends; each stretch between two of them belongs to the youngest. */
static size_t cut(const struct entry *list, size_t n, struct sweep *s, struct perf_map_piece *out)
{
	size_t i = 0, pieces = 0;
	uint64_t at = 0;

	while (i < n || s->n) {
		const struct entry *top;
		uint64_t next;

		if (!s->n && list[i].start > at)
			at = list[i].start;
		while (i < n && list[i].start <= at)
			heap_push(s, &list[i++]);
		while (s->n && s->heap[0]->end <= at)
			heap_pop(s);
		if (!s->n)
			continue;
		top = s->heap[0];
		next = i < n && list[i].start < top->end ? list[i].start : top->end;
		if (pieces && out[pieces - 1].end == at && out[pieces - 1].name == top->name)
			out[pieces - 1].end = next;
		else
			out[pieces++] = (struct perf_map_piece){at, next, top->start, top->name};
		at = next;
	}
	return pieces;
}

int perf_map_text__index(char *text, size_t len, struct perf_map_pieces *out)
{
	struct sweep sweep = {0};
	struct entry *list = NULL;
	size_t n = 0;
	int ret = parse(text, len, &list, &n);

	*out = (struct perf_map_pieces){0};
	if (!ret && n) {
		qsort(list, n, sizeof(*list), by_start);
		sweep.heap = malloc(n * sizeof(*sweep.heap));
		/* n starts and n ends make at most 2n stretches. */
		out->list = malloc(2 * n * sizeof(*out->list));
		if (sweep.heap && out->list) {
			out->count = cut(list, n, &sweep, out->list);
		} else {
			free(out->list);
			out->list = NULL;
			ret = -ENOMEM;
		}
	}
	free(sweep.heap);
	free(list);
	return ret;
}
