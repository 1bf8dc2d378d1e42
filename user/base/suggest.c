// SPDX-License-Identifier: BSD-2-Clause
#include "base/suggest.h"

#include <limits.h>
#include <string.h>

#define NAME_MAX_BYTES 255

/* Levenshtein's distance, one row of the table at a time; UINT_MAX for names too long. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[NAME_MAX_BYTES + 1];
	size_t len_a = strlen(a), len_b = strlen(b);

	if (len_a > NAME_MAX_BYTES || len_b > NAME_MAX_BYTES)
		return UINT_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= len_a; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= len_b; j++) {
			unsigned int best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[len_b];
}

const char *suggest(const char *wanted, char *const *names, size_t n)
{
	unsigned int best = (unsigned int)strlen(wanted) / 3 + 1; /* must be less */
	const char *found = NULL, *containing = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned int d = distance(wanted, names[i]);

		if (d < best) {
			best = d;
			found = names[i];
		}
		if (!containing && strlen(wanted) >= 3 && strstr(names[i], wanted))
			containing = names[i];
	}
	return found ? found : containing;
}
