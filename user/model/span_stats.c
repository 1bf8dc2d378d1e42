// SPDX-License-Identifier: BSD-2-Clause
#include "model/span_stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct entry {
	struct span_stat stat; /* first: stat.name is the key */
	UT_hash_handle hh;
};

struct span_stats {
	struct entry *table;
	uint64_t missed;
};

struct span_stats *span_stats__new(void)
{
	return calloc(1, sizeof(struct span_stats));
}

void span_stats__free(struct span_stats *stats)
{
	struct entry *entry, *next;

	if (!stats)
		return;
	HASH_ITER(hh, stats->table, entry, next) {
		HASH_DEL(stats->table, entry);
		histogram__free(&entry->stat.durations);
		free(entry);
	}
	free(stats);
}

static struct entry *entry_of(struct span_stats *stats, const char *name)
{
	struct entry *entry;

	HASH_FIND_PTR(stats->table, &name, entry);
	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->stat.name = name;
	HASH_ADD_PTR(stats->table, stat.name, entry);
	if (!entry->hh.tbl) {
		free(entry);
		return NULL;
	}
	return entry;
}

static int add_duration(struct span_stat *stat, const struct span *span)
{
	uint64_t duration = span_duration_ns(span);
	int err = histogram__add(&stat->durations, duration);

	if (err)
		return err;
	if (!stat->count || duration < stat->min_ns)
		stat->min_ns = duration;
	if (duration > stat->max_ns)
		stat->max_ns = duration;
	stat->count++;
	stat->unwound += span->status == SPAN_WAS_UNWOUND;
	stat->total_ns += duration;
	stat->self_ns += span_self_ns(span);
	return 0;
}

int span_stats__add(struct span_stats *stats, const struct span *span)
{
	struct entry *entry;
	int err = 0;

	if (span->status == SPAN_OPEN)
		return 0;
	entry = entry_of(stats, span->name);
	if (!entry)
		err = -ENOMEM;
	else if (span->status == SPAN_UNFINISHED)
		entry->stat.unfinished++;
	else
		err = add_duration(&entry->stat, span);
	if (err)
		stats->missed++;
	return err;
}

size_t span_stats__count(const struct span_stats *stats)
{
	return HASH_COUNT(stats->table);
}

uint64_t span_stats__missed(const struct span_stats *stats)
{
	return stats->missed;
}

static int larger_total_first(const void *a, const void *b)
{
	const struct span_stat *x = *(const struct span_stat *const *)a;
	const struct span_stat *y = *(const struct span_stat *const *)b;

	if (x->total_ns != y->total_ns)
		return x->total_ns < y->total_ns ? 1 : -1;
	return strcmp(x->name, y->name);
}

const struct span_stat **span_stats__by_total(const struct span_stats *stats, size_t *count)
{
	const struct span_stat **list;
	struct entry *entry;
	size_t n = 0;

	*count = 0;
	if (!span_stats__count(stats))
		return NULL;
	list = calloc(span_stats__count(stats), sizeof(*list));
	if (!list)
		return NULL;
	for (entry = stats->table; entry; entry = entry->hh.next)
		list[n++] = &entry->stat;
	qsort(list, n, sizeof(*list), larger_total_first);
	*count = n;
	return list;
}

uint64_t span_stat__average_ns(const struct span_stat *stat)
{
	return stat->count ? stat->total_ns / stat->count : 0;
}

uint64_t span_stat__percentile_ns(const struct span_stat *stat, double quantile)
{
	uint64_t value;

	if (!stat->count)
		return 0;
	/* The last one is known exactly; its bucket's middle would say less than the maximum. */
	if (quantile * (double)stat->count > (double)(stat->count - 1))
		return stat->max_ns;
	value = histogram__percentile(&stat->durations, quantile);
	if (value < stat->min_ns)
		return stat->min_ns;
	return value > stat->max_ns ? stat->max_ns : value;
}
