// SPDX-License-Identifier: BSD-2-Clause
#include "stack/string_pool.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *string_pool__add(struct string_pool *pool, const char *text, size_t len)
{
	char *copy = strndup(text, len), **slot;

	if (!copy)
		return NULL;
	slot = tfind(copy, &pool->tree, compare);
	if (!slot && pool->bytes + len + 1 <= STRING_POOL_MAX) {
		slot = tsearch(copy, &pool->tree, compare);
		if (slot) {
			pool->bytes += len + 1;
			return copy;
		}
	}
	free(copy);
	return slot ? *slot : NULL;
}

void string_pool__free(struct string_pool *pool)
{
	tdestroy(pool->tree, free);
	pool->tree = NULL;
	pool->bytes = 0;
}
