// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_mallocx
 *
 * On SIGUSR1 uses jemalloc's own functions beside malloc: mallocx, rallocx, xallocx (which resizes
 * in place or not at all), sdallocx, dallocx. xallocx that cannot counts as a failed call.
 */
#include <jemalloc/jemalloc.h>

#include "common.h"

#define ROUNDS 200

static struct tally books;

NOINLINE void keep_here(void);

static void *got(void *block, long bytes)
{
	if (!block)
		abort();
	tally_alloc(&books, bytes);
	return opaque(block);
}

NOINLINE void keep_here(void)
{
	got(mallocx(321, MALLOCX_ALIGN(64)), 321);
}

/* Returns the size that was asked for last. */
static size_t resized(void *block, size_t from, size_t to)
{
	if (xallocx(block, to, 0, 0) < to) {
		books.failed++;
		return from;
	}
	tally_alloc(&books, to);
	tally_free(&books, from);
	return to;
}

int main(void)
{
	size_t size;
	void *p;

	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < ROUNDS; i++) {
		keep_here();
		p = got(mallocx(100, 0), 100);
		p = got(rallocx(p, 5000, MALLOCX_ZERO), 5000);
		tally_free(&books, 100);
		dallocx(p, 0);
		tally_free(&books, 5000);
		/* 20000 fit into what was given for 17000; a small block is never made large. */
		p = got(mallocx(17000, 0), 17000);
		size = resized(p, resized(p, 17000, 20000), 400000);
		sdallocx(p, size, 0);
		tally_free(&books, size);
		p = got(mallocx(8, 0), 8);
		size = resized(p, 8, 100000);
		sdallocx(p, size, 0);
		tally_free(&books, size);
		p = got(mallocx(300, MALLOCX_ALIGN(4096)), 300);
		sdallocx(p, 300, MALLOCX_ALIGN(4096));
		tally_free(&books, 300);
		p = got(malloc(50), 50);
		sdallocx(p, 50, 0);
		tally_free(&books, 50);
		p = got(mallocx(60, 0), 60);
		free(p);
		tally_free(&books, 60);
	}
	target_truth("{\"function\":\"keep_here\",\"kept\":%d," TALLY_FORMAT "}", ROUNDS,
		     TALLY_VALUES(&books));
	target_idle();
}
