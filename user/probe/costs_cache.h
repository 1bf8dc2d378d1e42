/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The measured costs of probes in a small text file:
 *
 *	perftrace probe-costs 1
 *	kernel 6.18.0
 *	cpu AMD EPYC 9R14
 *	methods session multi
 *	site-emulated 561.3
 *	...
 *
 * The first four lines are the key: costs of another kernel, processor or method are none. The
 * directory is /var/cache/perftrace for root and $XDG_CACHE_HOME/perftrace (~/.cache/perftrace)
 * for others. Directory and file have to be ours, and for nobody else to write, or they are left
 * alone.
 */
#ifndef PERFTRACE_PROBE_COSTS_CACHE_H
#define PERFTRACE_PROBE_COSTS_CACHE_H

#include <stddef.h>

#include "probe/costs.h"

#define COSTS_KEY_LEN 512

/* The first four lines, as this machine would write them. */
void costs_cache__key(const struct link_support *support, char key[COSTS_KEY_LEN]);
/* Where the cache lies; -ENOENT without a home. */
int costs_cache__directory(char *path, size_t size);

/* 0 if the file there has this key and all its numbers; else a negative errno, *out untouched. */
int costs_cache__load(const char *directory, const char *key, struct probe_costs *out);
/* Makes the directory if its parent exists; replaces the file as a whole. 0 or a negative errno. */
int costs_cache__store(const char *directory, const char *key, const struct probe_costs *costs);

#endif
