/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean ...?": of many candidates the one most like what was asked for. */
#ifndef PERFTRACE_BASE_NEAREST_H
#define PERFTRACE_BASE_NEAREST_H

#include <stddef.h>

#define NEAREST_MAX 63 /* longer texts are compared by their first bytes */

struct nearest {
	char wanted[NEAREST_MAX + 1], best[NEAREST_MAX + 1]; /* best "" = nothing comes near */
	size_t distance;				     /* edits from `wanted` to `best` */
};

/* Ignores wildcards in `wanted`: "parse_qery*" looks for names like "parse_qery". */
void nearest__init(struct nearest *n, const char *wanted);
/*
 * Offers a candidate. It becomes the best if it needs the fewest edits (insert, delete, replace,
 * swap of neighbours) so far, and not more than a third of its letters.
 */
void nearest__offer(struct nearest *n, const char *candidate);

#endif
