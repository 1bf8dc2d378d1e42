// SPDX-License-Identifier: BSD-2-Clause
#include "model/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SLOPE_SAMPLES_MIN 3
#define SLOPE_SPAN_MIN_NS NSEC_PER_SEC
#define NS_PER_HOUR	  (3600.0 * 1e9)

static const char *const field_names[MEMORY_FIELD_COUNT] = {
	[MEMORY_RSS] = "rss",		[MEMORY_HEAP] = "heap",	    [MEMORY_VIRTUAL] = "virtual",
	[MEMORY_RESIDENT] = "resident", [MEMORY_SHARED] = "shared", [MEMORY_TEXT] = "text",
	[MEMORY_DATA] = "data",		[MEMORY_STACK] = "stack",
};

const char *memory_field_name(enum memory_field field)
{
	return field_names[field];
}

void memory_sample__set(struct memory_sample *sample, enum memory_field field, uint64_t bytes)
{
	sample->bytes[field] = bytes;
	sample->known |= 1u << field;
}

bool memory_sample__get(const struct memory_sample *sample, enum memory_field field,
			uint64_t *bytes)
{
	if (!(sample->known & 1u << field))
		return false;
	*bytes = sample->bytes[field];
	return true;
}

/* Full: half the resolution, the same span. The first sample always stays. */
static void thin_out(struct memory_timeline *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i += 2)
		t->samples[kept++] = t->samples[i];
	t->count = kept;
	t->stride *= 2;
}

void memory_timeline__add(struct memory_timeline *t, const struct memory_sample *sample)
{
	uint64_t rss;

	if (!memory_sample__get(sample, MEMORY_RSS, &rss))
		return;
	if (t->seen && sample->time_ns <= t->last.time_ns)
		return;
	if (!t->stride)
		t->stride = 1;
	if (t->count == MEMORY_SAMPLES_MAX)
		thin_out(t);
	if (t->seen % t->stride == 0)
		t->samples[t->count++] = *sample;
	t->seen++;
	t->last = *sample;
	if (rss > t->peak_bytes)
		t->peak_bytes = rss;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Integer square root by Newton's method; the interval needs no more. */
static uint64_t root(uint64_t n)
{
	uint64_t x = n, y = (n + 1) / 2;

	while (y < x) {
		x = y;
		y = (x + n / x) / 2;
	}
	return x;
}

static double slope_between(const struct memory_sample *a, const struct memory_sample *b)
{
	double rise = (double)b->bytes[MEMORY_RSS] - (double)a->bytes[MEMORY_RSS];

	return rise / (double)(b->time_ns - a->time_ns) * NS_PER_HOUR;
}

/*
 * Sen's interval: of the sorted pair slopes, those c/2 ranks to either side of the middle, where
 * c = 1.96 * sqrt(n(n-1)(2n+5)/18) is the normal approximation of Kendall's statistic.
 */
static void take_slope(struct memory_growth *g, double *slopes, size_t pairs, size_t n)
{
	uint64_t spread = 196 * root(n * (n - 1) * (2 * n + 5) / 18) / 100;
	size_t low = 0, high = pairs - 1;

	qsort(slopes, pairs, sizeof(*slopes), compare_doubles);
	g->slope_known = true;
	g->slope_bytes_per_hour =
		pairs % 2 ? slopes[pairs / 2] : (slopes[pairs / 2 - 1] + slopes[pairs / 2]) / 2;
	if (spread < pairs) {
		low = (pairs - spread) / 2;
		high = (pairs + spread) / 2;
		if (high >= pairs)
			high = pairs - 1;
	}
	g->slope_low = slopes[low];
	g->slope_high = slopes[high];
}

static int find_slope(const struct memory_timeline *t, struct memory_growth *g)
{
	size_t n = t->count, pairs = 0;
	double *slopes;

	if (n < SLOPE_SAMPLES_MIN || g->span_ns < SLOPE_SPAN_MIN_NS)
		return 0;
	slopes = malloc(n * (n - 1) / 2 * sizeof(*slopes));
	if (!slopes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			slopes[pairs++] = slope_between(&t->samples[i], &t->samples[j]);
	take_slope(g, slopes, pairs, n);
	free(slopes);
	return 0;
}

int memory_timeline__growth(const struct memory_timeline *t, struct memory_growth *g)
{
	const struct memory_sample *first = t->samples, *last = &t->last;

	memset(g, 0, sizeof(*g));
	if (!t->seen)
		return 0;
	g->known = true;
	g->start_bytes = first->bytes[MEMORY_RSS];
	g->end_bytes = last->bytes[MEMORY_RSS];
	g->peak_bytes = t->peak_bytes;
	g->growth_bytes = (int64_t)(g->end_bytes - g->start_bytes);
	g->error_bytes = first->error_bytes + last->error_bytes;
	g->span_ns = last->time_ns - first->time_ns;
	return find_slope(t, g);
}
