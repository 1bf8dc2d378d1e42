/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A heap that is nobody else's: blocks of powers of two out of a static array, with a header that
 * holds the size, and a free list per power. No thread may share it; it calls nothing.
 */
#ifndef PERFTRACE_TARGETS_OWN_HEAP_H
#define PERFTRACE_TARGETS_OWN_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define OWN_HEAP_BYTES	(64 << 20)
#define OWN_HEAP_HEADER 16 /* before each block: its size, 16 bytes to keep the alignment */

struct own_block {
	size_t size;
	struct own_block *next_free;
};

static __attribute__((aligned(4096))) char own_heap[OWN_HEAP_BYTES];
static size_t own_heap_used;
static struct own_block *own_heap_free[64];

static inline int own_class(size_t size)
{
	int n = 4;

	while (((size_t)1 << n) < size)
		n++;
	return n;
}

static inline void *own_alloc(size_t size)
{
	struct own_block *block;
	int n;

	if (size > OWN_HEAP_BYTES / 2)
		return NULL;
	n = own_class(size);
	block = own_heap_free[n];
	if (block) {
		own_heap_free[n] = block->next_free;
	} else {
		size_t bytes = OWN_HEAP_HEADER + ((size_t)1 << n);

		if (bytes > OWN_HEAP_BYTES - own_heap_used)
			return NULL;
		block = (struct own_block *)(own_heap + own_heap_used);
		own_heap_used += bytes;
	}
	block->size = size;
	return (char *)block + OWN_HEAP_HEADER;
}

static inline size_t own_size(void *p)
{
	return ((struct own_block *)((char *)p - OWN_HEAP_HEADER))->size;
}

static inline void own_free(void *p)
{
	struct own_block *block;
	int n;

	if (!p)
		return;
	block = (struct own_block *)((char *)p - OWN_HEAP_HEADER);
	n = own_class(block->size);
	block->next_free = own_heap_free[n];
	own_heap_free[n] = block;
}

/* Wastes what lies before the aligned address; such blocks are not reused. */
static inline void *own_alloc_aligned(size_t alignment, size_t size)
{
	uintptr_t at = (uintptr_t)own_heap + own_heap_used + OWN_HEAP_HEADER;
	struct own_block *block;

	if (alignment <= OWN_HEAP_HEADER)
		return own_alloc(size);
	at = (at + alignment - 1) & ~(uintptr_t)(alignment - 1);
	if (size > OWN_HEAP_BYTES / 2 ||
	    at + ((size_t)1 << own_class(size)) > (uintptr_t)own_heap + OWN_HEAP_BYTES)
		return NULL;
	block = (struct own_block *)(at - OWN_HEAP_HEADER);
	block->size = size;
	own_heap_used =
		((at + ((size_t)1 << own_class(size))) - (uintptr_t)own_heap + 15) & ~(size_t)15;
	return (void *)at;
}

#endif
