// SPDX-License-Identifier: BSD-2-Clause
#include "session/kernel_live.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/vec.h"
#include "session/map_walk.h"

#define PAGE_BUCKETS (4096 / sizeof(struct live_bucket)) /* x86-64 has one size of pages */
#define PART	     (256 * PAGE_BUCKETS)		 /* buckets mapped at a time: 1 MB */

#define TRIES 16 /* a slot that changes hands more often while it is read counts as empty */

static uint64_t load(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static struct live_slot load_slot(const struct live_slot *slot)
{
	return (struct live_slot){load(&slot->size), load(&slot->site), load(&slot->time_ns)};
}

/*
 * The block in a slot that the programs may change at any time. Slots change hands without leaving
 * a trace: key and block may have been another's in between. So both have to read the same twice,
 * and no block comes twice, as each has its own time.
 */
static bool read_slot(const struct live_bucket *bucket, int way, __u64 *key,
		      struct live_block *block)
{
	for (int i = 0; i < TRIES; i++) {
		struct live_slot once, again;

		*key = load(&bucket->key[way]);
		if (!*key)
			return false;
		if (*key == LIVE_BUSY)
			continue;
		once = load_slot(&bucket->slot[way]);
		if (load(&bucket->key[way]) != *key)
			continue;
		again = load_slot(&bucket->slot[way]);
		if (load(&bucket->key[way]) != *key || memcmp(&once, &again, sizeof(once)))
			continue;
		*block = live_slot_unpack(&once);
		return true;
	}
	return false;
}

int live_table__for_each(const struct live_bucket *table, size_t n_buckets, kernel_live_fn fn,
			 void *arg)
{
	int ret = 0;

	for (size_t i = 0; i < n_buckets && !ret; i++) {
		for (int way = 0; way < LIVE_WAYS && !ret; way++) {
			struct live_block block;
			struct live_key key;
			__u64 packed;

			if (!read_slot(&table[i], way, &packed, &block))
				continue;
			key = live_table_key_unpack(packed);
			ret = fn(arg, &key, &block);
		}
	}
	return ret;
}

static bool is_listed(struct space_list spaces, uint64_t space)
{
	size_t low = 0, high = spaces.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (spaces.data[mid] < space)
			low = mid + 1;
		else
			high = mid;
	}
	return low < spaces.len && spaces.data[low] == space;
}

/* As the programs take a block: who swaps the key has it. */
static bool take_slot(struct live_bucket *bucket, int way, struct space_list spaces,
		      struct live_key *key, struct live_block *block)
{
	__u64 packed = load(&bucket->key[way]);

	*key = live_table_key_unpack(packed);
	if (!packed || packed == LIVE_BUSY || !is_listed(spaces, key->space) ||
	    !__atomic_compare_exchange_n(&bucket->key[way], &packed, LIVE_BUSY, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	*block = live_slot_unpack(&bucket->slot[way]);
	__atomic_store_n(&bucket->key[way], 0, __ATOMIC_RELEASE);
	return true;
}

static int book_gone(struct heap_gauge *gauge, const struct live_key *key,
		     const struct live_block *block, kernel_live_fn fn, void *arg)
{
	__atomic_fetch_sub(&gauge->live_blocks, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&gauge->live_bytes, (__s64)block->size, __ATOMIC_SEQ_CST);
	return fn ? fn(arg, key, block) : 0;
}

int live_table__purge(struct live_bucket *table, size_t n_buckets, struct space_list spaces,
		      struct heap_gauge *gauge, kernel_live_fn fn, void *arg)
{
	int ret = 0;

	for (size_t i = 0; i < n_buckets && !ret; i++) {
		for (int way = 0; way < LIVE_WAYS && !ret; way++) {
			struct live_block block;
			struct live_key key;

			if (take_slot(&table[i], way, spaces, &key, &block))
				ret = book_gone(gauge, &key, &block, fn, arg);
		}
	}
	return ret;
}

/*
 * A part of the table, from a bucket on that begins a page. Only for as long as it is used: its
 * pages count as ours while they are mapped.
 */
static struct live_bucket *map_part(const struct kernel_live *live, int protection, size_t first,
				    size_t n)
{
	void *p = mmap(NULL, n * sizeof(struct live_bucket), protection, MAP_SHARED, live->table_fd,
		       first * sizeof(struct live_bucket));

	return p == MAP_FAILED ? NULL : p;
}

static void unmap_part(struct live_bucket *part, size_t n)
{
	munmap(part, n * sizeof(*part));
}

/* What is done with each part of the table. */
struct work {
	int (*fn)(const struct work *work, struct live_bucket *part, size_t n);
	struct space_list spaces;
	struct heap_gauge *gauge;
	kernel_live_fn visit;
	void *arg;
};

static int read_part(const struct work *work, struct live_bucket *part, size_t n)
{
	return live_table__for_each(part, n, work->visit, work->arg);
}

static int purge_part(const struct work *work, struct live_bucket *part, size_t n)
{
	return live_table__purge(part, n, work->spaces, work->gauge, work->visit, work->arg);
}

static int walk_table(const struct kernel_live *live, int protection, const struct work *work)
{
	int ret = 0;

	for (size_t first = 0; first < live->n_buckets && !ret; first += PART) {
		size_t n = live->n_buckets - first < PART ? live->n_buckets - first : PART;
		struct live_bucket *part = map_part(live, protection, first, n);

		if (!part)
			return -errno;
		ret = work->fn(work, part, n);
		unmap_part(part, n);
	}
	return ret;
}

/* A block was deleted from the hash: its bucket's blocks there are one less. */
static int unspill(struct kernel_live *live, const struct live_key *key)
{
	uint64_t packed = live->n_buckets ? live_table_key(key->space, key->address) : 0;
	uint32_t bucket, first;
	struct live_bucket *part;

	__atomic_fetch_sub(live->spilled, 1, __ATOMIC_SEQ_CST);
	if (!packed)
		return 0;
	bucket = live_table_bucket(packed, live->n_buckets);
	first = bucket - bucket % PAGE_BUCKETS;
	part = map_part(live, PROT_READ | PROT_WRITE, first, bucket - first + 1);
	if (!part)
		return -errno;
	__atomic_fetch_sub(&part[bucket - first].spilled, 1, __ATOMIC_SEQ_CST);
	unmap_part(part, bucket - first + 1);
	return 0;
}

struct visit {
	kernel_live_fn fn;
	void *arg;
};

static int visit_block(void *arg, const void *key, const void *value)
{
	struct visit *visit = arg;

	return visit->fn(visit->arg, key, value);
}

/* Looking through the buckets of an empty hash takes as long as those of a full one. */
static int walk_hash(const struct kernel_live *live, map_walk_fn fn, void *arg)
{
	if (!__atomic_load_n(live->spilled, __ATOMIC_SEQ_CST))
		return 0;
	return map_walk(live->hash_fd, sizeof(struct live_key), sizeof(struct live_block), fn, arg);
}

int kernel_live__for_each(const struct kernel_live *live, kernel_live_fn fn, void *arg)
{
	const struct work work = {.fn = read_part, .visit = fn, .arg = arg};
	struct visit visit = {fn, arg};
	int ret = walk_table(live, PROT_READ, &work);

	return ret ? ret : walk_hash(live, visit_block, &visit);
}

struct doomed {
	struct live_key key;
	struct live_block block;
};

struct search {
	struct space_list spaces;
	VEC(struct doomed) found;
};

static int find_doomed(void *arg, const void *key, const void *value)
{
	struct search *search = arg;
	const struct live_key *k = key;
	struct doomed *slot;

	if (!is_listed(search->spaces, k->space))
		return 0;
	slot = vec_push(&search->found);
	if (!slot)
		return -ENOMEM;
	slot->key = *k;
	memcpy(&slot->block, value, sizeof(slot->block));
	return 0;
}

static int purge_hash(struct kernel_live *live, struct space_list spaces, kernel_live_fn fn,
		      void *arg)
{
	struct search search = {.spaces = spaces};
	struct doomed *d;
	int err, ret = walk_hash(live, find_doomed, &search);

	vec_for_each (&search.found, d) {
		/* Else it was freed meanwhile, and is booked. */
		if (ret || bpf_map_delete_elem(live->hash_fd, &d->key))
			continue;
		ret = book_gone(live->gauge, &d->key, &d->block, fn, arg);
		err = unspill(live, &d->key);
		if (!ret)
			ret = err;
	}
	vec_free(&search.found);
	return ret;
}

int kernel_live__purge(struct kernel_live *live, struct space_list spaces, kernel_live_fn fn,
		       void *arg)
{
	const struct work work = {
		.fn = purge_part, .spaces = spaces, .gauge = live->gauge, .visit = fn, .arg = arg};
	int ret = walk_table(live, PROT_READ | PROT_WRITE, &work);

	return ret ? ret : purge_hash(live, spaces, fn, arg);
}
