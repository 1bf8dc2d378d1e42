/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statistics per span name. A span left without its end probe (unwound) lasted until its frame
 * was left, so it counts among the durations; one that never ended (unfinished) has no duration
 * and is only counted.
 */
#ifndef PERFTRACE_MODEL_SPAN_STATS_H
#define PERFTRACE_MODEL_SPAN_STATS_H

#include <stddef.h>

#include "model/histogram.h"
#include "model/span.h"

struct span_stat {
	const char *name;    /* interned, not owned */
	uint64_t count;	     /* ended spans, unwound ones included */
	uint64_t unwound;    /* of `count` */
	uint64_t unfinished; /* not in `count` */
	uint64_t total_ns, self_ns;
	uint64_t min_ns, max_ns; /* 0 while count is 0 */
	struct histogram durations;
};

struct span_stats;

/* NULL when out of memory. */
struct span_stats *span_stats__new(void);
void span_stats__free(struct span_stats *stats);

/*
 * Books one span; an open one is ignored (it comes again when it ends). 0 or -ENOMEM: then the
 * span is missing from the table, and span_stats__missed() says how many are.
 */
int span_stats__add(struct span_stats *stats, const struct span *span);

size_t span_stats__count(const struct span_stats *stats);
uint64_t span_stats__missed(const struct span_stats *stats);

/*
 * All names, largest total first (ties by name). The array is the caller's to free(), its
 * elements belong to `stats` and change with the next add. NULL when empty or out of memory.
 */
const struct span_stat **span_stats__by_total(const struct span_stats *stats, size_t *count);

/* Mean duration in nanoseconds, rounded down; 0 when nothing ended. */
uint64_t span_stat__average_ns(const struct span_stat *stat);
/* `quantile` 0..1. At most 1.6 % off and never outside [min_ns, max_ns]; 0 when nothing ended. */
uint64_t span_stat__percentile_ns(const struct span_stat *stat, double quantile);

#endif
