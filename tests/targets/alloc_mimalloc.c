// SPDX-License-Identifier: BSD-2-Clause
/* alloc_mimalloc: on SIGUSR1 uses mimalloc's own functions, and frees all but keep_here()'s. */
#include <mimalloc.h>

#include "common.h"

#define ROUNDS 200

static struct tally books;
static volatile size_t absurd = SIZE_MAX / 2 - 4096;

NOINLINE void keep_here(mi_heap_t *heap);

static void *got(void *block, long bytes)
{
	if (!block)
		abort();
	tally_alloc(&books, bytes);
	return opaque(block);
}

static void *gone(void *block, long bytes)
{
	tally_free(&books, bytes);
	return block;
}

NOINLINE void keep_here(mi_heap_t *heap)
{
	got(mi_heap_malloc(heap, 321), 321);
}

static void one_round(mi_heap_t *heap)
{
	void *p;

	mi_free(gone(got(mi_malloc(100), 100), 100));
	mi_free(gone(got(mi_malloc_small(64), 64), 64));
	mi_free(gone(got(mi_zalloc(200000), 200000), 200000));
	mi_free(gone(got(mi_calloc(10, 20), 200), 200));
	mi_free(gone(got(mi_mallocn(11, 20), 220), 220));
	p = got(mi_realloc(NULL, 50), 50);
	p = got(mi_realloc(gone(p, 50), 5000), 5000);
	p = got(mi_reallocn(gone(p, 5000), 30, 40), 1200);
	p = got(mi_rezalloc(gone(p, 1200), 9000), 9000);
	p = got(mi_recalloc(gone(p, 9000), 10, 1000), 10000);
	mi_free_size(gone(p, 10000), 10000);
	mi_free_aligned(gone(got(mi_malloc_aligned(300, 128), 300), 300), 128);
	mi_free_size_aligned(gone(got(mi_zalloc_aligned(310, 64), 310), 310), 310, 64);
	p = got(mi_calloc_aligned(10, 32, 64), 320);
	p = got(mi_realloc_aligned(gone(p, 320), 7000, 64), 7000);
	mi_free(gone(p, 7000));
	if (mi_posix_memalign(&p, 64, 256))
		abort();
	mi_free(gone(got(p, 256), 256));
	mi_free(gone(got(mi_new(70), 70), 70));
	mi_free(gone(got(mi_new_n(7, 11), 77), 77));
	mi_free(gone(got(mi_new_aligned(128, 64), 128), 128));
	mi_free(gone(got(mi_new_nothrow(71), 71), 71));
	p = got(mi_new(10), 10);
	p = got(mi_new_realloc(gone(p, 10), 1000), 1000);
	mi_free(gone(p, 1000));
	mi_free(gone(got(mi_heap_zalloc(heap, 400), 400), 400));
	mi_free(gone(got(mi_heap_calloc(heap, 4, 100), 400), 400));
	p = got(mi_heap_malloc_aligned(heap, 500, 256), 500);
	p = got(mi_heap_realloc(heap, gone(p, 500), 50000), 50000);
	mi_free(gone(p, 50000));
	mi_free(NULL);
	/* malloc is the same heap. */
	free(gone(got(malloc(55), 55), 55));
	p = opaque(mi_malloc(absurd));
	if (p)
		abort();
	books.failed++;
}

int main(void)
{
	mi_heap_t *heap;

	target_start();
	heap = mi_heap_new();
	target_ready();
	target_wait_go();
	for (int i = 0; i < ROUNDS; i++) {
		keep_here(heap);
		one_round(heap);
	}
	target_truth("{\"function\":\"keep_here\",\"kept\":%d," TALLY_FORMAT "}", ROUNDS,
		     TALLY_VALUES(&books));
	target_idle();
}
