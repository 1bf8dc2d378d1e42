/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a BPF hash map from end to end. */
#ifndef PERFTRACE_SESSION_MAP_WALK_H
#define PERFTRACE_SESSION_MAP_WALK_H

#include <stddef.h>

typedef int (*map_walk_fn)(void *arg, const void *key, const void *value);

/*
 * Calls fn for every entry, in batches; stops at the first non-zero answer and returns it. Each
 * entry of a quiet map is seen exactly once; of a map in use, what was there. Negative errno.
 */
int map_walk(int fd, size_t key_size, size_t value_size, map_walk_fn fn, void *arg);

#endif
