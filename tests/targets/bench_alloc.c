// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench_alloc [ROUNDS=0] [SIZE=64] [BLOCKS=0]
 *
 * malloc(SIZE) and free in a hot loop, for ROUNDS rounds of 200 ms (0 = until killed). With BLOCKS,
 * that many blocks of 1 to 2 x SIZE bytes are alive at any time and the one freed is any of them.
 * One line "pair_ns X" per round: nanoseconds per malloc and free. SIGTERM ends it.
 */
#include "bench.h"

static size_t size;
static void **blocks;
static size_t n_blocks;
static uint64_t state = 88172645463325252ULL;

static void hot_batch(void)
{
	for (int i = 0; i < BENCH_BATCH; i++)
		free(opaque(malloc(size)));
}

static void random_batch(void)
{
	for (int i = 0; i < BENCH_BATCH; i++) {
		uint64_t random = next_random(&state);
		void **block = &blocks[(random >> 32) * n_blocks >> 32];
		void *fresh = opaque(malloc(1 + (random & 0xffff) % (2 * size)));

		free(*block);
		*block = fresh;
	}
}

int main(int argc, char **argv)
{
	size = number_arg(argc, argv, 2, 64);
	n_blocks = number_arg(argc, argv, 3, 0);
	if (n_blocks) {
		blocks = calloc(n_blocks, sizeof(*blocks));
		for (size_t i = 0; blocks && i < n_blocks; i++)
			blocks[i] = opaque(malloc(size));
	}
	target_ready();
	bench(number_arg(argc, argv, 1, 0), blocks ? random_batch : hot_batch);
	return 0;
}
