// SPDX-License-Identifier: BSD-2-Clause
/* A malloc of one's own, to be linked into a program or library (targets.mk). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../own_heap.h"

void *malloc(size_t size)
{
	return own_alloc(size);
}

void free(void *block)
{
	own_free(block);
}

/* Through malloc and free, as many do. */
void *calloc(size_t n, size_t size)
{
	void *block;

	if (size && n > SIZE_MAX / size)
		return NULL;
	block = malloc(n * size);
	if (block)
		memset(block, 0, n * size);
	return block;
}

void *realloc(void *old, size_t size)
{
	void *block = malloc(size);

	if (block && old) {
		memcpy(block, old, own_size(old) < size ? own_size(old) : size);
		free(old);
	}
	return block;
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
	return own_alloc_aligned(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

void *valloc(size_t size)
{
	return memalign(4096, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *block;

	if (alignment & (alignment - 1) || alignment < sizeof(void *))
		return EINVAL;
	block = memalign(alignment, size);
	if (!block)
		return ENOMEM;
	*out = block;
	return 0;
}
