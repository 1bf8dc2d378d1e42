// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_pool
 *
 * On SIGUSR1 uses a pool allocator of its own, which nobody can know by name, beside malloc. The
 * truth has the books of the pool together with those of malloc, and malloc's alone. With
 * PREFIXED the same functions have the names that Rust gives its jemalloc.
 */
#include "common.h"
#include "own_heap.h"

#ifdef PREFIXED
#define pool_get       _rjem_mallocx
#define pool_put       _rjem_sdallocx
#define POOL_GET(size) pool_get(size, 0)
#define POOL_PUT(p, n) pool_put(p, n, 0)
#else
#define POOL_GET(size) pool_get(&pool, size)
#define POOL_PUT(p, n) pool_put(&pool, p)
#endif

#define ROUNDS 300

struct pool {
	long gets;
};

static struct pool pool;
static struct tally of_pool, of_malloc;
static volatile size_t absurd = SIZE_MAX / 2;

NOINLINE void keep_here(void);

#ifdef PREFIXED
NOINLINE void *pool_get(size_t size, int flags);
NOINLINE void pool_put(void *block, size_t size, int flags);

NOINLINE void *pool_get(size_t size, int flags)
{
	pool.gets += flags == 0;
	return own_alloc(size);
}

NOINLINE void pool_put(void *block, size_t size, int flags)
{
	pool.gets -= flags == 0 && size > 0;
	own_free(block);
}
#else
NOINLINE void *pool_get(struct pool *p, size_t size);
NOINLINE void pool_put(struct pool *p, void *block);
NOINLINE void *pool_resize(struct pool *p, size_t size, void *old);
NOINLINE void *pool_grid(struct pool *p, long unused, size_t n, size_t size);
NOINLINE int pool_store(long a, long b, struct pool *p, size_t size, size_t alignment, void **out);

NOINLINE void *pool_get(struct pool *p, size_t size)
{
	p->gets++;
	return own_alloc(size);
}

NOINLINE void pool_put(struct pool *p, void *block)
{
	p->gets--;
	own_free(block);
}

NOINLINE void *pool_resize(struct pool *p, size_t size, void *old)
{
	void *block = pool_get(p, size);

	if (block && old) {
		memcpy(block, old, own_size(old) < size ? own_size(old) : size);
		pool_put(p, old);
	}
	return block;
}

NOINLINE void *pool_grid(struct pool *p, long unused, size_t n, size_t size)
{
	p->gets += unused;
	return pool_get(p, n * size);
}

NOINLINE int pool_store(long a, long b, struct pool *p, size_t size, size_t alignment, void **out)
{
	void *block = own_alloc_aligned(alignment, size);

	p->gets += a + b;
	if (!block)
		return -1;
	*out = block;
	return 0;
}
#endif

static void *got(void *block, long bytes)
{
	if (!block)
		abort();
	tally_alloc(&of_pool, bytes);
	return opaque(block);
}

static void *gone(void *block, long bytes)
{
	tally_free(&of_pool, bytes);
	return block;
}

NOINLINE void keep_here(void)
{
	got(POOL_GET(321), 321);
}

int main(void)
{
	void *p;

	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < ROUNDS; i++) {
		keep_here();
		p = got(POOL_GET(100), 100);
		POOL_PUT(gone(p, 100), 100);
		if (opaque(POOL_GET(absurd)))
			abort();
		of_pool.failed++;
#ifndef PREFIXED
		p = got(pool_resize(&pool, 40, NULL), 40);
		p = got(pool_resize(&pool, 400, gone(p, 40)), 400);
		POOL_PUT(gone(p, 400), 400);
		p = got(pool_grid(&pool, 0, 6, 7), 42);
		POOL_PUT(gone(p, 42), 42);
		if (pool_store(1, -1, &pool, 90, 64, &p))
			abort();
		POOL_PUT(gone(got(p, 90), 90), 90);
#endif
		p = opaque(malloc(1000));
		tally_alloc(&of_malloc, 1000);
		free(p);
		tally_free(&of_malloc, 1000);
	}
	of_pool.allocs += of_malloc.allocs;
	of_pool.frees += of_malloc.frees;
	of_pool.alloc_bytes += of_malloc.alloc_bytes;
	of_pool.freed_bytes += of_malloc.freed_bytes;
	target_truth("{\"function\":\"keep_here\",\"kept\":%d,\"malloc\":{" TALLY_FORMAT
		     "}," TALLY_FORMAT "}",
		     ROUNDS, TALLY_VALUES(&of_malloc), TALLY_VALUES(&of_pool));
	target_idle();
}
