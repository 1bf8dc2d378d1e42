/* SPDX-License-Identifier: BSD-2-Clause */
/* One copy of each string that a symbolizer hands out, at one address until the pool is freed. */
#ifndef PERFTRACE_STACK_STRING_POOL_H
#define PERFTRACE_STACK_STRING_POOL_H

#include <stddef.h>

#define STRING_POOL_MAX (64U << 20) /* bytes of all strings */

/* Zero-initialise. */
struct string_pool {
	void *tree;
	size_t bytes;
};

/* The copy of `len` bytes (a NUL ends them); NULL: the pool is full or memory is out. */
const char *string_pool__add(struct string_pool *pool, const char *text, size_t len);
void string_pool__free(struct string_pool *pool);

#endif
