/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts of 64-bit values in log-linear buckets: 32 per power of two, so a bucket is at most 1/32
 * of its values wide and a percentile is off by at most half of that (1.6 %). The idea is
 * HdrHistogram's (hdrhistogram.org). A power of two costs memory only once a value fell into it.
 */
#ifndef PERFTRACE_MODEL_HISTOGRAM_H
#define PERFTRACE_MODEL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_SUB	   (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_ROWS	   (64 - HISTOGRAM_SUB_BITS + 1)

/* Zero-initialise; histogram__free() when done. */
struct histogram {
	uint64_t count;
	uint64_t *rows[HISTOGRAM_ROWS]; /* HISTOGRAM_SUB counts each, NULL = all zero */
};

/* 0 or -ENOMEM (the value is not counted then). */
int histogram__add(struct histogram *h, uint64_t value);
/*
 * The value that `quantile` (0..1) of all values do not exceed, as the middle of its bucket.
 * 0 when nothing was added.
 */
uint64_t histogram__percentile(const struct histogram *h, double quantile);
void histogram__free(struct histogram *h);

#endif
