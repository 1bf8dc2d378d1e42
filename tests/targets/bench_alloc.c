// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench_alloc [ROUNDS=0] [SIZE=64]
 *
 * malloc(SIZE) and free in a hot loop, for ROUNDS rounds of 200 ms (0 = until killed). One line
 * "pair_ns X" per round: nanoseconds per malloc and free. SIGTERM ends it.
 */
#include "bench.h"

static size_t size;

static void batch(void)
{
	for (int i = 0; i < BENCH_BATCH; i++)
		free(opaque(malloc(size)));
}

int main(int argc, char **argv)
{
	size = number_arg(argc, argv, 2, 64);
	target_ready();
	bench(number_arg(argc, argv, 1, 0), batch);
	return 0;
}
