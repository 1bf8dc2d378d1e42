// SPDX-License-Identifier: BSD-2-Clause
#include "base/nearest.h"

#include <string.h>

void nearest__init(struct nearest *n, const char *wanted)
{
	size_t len = 0;

	memset(n, 0, sizeof(*n));
	for (; *wanted && len < NEAREST_MAX; wanted++) {
		if (*wanted != '*' && *wanted != '?')
			n->wanted[len++] = *wanted;
	}
	n->distance = len / 3 + 1;
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Optimal string alignment distance, row by row; stops when a row has no value below `limit`. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len, size_t limit)
{
	size_t rows[3][NEAREST_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *spare = before, smallest;

		now[0] = smallest = i;
		for (size_t j = 1; j <= b_len; j++) {
			now[j] = least(last[j] + 1, now[j - 1] + 1,
				       last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1, now[j]);
			if (now[j] < smallest)
				smallest = now[j];
		}
		if (smallest >= limit)
			return limit;
		before = last;
		last = now;
		now = spare;
	}
	return last[b_len];
}

void nearest__offer(struct nearest *n, const char *candidate)
{
	size_t wanted = strlen(n->wanted), len = strnlen(candidate, NEAREST_MAX), d;

	if (!wanted || len + n->distance <= wanted || wanted + n->distance <= len)
		return;
	d = distance(n->wanted, wanted, candidate, len, n->distance);
	if (d >= n->distance)
		return;
	n->distance = d;
	memcpy(n->best, candidate, len);
	n->best[len] = '\0';
}
