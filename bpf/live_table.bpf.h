/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Blocks alive, by (address space, address). The kernel's hash takes a lock and several cache
 * misses for each operation, which is half of what a traced malloc costs beyond its probes; so
 * this is a set-associative table of our own (layout in abi/heap.h), and the hash keeps only what
 * finds its bucket full, or does not fit a slot.
 *
 * Without locks: a slot belongs to whoever swaps its key.
 *
 *	0 --put--> LIVE_BUSY, block written --> key --take--> LIVE_BUSY, block read --> 0
 *
 * Every transition away from 0 and from a key is a compare-and-swap, so one of two takers gets the
 * block, and it reads what belongs to that key: nobody writes to a busy slot but its owner. Atomic
 * operations that return a value are full barriers, so the block is not read before its slot is
 * owned. The last store of each step needs the stores (put) or loads (take) before it to be done:
 * that is how x86 orders them, and barrier() keeps the compiler to it. A program that is preempted
 * with a slot in its hands delays nobody; others pass the slot over.
 *
 * Nobody looks for an address while its put is under way: the program has not got it yet. Frees
 * take their block out before the allocator can hand the address out again. What is found at a put
 * is thus a block whose free was missed. Two threads that are given the same address at the same
 * moment, after two missed frees, may both put it: the second copy is found at a later put.
 *
 * `spilled` counts a bucket's blocks in the hash, and rises before one is put there: while it is 0
 * the hash need not be asked, neither for a free of an unknown block nor for a missed free. User
 * space reads the table and purges it through a shared mapping, by the same rules
 * (user/session/kernel_live.c).
 */
#ifndef PERFTRACE_LIVE_TABLE_BPF_H
#define PERFTRACE_LIVE_TABLE_BPF_H

#include "common.bpf.h"

#ifndef EEXIST
#define EEXIST 17
#endif

/* 0: not for the table. */
static __always_inline __u64 live_key_of(__u64 space, __u64 address)
{
	return config.live_buckets ? live_table_key(space, address) : 0;
}

static __always_inline struct live_bucket *live_bucket_of(__u64 key)
{
	__u32 index = live_table_bucket(key, config.live_buckets);

	return bpf_map_lookup_elem(&live_table, &index);
}

static __always_inline __u64 slot_key(const struct live_bucket *bucket, int way)
{
	return *(const volatile __u64 *)&bucket->key[way];
}

static __always_inline int claim_slot(struct live_bucket *bucket, int way, __u64 key)
{
	return slot_key(bucket, way) == key &&
	       __sync_val_compare_and_swap(&bucket->key[way], key, LIVE_BUSY) == key;
}

static __always_inline void release_slot(struct live_bucket *bucket, int way, __u64 key)
{
	barrier();
	*(volatile __u64 *)&bucket->key[way] = key;
}

static __always_inline void count_spilled(struct live_bucket *bucket, __s64 n)
{
	if (bucket)
		__sync_fetch_and_add(&bucket->spilled, n);
	__sync_fetch_and_add(&live_spilled, n);
}

/* Into the hash. `bucket` is where the block belongs, NULL if nowhere. */
static __always_inline int spill(struct live_bucket *bucket, const struct live_key *key,
				 const struct live_block *block)
{
	int err;

	count_spilled(bucket, 1);
	err = bpf_map_update_elem(&live, key, block, BPF_NOEXIST);
	if (err)
		count_spilled(bucket, -1);
	return err;
}

/* Puts a block in; 0, -EEXIST if there is one at its address, or else there is no room. */
static __always_inline int live_put(__u64 space, __u64 address, const struct live_block *block)
{
	struct live_key key = {.space = space, .address = address};
	__u64 packed = live_key_of(space, address);
	struct live_bucket *bucket;

	if (!packed)
		return spill(NULL, &key, block);
	bucket = live_bucket_of(packed);
	if (!bucket) /* for the verifier */
		return -EEXIST;
#pragma unroll
	for (int way = 0; way < LIVE_WAYS; way++) {
		if (slot_key(bucket, way) == packed)
			return -EEXIST;
	}
	if (bucket->spilled && bpf_map_lookup_elem(&live, &key))
		return -EEXIST;
	if (!live_slot_fits(block))
		return spill(bucket, &key, block);
#pragma unroll
	for (int way = 0; way < LIVE_WAYS; way++) {
		if (claim_slot(bucket, way, 0)) {
			bucket->slot[way].size = live_slot_size(block);
			bucket->slot[way].site = block->site;
			bucket->slot[way].time_ns = block->time_ns;
			release_slot(bucket, way, packed);
			return 0;
		}
	}
	return spill(bucket, &key, block);
}

/* From the hash: only who deletes the block has it. */
static __always_inline int take_spilled(struct live_bucket *bucket, const struct live_key *key,
					struct live_block *out)
{
	struct live_block *block = bpf_map_lookup_elem(&live, key);

	if (!block)
		return 0;
	*out = *block;
	if (bpf_map_delete_elem(&live, key))
		return 0;
	count_spilled(bucket, -1);
	return 1;
}

/* Takes the block at an address out; 1 if there was one. Only who took it may book it. */
static __always_inline int live_take(__u64 space, __u64 address, struct live_block *out)
{
	struct live_key key = {.space = space, .address = address};
	__u64 packed = live_key_of(space, address);
	struct live_bucket *bucket;

	if (!packed)
		return take_spilled(NULL, &key, out);
	bucket = live_bucket_of(packed);
	if (!bucket) /* for the verifier */
		return 0;
#pragma unroll
	for (int way = 0; way < LIVE_WAYS; way++) {
		if (claim_slot(bucket, way, packed)) {
			*out = live_slot_unpack(&bucket->slot[way]);
			release_slot(bucket, way, 0);
			return 1;
		}
	}
	return bucket->spilled ? take_spilled(bucket, &key, out) : 0;
}

#endif
