// SPDX-License-Identifier: BSD-2-Clause
#include "session/map_walk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define BATCH 4096

int map_walk(int fd, size_t key_size, size_t value_size, map_walk_fn fn, void *arg)
{
	size_t capacity = BATCH;
	char *keys = malloc(capacity * key_size), *values = malloc(capacity * value_size);
	uint32_t position = 0;
	bool first = true;
	int ret = keys && values ? 0 : -ENOMEM;

	while (!ret) {
		uint32_t n = capacity, next;
		int err = bpf_map_lookup_batch(fd, first ? NULL : &position, &next, keys, values,
					       &n, NULL)
				  ? errno
				  : 0;

		/* A bucket with more entries than fit. */
		if (err == ENOSPC) {
			capacity *= 2;
			free(keys);
			free(values);
			keys = malloc(capacity * key_size);
			values = malloc(capacity * value_size);
			ret = keys && values ? 0 : -ENOMEM;
			continue;
		}
		if (err && err != ENOENT) {
			ret = -err;
			break;
		}
		for (uint32_t i = 0; i < n && !ret; i++)
			ret = fn(arg, keys + i * key_size, values + i * value_size);
		if (err == ENOENT)
			break;
		position = next;
		first = false;
	}
	free(keys);
	free(values);
	return ret;
}
