// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table of blocks alive: its layout (abi/heap.h), and its two halves at once, that of the
 * programs (bpf/live_table.bpf.h, as host C) and that of user space (session/kernel_live.h).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpfhost/host.h"
#include "live_table.bpf.h"
#include "bpfhost/live.h"
#include "session/kernel_live.h"

#define SPACE 77

#define ONE(space) ((struct space_list){(uint64_t[]){space}, 1})

static int set_up(void **state)
{
	host__reset();
	memset(&gauge, 0, sizeof(gauge));
	live__set_up(1);
	return 0;
}

static int tear_down(void **state)
{
	host__reset();
	return 0;
}

static __u64 nth(int i)
{
	return 0x1000 + i * 0x10;
}

static void put_block(__u64 space, __u64 address, __u64 size)
{
	struct live_block block = {.size = size, .alignment = 32};

	assert_int_equal(live_put(space, address, &block), 0);
	gauge.live_blocks++;
	gauge.live_bytes += size;
}

/* ---- the layout ---- */

static void keys(void **state)
{
	static const struct live_key fitting[] = {
		{1, 0},
		{1, 8},
		{SPACE, 0x7ffff7a3c010},
		{(1 << 20) - 1, (1ULL << 47) - 8},
	};
	static const struct live_key others[] = {
		{0, 0x1000},
		{0, 0},
		{1, 1ULL << 47},
		{1, ~7ULL},
		{1, 0x1004},
		{1, 0x1001},
		{1ULL << 20, 0x1000},
		{~0ULL, 0x1000},
		{1, 0xff00000000001000},
		{(1ULL << 44) + 1, 16},
	};

	assert_int_equal(sizeof(struct live_bucket), 256);
	assert_int_equal(offsetof(struct live_bucket, slot), 64);
	for (size_t i = 0; i < sizeof(fitting) / sizeof(fitting[0]); i++) {
		__u64 key = live_table_key(fitting[i].space, fitting[i].address);
		struct live_key back = live_table_key_unpack(key);

		assert_true(key > LIVE_BUSY);
		assert_memory_equal(&back, &fitting[i], sizeof(back));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(live_table_key(others[i].space, others[i].address), 0);
	/* Whoever they look like, free and busy slots are in no space. */
	assert_int_equal(live_table_key_unpack(0).space, 0);
	assert_int_equal(live_table_key_unpack(LIVE_BUSY).space, 0);
}

static void slots(void **state)
{
	struct live_block block = {.site = ~0ULL, .time_ns = ~0ULL - 1}, back;
	struct live_slot slot;

	for (int i = -1; i < 64; i++) {
		block.alignment = i < 0 ? 0 : 1ULL << i;
		block.size = i % 2 ? (1ULL << 56) - 1 : 0;
		assert_true(live_slot_fits(&block));
		slot = (struct live_slot){live_slot_size(&block), block.site, block.time_ns};
		back = live_slot_unpack(&slot);
		assert_memory_equal(&back, &block, sizeof(block));
	}
	block = (struct live_block){.size = 1ULL << 56};
	assert_false(live_slot_fits(&block));
	block = (struct live_block){.alignment = 48};
	assert_false(live_slot_fits(&block));
}

/* Allocators hand out addresses at regular distances. They must not meet in few buckets. */
static void addresses_spread_over_the_buckets(void **state)
{
	static const __u32 sizes[] = {1, 3, 1000, 32768};
	static const __u64 strides[] = {8, 16, 32, 48, 64, 80, 96, 112, 128, 1024, 4096, 65536};
	static __u16 load[32768];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (size_t d = 0; d < sizeof(strides) / sizeof(strides[0]); d++) {
			__u32 n = 4 * sizes[s], most = 0;

			memset(load, 0, sizeof(load));
			for (__u32 i = 0; i < n; i++) {
				__u64 address = 0x55d0c0de0010 + i * strides[d];
				__u64 key = live_table_key(5, address);
				__u32 bucket = live_table_bucket(key, sizes[s]);

				assert_true(bucket < sizes[s]);
				if (++load[bucket] > most)
					most = load[bucket];
			}
			/* Thrown at random, the fullest of 32768 would have 16 or 17. */
			if (most > 16)
				fail_msg("%u buckets, stride %llu: %u in one", sizes[s], strides[d],
					 most);
		}
	}
}

/* ---- user space ---- */

static struct {
	unsigned int blocks;
	__u64 bytes, last_address, last_alignment;
	int answer;
} seen;

static int see(void *arg, const struct live_key *key, const struct live_block *block)
{
	assert_int_equal(key->space, *(__u64 *)arg);
	seen.blocks++;
	seen.bytes += block->size;
	seen.last_address = key->address;
	seen.last_alignment = block->alignment;
	return seen.answer;
}

static void reading_the_table(void **state)
{
	__u64 space = SPACE;

	memset(&seen, 0, sizeof(seen));
	live__set_up(3);
	for (int i = 0; i < 9; i++)
		put_block(SPACE, 0x7ffff0000000 + i * 0x10, 10 + i);
	assert_int_equal(live_table__for_each(live__table(), 3, see, &space), 0);
	assert_int_equal(seen.blocks, 9);
	assert_int_equal(seen.bytes, 126);
	assert_int_equal(seen.last_address & ~0xf0ULL, 0x7ffff0000000);
	assert_int_equal(seen.last_alignment, 32);
	/* A slot in somebody's hands. */
	live__table()[live_table_bucket(live_table_key(SPACE, 0x7ffff0000000), 3)].key[0] =
		LIVE_BUSY;
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(live_table__for_each(live__table(), 3, see, &space), 0);
	assert_int_equal(seen.blocks, 8);
	seen.answer = -5;
	assert_int_equal(live_table__for_each(live__table(), 3, see, &space), -5);
	assert_int_equal(seen.blocks, 9);
	live_table__for_each(NULL, 0, see, &space);
	assert_int_equal(seen.blocks, 9);
}

static void purging_a_space(void **state)
{
	__u64 space = 78;
	struct live_block block;

	memset(&seen, 0, sizeof(seen));
	live__set_up(3);
	for (int i = 0; i < 6; i++) {
		put_block(SPACE, nth(i), 10 + i);
		put_block(78, nth(i), 100 + i);
	}
	assert_int_equal(live_table__purge(live__table(), 3, ONE(78), &gauge, see, &space), 0);
	assert_int_equal(seen.blocks, 6);
	assert_int_equal(seen.bytes, 615);
	assert_int_equal(gauge.live_blocks, 6);
	assert_int_equal(gauge.live_bytes, 75);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(live__find(SPACE, nth(i))->size, 10 + i);
		/* A late free finds nothing. */
		assert_int_equal(live_take(78, nth(i), &block), 0);
	}
	/* Again, and without telling anybody; then a space that nobody has. */
	assert_int_equal(live_table__purge(live__table(), 3, ONE(78), &gauge, NULL, NULL), 0);
	assert_int_equal(gauge.live_blocks, 6);
	assert_int_equal(live_table__purge(live__table(), 3, ONE(SPACE), &gauge, NULL, NULL), 0);
	assert_int_equal(gauge.live_blocks, 0);
	assert_int_equal(gauge.live_bytes, 0);
	/* Free and busy slots belong to nobody. */
	assert_int_equal(live_table__purge(live__table(), 3, ONE(0), &gauge, NULL, NULL), 0);
	assert_int_equal(
		live_table__purge(live__table(), 3, (struct space_list){0}, &gauge, NULL, NULL), 0);
	assert_int_equal(gauge.live_blocks, 0);
}

/* Who is told of the blocks has had enough: what is left is untouched. */
static void a_purge_that_is_stopped(void **state)
{
	__u64 space = SPACE;

	memset(&seen, 0, sizeof(seen));
	put_block(SPACE, nth(0), 10);
	put_block(SPACE, nth(1), 20);
	seen.answer = -5;
	assert_int_equal(live_table__purge(live__table(), 1, ONE(SPACE), &gauge, see, &space), -5);
	assert_int_equal(seen.blocks, 1);
	assert_int_equal(gauge.live_blocks, 1);
	assert_int_equal(gauge.live_bytes, 20);
	assert_int_equal(live__find(SPACE, nth(1))->size, 20);
}

/* The slot is in a program's hands: that one books it. */
static void purging_does_not_take_what_is_taken(void **state)
{
	put_block(SPACE, nth(0), 10);
	live__table()->key[0] = LIVE_BUSY;
	assert_int_equal(live_table__purge(live__table(), 1, ONE(SPACE), &gauge, NULL, NULL), 0);
	assert_int_equal(live__table()->key[0], LIVE_BUSY);
	assert_int_equal(gauge.live_blocks, 1);
}

/* The table of a loaded object, larger than what is mapped at a time, is a file to user space. */
static void a_large_table(void **state)
{
	const size_t n = 4096 * 2 + 17;
	struct heap_gauge all = {.live_blocks = 4, .live_bytes = 100};
	__u64 none = 0, space = SPACE;
	struct kernel_live live = {
		.table_fd = memfd_create("table", 0),
		.hash_fd = -1,
		.n_buckets = n,
		.spilled = (uint64_t *)&none,
		.gauge = &all,
	};
	static const size_t places[] = {0, 4095, 4096, 4096 * 2 + 16};
	struct live_bucket bucket = {.key = {0, live_table_key(SPACE, 0x1000)},
				     .slot = {{0}, {.size = 25}}};

	assert_true(live.table_fd >= 0);
	assert_int_equal(ftruncate(live.table_fd, n * sizeof(bucket)), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
			pwrite(live.table_fd, &bucket, sizeof(bucket), places[i] * sizeof(bucket)),
			sizeof(bucket));
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(kernel_live__for_each(&live, see, &space), 0);
	assert_int_equal(seen.blocks, 4);
	assert_int_equal(seen.bytes, 100);
	assert_int_equal(kernel_live__purge(&live, ONE(SPACE), see, &space), 0);
	assert_int_equal(seen.blocks, 8);
	assert_int_equal(all.live_blocks, 0);
	assert_int_equal(all.live_bytes, 0);
	assert_int_equal(kernel_live__for_each(&live, see, &space), 0);
	assert_int_equal(seen.blocks, 8);
	close(live.table_fd);
	live.table_fd = -1;
	assert_int_equal(kernel_live__for_each(&live, see, &space), -EBADF);
	assert_int_equal(kernel_live__purge(&live, ONE(SPACE), see, &space), -EBADF);
}

/* ---- the order of things ---- */

static void block_is_written(void)
{
	assert_int_equal(live__table()->key[0], LIVE_BUSY);
	assert_int_equal(live_slot_unpack(&live__table()->slot[0]).size, 10);
	assert_int_equal(live_slot_unpack(&live__table()->slot[0]).alignment, 32);
}

/* As soon as the key says free, the slot may become another block. */
static void block_becomes_another(void)
{
	assert_int_equal(live__table()->key[0], LIVE_BUSY);
	memset(&live__table()->slot[0], 0xdd, sizeof(live__table()->slot[0]));
}

static void a_key_is_stored_last(void **state)
{
	struct live_block block;

	host.on_barrier = block_is_written;
	put_block(SPACE, nth(0), 10);
	assert_null(host.on_barrier);
	host.on_barrier = block_becomes_another;
	assert_int_equal(live_take(SPACE, nth(0), &block), 1);
	assert_null(host.on_barrier);
	assert_int_equal(block.size, 10);
	assert_int_equal(block.alignment, 32);
}

/* ---- with real threads ---- */

#define SWAPS	  200000
#define CONTESTED 6 /* keys, in a bucket of 7 slots */

static _Atomic bool stop;
static _Atomic __u64 n_put, n_taken, n_purged;

/* Its fields belong together. */
static struct live_block twin_block(__u64 address, __u64 n)
{
	return (struct live_block){.size = n & 0xffffff, .site = n + address, .time_ns = n};
}

static void check_twin(__u64 address, const struct live_block *block)
{
	if (block->size != (block->time_ns & 0xffffff) || block->site != block->time_ns + address) {
		fprintf(stderr, "half of a block was seen\n");
		abort();
	}
}

/* Takes whatever it gets of the keys that all want, and n_put it back as another block. */
static void *swap_blocks(void *arg)
{
	__u64 seed = (__u64)(uintptr_t)arg;

	for (__u64 i = 0, got = 0; got < SWAPS; i++) {
		struct live_block block;
		__u64 address = nth((seed + i * 7 + i / 13) % CONTESTED);

		if (!live_take(SPACE, address, &block))
			continue;
		check_twin(address, &block);
		n_taken++;
		got++;
		block = twin_block(address, seed << 32 | i);
		/* The hash is full; while others move their blocks a slot may be overlooked. */
		while (live_put(SPACE, address, &block))
			;
		n_put++;
	}
	return NULL;
}

static int check_seen(void *arg, const struct live_key *key, const struct live_block *block)
{
	check_twin(key->address, block);
	++*(__u64 *)arg;
	return 0;
}

static void *read_all(void *arg)
{
	__u64 *n = arg;

	do
		live_table__for_each(live__table(), 1, check_seen, n);
	while (!stop);
	return NULL;
}

static void threads_take_and_put(void **state)
{
	pthread_t swapper[3], reader;
	__u64 n_read = 0, n_left = 0;

	MAP_OF(&live)->capacity = 0;
	MAP_OF(&counters);
	live__table();
	stop = false;
	n_put = n_taken = 0;
	for (int i = 0; i < CONTESTED; i++) {
		struct live_block block = twin_block(nth(i), i);

		assert_int_equal(live_put(SPACE, nth(i), &block), 0);
	}
	assert_int_equal(pthread_create(&reader, NULL, read_all, &n_read), 0);
	for (__u64 i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&swapper[i], NULL, swap_blocks, (void *)(uintptr_t)(i + 1)),
			0);
	for (int i = 0; i < 3; i++)
		pthread_join(swapper[i], NULL);
	stop = true;
	pthread_join(reader, NULL);
	assert_true(n_read > 0);
	assert_int_equal(n_taken, 3 * SWAPS);
	assert_int_equal(n_put, 3 * SWAPS);
	/* Each is there once. */
	live_table__for_each(live__table(), 1, check_seen, &n_left);
	assert_int_equal(n_left, CONTESTED);
	for (int i = 0; i < CONTESTED; i++)
		assert_non_null(live__find(SPACE, nth(i)));
	assert_int_equal(live__table()->spilled, 0);
}

static int count_purged(void *arg, const struct live_key *key, const struct live_block *block)
{
	check_twin(key->address, block);
	n_purged++;
	return 0;
}

static void *purge_all(void *arg)
{
	while (!stop)
		live_table__purge(live__table(), 1, ONE(SPACE), &gauge, count_purged, NULL);
	return NULL;
}

/* A block is the program's or the purger's, never both's. */
static void *put_and_take(void *arg)
{
	/* Until the purger, too, has had its share. */
	for (__u64 i = 0; i < SWAPS || n_purged < 100; i++) {
		__u64 address = nth(i % 3 + 3 * (__u64)(uintptr_t)arg);
		struct live_block block = twin_block(address, i);
		int err = live_put(SPACE, address, &block);

		if (!err)
			n_put++;
		if ((i & 3) && live_take(SPACE, address, &block)) {
			check_twin(address, &block);
			n_taken++;
		}
	}
	return NULL;
}

static void threads_and_a_purge(void **state)
{
	pthread_t programs[2], purger;
	__u64 n_left = 0;

	MAP_OF(&live)->capacity = 0;
	live__table();
	stop = false;
	n_put = n_taken = n_purged = 0;
	assert_int_equal(pthread_create(&purger, NULL, purge_all, NULL), 0);
	for (__u64 i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&programs[i], NULL, put_and_take, (void *)(uintptr_t)i), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(programs[i], NULL);
	stop = true;
	pthread_join(purger, NULL);
	live_table__for_each(live__table(), 1, check_seen, &n_left);
	assert_true(n_taken >= 100 && n_purged >= 100);
	assert_int_equal(n_put, n_taken + n_purged + n_left);
	assert_int_equal(-gauge.live_blocks, n_purged);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys),
		TEST(slots),
		TEST(addresses_spread_over_the_buckets),
		TEST(reading_the_table),
		TEST(purging_a_space),
		TEST(a_purge_that_is_stopped),
		TEST(purging_does_not_take_what_is_taken),
		TEST(a_large_table),
		TEST(a_key_is_stored_last),
		TEST(threads_take_and_put),
		TEST(threads_and_a_purge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
