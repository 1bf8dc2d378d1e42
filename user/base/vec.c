// SPDX-License-Identifier: BSD-2-Clause
#include "base/vec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *vec_push_raw(void **data, size_t *len, size_t *capacity, size_t element_size)
{
	char *element;

	if (*len == *capacity) {
		size_t grown = *capacity ? *capacity * 2 : 8;
		void *p;

		if (grown > SIZE_MAX / element_size)
			return NULL;
		p = realloc(*data, grown * element_size);
		if (!p)
			return NULL;
		*data = p;
		*capacity = grown;
	}
	element = (char *)*data + *len * element_size;
	memset(element, 0, element_size);
	(*len)++;
	return element;
}

void vec_free_raw(void *data)
{
	free(data);
}
