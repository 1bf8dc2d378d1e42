// SPDX-License-Identifier: BSD-2-Clause
#include "model/histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Row 0 holds 0..31 one by one; row r > 0 holds the values whose highest bit is r + 4, cut into
 * 32 buckets of 2^(r-1).
 */
static unsigned row_of(uint64_t value)
{
	if (value < HISTOGRAM_SUB)
		return 0;
	return 63 - __builtin_clzll(value) - HISTOGRAM_SUB_BITS + 1;
}

static unsigned column_of(unsigned row, uint64_t value)
{
	return row ? (value >> (row - 1)) & (HISTOGRAM_SUB - 1) : value;
}

static uint64_t middle_of(unsigned row, unsigned column)
{
	if (!row)
		return column;
	return ((uint64_t)(HISTOGRAM_SUB + column) << (row - 1)) + ((1ull << (row - 1)) >> 1);
}

int histogram__add(struct histogram *h, uint64_t value)
{
	unsigned row = row_of(value);

	if (!h->rows[row])
		h->rows[row] = calloc(HISTOGRAM_SUB, sizeof(uint64_t));
	if (!h->rows[row])
		return -ENOMEM;
	h->rows[row][column_of(row, value)]++;
	h->count++;
	return 0;
}

uint64_t histogram__percentile(const struct histogram *h, double quantile)
{
	double exact = quantile * (double)h->count;
	uint64_t rank = (uint64_t)exact, seen = 0, last = 0;

	if ((double)rank < exact || !rank)
		rank++;
	for (unsigned row = 0; row < HISTOGRAM_ROWS; row++) {
		for (unsigned column = 0; h->rows[row] && column < HISTOGRAM_SUB; column++) {
			if (!h->rows[row][column])
				continue;
			last = middle_of(row, column);
			seen += h->rows[row][column];
			if (seen >= rank)
				return last;
		}
	}
	return last;
}

void histogram__free(struct histogram *h)
{
	for (unsigned row = 0; row < HISTOGRAM_ROWS; row++)
		free(h->rows[row]);
	memset(h, 0, sizeof(*h));
}
