// SPDX-License-Identifier: BSD-2-Clause
/*
 * threads_alloc [THREADS=8] [OPERATIONS=50000]
 *
 * On SIGUSR1 each thread does OPERATIONS random mallocs and frees of 16 to 4111 bytes. One
 * operation in eight swaps a block with a slot shared by all threads, so blocks are freed by
 * other threads than allocated them. Each thread counts what it does; the truth is the sum. All
 * threads exist before "ready" and stay until the end, so pthread's own allocations are not in
 * the measured phase.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "common.h"

#define SLOTS	     256
#define SHARED_SLOTS 64
#define THREADS_MAX  64

struct worker {
	pthread_t thread;
	uint64_t seed;
	struct tally books;
	size_t *slots[SLOTS];
};

static struct worker workers[THREADS_MAX];
static _Atomic(size_t *) shared[SHARED_SLOTS];
static pthread_barrier_t go, done;
static long operations;

/* A block begins with its own size. */
static size_t *block_new(struct worker *w)
{
	size_t size = 16 + next_random(&w->seed) % 4096;
	size_t *block = opaque(malloc(size));

	*block = size;
	tally_alloc(&w->books, size);
	return block;
}

static void block_free(struct worker *w, size_t *block)
{
	tally_free(&w->books, *block);
	free(block);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&go);
	for (long i = 0; i < operations; i++) {
		uint64_t r = next_random(&w->seed);
		size_t **slot = &w->slots[r % SLOTS];

		if (*slot && (r >> 32) % 8 == 0) {
			*slot = atomic_exchange(&shared[(r >> 40) % SHARED_SLOTS], *slot);
		} else if (*slot) {
			block_free(w, *slot);
			*slot = NULL;
		} else {
			*slot = block_new(w);
		}
	}
	pthread_barrier_wait(&done);
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = number_arg(argc, argv, 1, 8);
	struct tally sum = {0};

	operations = number_arg(argc, argv, 2, 50000);
	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	target_start();
	pthread_barrier_init(&go, NULL, threads + 1);
	pthread_barrier_init(&done, NULL, threads + 1);
	for (long i = 0; i < threads; i++) {
		workers[i].seed = 0x9e3779b97f4a7c15ULL * (i + 1);
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 1;
	}
	target_ready();
	target_wait_go();
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&done);
	for (long i = 0; i < threads; i++) {
		struct tally *t = &workers[i].books;

		sum.allocs += t->allocs;
		sum.frees += t->frees;
		sum.alloc_bytes += t->alloc_bytes;
		sum.freed_bytes += t->freed_bytes;
	}
	target_truth("{\"threads\":%ld," TALLY_FORMAT "}", threads, TALLY_VALUES(&sum));
	target_idle();
}
