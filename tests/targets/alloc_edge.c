// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_edge
 *
 * On SIGUSR1 makes every malloc-family call that books are easily wrong about: NULL, zero sizes,
 * failures, overflows, realloc in all its shapes, blocks older than SIGUSR1, reused addresses.
 * The truth counts as common.h's tally says; `note` fields say how often each case ran. glibc:
 * malloc(0) is a block of zero bytes, realloc(p, 0) frees p and returns NULL and has not failed.
 */
#include <malloc.h>

#include "common.h"

#define OLD_BLOCKS 12

static struct tally books;
static void *old_blocks[OLD_BLOCKS];
/* Through volatile, so that the compiler neither warns about nor knows the sizes. */
static volatile size_t huge = (size_t)1 << 62, absurd = SIZE_MAX - 64, half = (size_t)1 << 63;
static volatile size_t zero, bad_alignment = 3;

NOINLINE void null_frees(void);
NOINLINE void zero_sizes(void);
NOINLINE void failures(void);
NOINLINE void failed_reallocs(void);
NOINLINE void reallocs(void);
NOINLINE void old_ones(void);
NOINLINE void address_reuse(void);

static void *must(void *block, long bytes)
{
	if (!block)
		abort();
	tally_alloc(&books, bytes);
	return opaque(block);
}

static void must_fail(void *block)
{
	if (opaque(block))
		abort();
	books.failed++;
}

static void drop(void *block, long bytes)
{
	free(opaque(block));
	tally_free(&books, bytes);
}

NOINLINE void null_frees(void)
{
	for (int i = 0; i < 100; i++)
		free(opaque(NULL));
}

/* Leaves two blocks of zero bytes live. */
NOINLINE void zero_sizes(void)
{
	for (int i = 0; i < 5; i++) {
		void *block = must(malloc(zero), 0);

		if (i < 3)
			drop(block, 0);
	}
	drop(must(calloc(zero, 8), 0), 0);
	drop(must(realloc(opaque(NULL), zero), 0), 0);
}

NOINLINE void failures(void)
{
	void *out = NULL;

	for (int i = 0; i < 5; i++)
		must_fail(malloc(absurd));
	must_fail(malloc(huge));
	must_fail(calloc(huge, 17));
	must_fail(calloc(half, 2)); /* the product is 0 in 64 bits */
	must_fail(memalign(64, absurd));
	must_fail(aligned_alloc(64, absurd));
	must_fail(valloc(absurd));
	must_fail(pvalloc(absurd));
	for (int i = 0; i < 4; i++) {
		if (posix_memalign(&out, bad_alignment, 64) != EINVAL)
			abort();
		books.failed++;
	}
	if (posix_memalign(&out, 64, absurd) != ENOMEM)
		abort();
	books.failed++;
}

/* A failed realloc keeps the old block, which is freed later like any other. */
NOINLINE void failed_reallocs(void)
{
	for (int i = 0; i < 3; i++) {
		void *block = must(malloc(100), 100);

		must_fail(realloc(opaque(block), absurd));
		must_fail(reallocarray(opaque(block), huge, 17));
		/* The product is 0 in 64 bits, yet nothing is freed. */
		must_fail(reallocarray(opaque(block), half, 2));
		drop(block, 100);
	}
	must_fail(realloc(opaque(NULL), absurd));
}

NOINLINE void reallocs(void)
{
	void *block;

	for (int i = 0; i < 6; i++)
		drop(must(realloc(opaque(NULL), 70), 70), 70);
	for (int i = 0; i < 3; i++) {
		block = must(malloc(80), 80);
		if (opaque(realloc(block, zero)))
			abort();
		tally_free(&books, 80);
	}
	/* Shrinking stays in place. */
	block = must(malloc(1000), 1000);
	block = must(realloc(block, 900), 900);
	tally_free(&books, 1000);
	/* Growing into mmap's range, within it (mremap) and back out moves. */
	block = must(realloc(block, 300000), 300000);
	tally_free(&books, 900);
	block = must(realloc(block, 3000000), 3000000);
	tally_free(&books, 300000);
	block = must(realloc(block, 40), 40);
	tally_free(&books, 3000000);
	block = must(reallocarray(block, 7, 11), 77);
	tally_free(&books, 40);
	drop(block, 77);
}

/* The last two are reallocated: an unknown block goes, a known one comes and stays. */
NOINLINE void old_ones(void)
{
	for (int i = 0; i < OLD_BLOCKS; i++) {
		if (i < OLD_BLOCKS - 2)
			free(opaque(old_blocks[i]));
		else
			old_blocks[i] = must(realloc(old_blocks[i], 640), 640);
		books.unknown_frees++;
	}
}

NOINLINE void address_reuse(void)
{
	for (int i = 0; i < 1000; i++)
		drop(must(malloc(48), 48), 48);
}

int main(void)
{
	target_start();
	for (int i = 0; i < OLD_BLOCKS; i++)
		old_blocks[i] = opaque(malloc(64));
	target_ready();
	target_wait_go();
	null_frees();
	zero_sizes();
	failures();
	failed_reallocs();
	reallocs();
	old_ones();
	address_reuse();
	target_truth("{" TALLY_FORMAT ",\"null_frees\":100}", TALLY_VALUES(&books));
	target_idle();
}
