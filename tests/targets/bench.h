/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounds of a hot loop: each takes 200 ms and prints one line, "pair_ns X". */
#ifndef PERFTRACE_TARGETS_BENCH_H
#define PERFTRACE_TARGETS_BENCH_H

#include "common.h"

#define BENCH_ROUND_NS 200000000ULL
/* Between two looks at the clock; traced pairs of 20 us make that 5 ms. */
#define BENCH_BATCH 256

/* Calls `batch` (BENCH_BATCH pairs) over and over; 0 rounds = until killed. */
HELPER void bench(long rounds, void (*batch)(void))
{
	for (long i = 0; rounds == 0 || i < rounds; i++) {
		uint64_t start = now_ns(), end = start, pairs = 0;

		while (end - start < BENCH_ROUND_NS) {
			batch();
			pairs += BENCH_BATCH;
			end = now_ns();
		}
		printf("pair_ns %.2f\n", (double)(end - start) / pairs);
		fflush(stdout);
	}
}

#endif
