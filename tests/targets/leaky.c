// SPDX-License-Identifier: BSD-2-Clause
/*
 * leaky [START_DELAY_MS]
 *
 * On SIGUSR1 (or by itself after START_DELAY_MS) runs 1000 rounds in about 1.5 s. In each,
 * leak_here() loses one block of 1234 bytes, always at the same call site, and churn() calls
 * every function of the malloc family and frees all it got. Truth: 1000 live blocks, 1 234 000
 * live bytes, all of leak_here(); per round 11 allocations and 11 frees in churn().
 */
#include <malloc.h>

#include "common.h"

#define ROUNDS	   1000
#define LEAK_BYTES 1234

static struct tally books;
static struct {
	long malloc, calloc, realloc, reallocarray, posix_memalign, aligned_alloc, memalign, valloc,
		pvalloc, strdup, free;
} calls;

NOINLINE void leak_here(void);
NOINLINE void churn(void);

NOINLINE void leak_here(void)
{
	char *block = opaque(malloc(LEAK_BYTES));

	memset(block, 0x5a, LEAK_BYTES);
	calls.malloc++;
	tally_alloc(&books, LEAK_BYTES);
}

static void *got(void *block, long bytes, long *call)
{
	++*call;
	tally_alloc(&books, bytes);
	return opaque(block);
}

static void gone(void *block, long bytes)
{
	free(opaque(block));
	calls.free++;
	tally_free(&books, bytes);
}

NOINLINE void churn(void)
{
	void *p, *q = NULL;

	gone(got(malloc(100), 100, &calls.malloc), 100);
	gone(got(calloc(10, 20), 200, &calls.calloc), 200);

	p = got(realloc(opaque(NULL), 50), 50, &calls.realloc);
	p = got(realloc(p, 5000), 5000, &calls.realloc);
	tally_free(&books, 50);
	p = got(reallocarray(p, 30, 40), 1200, &calls.reallocarray);
	tally_free(&books, 5000);
	gone(p, 1200);

	if (posix_memalign(&q, 64, 256))
		abort();
	gone(got(q, 256, &calls.posix_memalign), 256);
	gone(got(aligned_alloc(64, 128), 128, &calls.aligned_alloc), 128);
	gone(got(memalign(32, 77), 77, &calls.memalign), 77);
	gone(got(valloc(300), 300, &calls.valloc), 300);
	gone(got(pvalloc(500), 500, &calls.pvalloc), 500);
	gone(got(strdup("sixteen letters."), 17, &calls.strdup), 17);
}

int main(int argc, char **argv)
{
	long delay = number_arg(argc, argv, 1, -1);

	target_start();
	target_ready();
	if (target_wait(SIGUSR1, SIGTERM, delay) == SIGTERM)
		return 0;
	for (int i = 0; i < ROUNDS; i++) {
		leak_here();
		churn();
		sleep_ns(1400000);
	}
	target_truth(
		"{\"function\":\"leak_here\",\"leaked_blocks\":%d,\"leaked_bytes\":%d," TALLY_FORMAT
		",\"calls\":{\"malloc\":%ld,\"calloc\":%ld,\"realloc\":%ld,"
		"\"reallocarray\":%ld,\"posix_memalign\":%ld,\"aligned_alloc\":%ld,"
		"\"memalign\":%ld,\"valloc\":%ld,\"pvalloc\":%ld,\"strdup\":%ld,"
		"\"free\":%ld}}",
		ROUNDS, ROUNDS * LEAK_BYTES, TALLY_VALUES(&books), calls.malloc, calls.calloc,
		calls.realloc, calls.reallocarray, calls.posix_memalign, calls.aligned_alloc,
		calls.memalign, calls.valloc, calls.pvalloc, calls.strdup, calls.free);
	target_idle();
}
