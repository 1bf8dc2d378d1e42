// SPDX-License-Identifier: BSD-2-Clause
/*
 * told
 *
 * An arena without a malloc: it hands out blocks in order, and tells of every fourth one by
 * otel_memory:alloc(block, size, weight), with the bytes of all four as the weight, and of the ends
 * of those by otel_memory:free(block). On SIGUSR1 400 blocks of 100 bytes by keeper(), all kept, and
 * 800 of 50 bytes by user(), each given back; malloc is called 10 times besides.
 */
#include "common.h"
#include "usdt.h"

#define SAMPLE	  4
#define KEPT	  400
#define KEPT_SIZE 100
#define USED	  800
#define USED_SIZE 50
#define MALLOCS	  10

USDT_SEMAPHORE(otel_memory_alloc_semaphore);

static struct tally samples;
static char arena[1 << 20];
static size_t next;
static long calls;

NOINLINE long counted(void);
NOINLINE void *take(long size);
NOINLINE void give(void *block, long size, int sampled);
NOINLINE void keeper(void);
NOINLINE void user(void);

/* A call, so that take() has a frame. */
long counted(void)
{
	return ++calls;
}

void *take(long size)
{
	void *block = arena + next;

	next += size;
	if (counted() % SAMPLE == 0) {
		unsigned long weight = (unsigned long)size * SAMPLE;

		USDT3("otel_memory", "alloc", "otel_memory_alloc_semaphore", block,
		      (unsigned long)size, weight);
		tally_alloc(&samples, (long)weight);
	}
	return block;
}

void give(void *block, long size, int sampled)
{
	if (!sampled)
		return;
	USDT1("otel_memory", "free", "0", block);
	tally_free(&samples, size * SAMPLE);
}

void keeper(void)
{
	for (int i = 0; i < KEPT; i++)
		opaque(take(KEPT_SIZE));
}

void user(void)
{
	for (int i = 0; i < USED; i++) {
		void *block = take(USED_SIZE);

		give(block, USED_SIZE, calls % SAMPLE == 0);
	}
}

int main(void)
{
	target_start();
	target_ready();
	if (target_wait(SIGUSR1, SIGTERM, -1) == SIGTERM)
		return 0;
	keeper();
	user();
	for (int i = 0; i < MALLOCS; i++) {
		void *block = opaque(malloc(1000));

		tally_alloc(&samples, 1000);
		free(block);
		tally_free(&samples, 1000);
	}
	target_truth("{\"semaphore\":%d," TALLY_FORMAT "}", otel_memory_alloc_semaphore,
		     TALLY_VALUES(&samples));
	target_idle();
}
