// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_family
 *
 * On SIGUSR1 calls what every malloc has (glibc, musl, jemalloc, tcmalloc, mimalloc), ROUNDS
 * times, and frees all but the KEPT blocks of keep_here(). Nothing here depends on whose malloc it
 * is: no pvalloc, no realloc to nothing. Built in several ways, see targets.mk.
 */
#include <malloc.h>

#include "common.h"

#define ROUNDS 200
#define KEPT   100
#define OLD    10

static struct tally books;
static void *old_blocks[OLD];
static volatile size_t absurd = SIZE_MAX / 2 - 4096, bad_alignment = 3, zero;

NOINLINE void keep_here(void);
NOINLINE void round_of_calls(void);
NOINLINE void failures(void);

static void *got(void *block, long bytes)
{
	if (!block)
		abort();
	tally_alloc(&books, bytes);
	return opaque(block);
}

static void gone(void *block, long bytes)
{
	free(opaque(block));
	tally_free(&books, bytes);
}

static void must_fail(void *block)
{
	if (opaque(block))
		abort();
	books.failed++;
}

NOINLINE void keep_here(void)
{
	memset(got(malloc(321), 321), 1, 321);
}

NOINLINE void round_of_calls(void)
{
	void *p, *q = NULL;

	gone(got(malloc(100), 100), 100);
	gone(got(malloc(zero), 0), 0);
	gone(got(malloc(200000), 200000), 200000);
	gone(got(calloc(10, 20), 200), 200);
	p = got(realloc(opaque(NULL), 50), 50);
	for (size_t size = 500; size < 500000; size *= 10) {
		p = got(realloc(p, size), size);
		tally_free(&books, size == 500 ? 50 : (long)size / 10);
	}
	p = got(realloc(p, 60), 60);
	tally_free(&books, 50000);
	p = got(reallocarray(p, 30, 40), 1200);
	tally_free(&books, 60);
	gone(p, 1200);
	if (posix_memalign(&q, 64, 256))
		abort();
	gone(got(q, 256), 256);
	gone(got(aligned_alloc(64, 128), 128), 128);
	gone(got(memalign(4096, 77), 77), 77);
	gone(got(valloc(300), 300), 300);
	gone(got(strdup("sixteen letters."), 17), 17);
	free(opaque(NULL));
}

NOINLINE void failures(void)
{
	void *block = got(malloc(10), 10), *out = NULL;

	must_fail(malloc(absurd));
	must_fail(calloc(absurd, 2));
	must_fail(realloc(opaque(block), absurd));
	must_fail(reallocarray(opaque(block), absurd, 16));
	must_fail(aligned_alloc(64, absurd));
	if (!posix_memalign(&out, bad_alignment, 64))
		abort();
	books.failed++;
	gone(block, 10);
}

int main(void)
{
	target_start();
	for (int i = 0; i < OLD; i++)
		old_blocks[i] = opaque(malloc(64));
	target_ready();
	target_wait_go();
	for (int i = 0; i < KEPT; i++)
		keep_here();
	for (int i = 0; i < ROUNDS; i++)
		round_of_calls();
	failures();
	for (int i = 0; i < OLD; i++) {
		free(opaque(old_blocks[i]));
		books.unknown_frees++;
	}
	target_truth("{\"function\":\"keep_here\",\"kept\":%d," TALLY_FORMAT "}", KEPT,
		     TALLY_VALUES(&books));
	target_idle();
}
