/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks alive as user space reads and deletes them, while the programs go on using them: the
 * table through a shared mapping, by the rules of bpf/live_table.bpf.h, then the hash beside it.
 */
#ifndef PERFTRACE_SESSION_KERNEL_LIVE_H
#define PERFTRACE_SESSION_KERNEL_LIVE_H

#include <stddef.h>
#include <stdint.h>

#include "abi/heap.h"

/* All borrowed. */
struct kernel_live {
	int table_fd, hash_fd; /* maps */
	size_t n_buckets;      /* of the table; 0 = it is not used */
	uint64_t *spilled;     /* blocks in the hash */
	struct heap_gauge *gauge;
};

typedef int (*kernel_live_fn)(void *arg, const struct live_key *key,
			      const struct live_block *block);

/*
 * Calls fn for every block; stops at the first non-zero answer and returns it. A block that comes
 * or goes meanwhile may be seen or not, but never half of it. Negative errno.
 */
int kernel_live__for_each(const struct kernel_live *live, kernel_live_fn fn, void *arg);
/* Numbers of address spaces, ascending. */
struct space_list {
	const uint64_t *data;
	size_t len;
};

/*
 * Deletes the blocks of address spaces, all in one pass, and takes them off the gauge. fn, which
 * may be NULL, gets each that was deleted here and nowhere else. Negative errno, or fn's first
 * non-zero answer; then some are still there.
 */
int kernel_live__purge(struct kernel_live *live, struct space_list spaces, kernel_live_fn fn,
		       void *arg);

/* The same for buckets of the table. */
int live_table__for_each(const struct live_bucket *table, size_t n_buckets, kernel_live_fn fn,
			 void *arg);
int live_table__purge(struct live_bucket *table, size_t n_buckets, struct space_list spaces,
		      struct heap_gauge *gauge, kernel_live_fn fn, void *arg);

#endif
