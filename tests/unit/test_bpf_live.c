// SPDX-License-Identifier: BSD-2-Clause
/*
 * The heap's books on blocks in the table and in the hash beside it (bpf/live_table.bpf.h), as host
 * C; and what a thread remembers of its process.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "bpfhost/host.h"
#include "args.bpf.c"
#include "heap.bpf.c"
#include "code.bpf.c"
#include "unwind.bpf.c"
#include "span_stack.bpf.c"
#include "life.bpf.c"
#include "bpfhost/live.h"

#define STACK  0x7ffe00000000ULL
#define SP     (STACK + 0x8000)
#define PID    4000
#define SPACE  77
#define FAILED 0

static struct task_struct task;

static void add_target(__u32 pid, __u64 space)
{
	struct target target = {.space = space, .layout = space, .heap_ready = 1};

	assert_int_equal(bpf_map_update_elem(&targets, &pid, &target, BPF_ANY), 0);
}

static int set_up(void **state)
{
	host__reset();
	memory__map(STACK, 0x10000);
	memset(&gauge, 0, sizeof(gauge));
	task = (struct task_struct){.tgid = PID, .pid = PID};
	host.task = &task;
	host.now = 1000;
	host_config.stack_depth = STACK_DEPTH_MAX;
	live__set_up(1);
	gate = 1;
	add_target(PID, SPACE);
	return 0;
}

static int tear_down(void **state)
{
	assert_null(host.on_swap); /* an injected race was run */
	memory__check();
	host__reset();
	return 0;
}

/* ---- calls ---- */

static int enter(__u32 fn, __u64 arg1, __u64 arg2)
{
	struct pt_regs regs = {.sp = SP, .di = arg1, .si = arg2};

	host.cookie = fn;
	host.is_return = false;
	return heap_session(&regs);
}

static void leave(__u64 result)
{
	struct pt_regs regs = {.sp = SP + 8, .ax = result};

	host.is_return = true;
	heap_session(&regs);
	host.is_return = false;
}

static void call(__u32 fn, __u64 arg1, __u64 arg2, __u64 result)
{
	assert_int_equal(enter(fn, arg1, arg2), 0);
	leave(result);
}

static void do_malloc(__u64 size, __u64 result)
{
	call(HEAP_MALLOC, size, 0, result);
}

static void do_free(__u64 address)
{
	assert_int_equal(enter(HEAP_FREE, address, 0), SKIP_RETURN);
}

/* Blocks of 10, 11, ... bytes at 0x1000, 0x1010, ...: the first ones fill the only bucket. */
static __u64 nth(int i)
{
	return 0x1000 + i * 0x10;
}

static void allocate(int n)
{
	for (int i = 0; i < n; i++)
		do_malloc(10 + i, nth(i));
}

static size_t hashed(void)
{
	return MAP_OF(&live)->len;
}

static __u64 size_at(__u64 address)
{
	struct live_block *block = live__find(SPACE, address);

	if (!block)
		fail_msg("no block at %#llx", address);
	return block->size;
}

static void assert_books(__u64 allocs, __u64 frees, __u64 unknown)
{
	struct live_total total = live__total();

	assert_int_equal(counted(COUNTER_HEAP_ALLOCS), allocs);
	assert_int_equal(counted(COUNTER_HEAP_FREES), frees);
	assert_int_equal(counted(COUNTER_HEAP_UNKNOWN_FREES), unknown);
	assert_int_equal(gauge.live_blocks, total.blocks);
	assert_int_equal(gauge.live_bytes, total.bytes);
	assert_int_equal(gauge.in_realloc, 0);
	assert_int_equal(allocs, frees + total.blocks + counted(COUNTER_HEAP_LIVE_FULL) +
					 counted(COUNTER_HEAP_CONFLICTS) +
					 counted(COUNTER_HEAP_RESTORE_FAILED));
}

/* ---- places ---- */

static void a_full_bucket(void **state)
{
	allocate(10);
	assert_int_equal(hashed(), 3);
	assert_int_equal(live__table()->spilled, 3);
	for (int i = 0; i < 10; i++)
		assert_int_equal(size_at(nth(i)), 10 + i);
	assert_books(10, 0, 0);
	/* From either place, in any order. */
	for (int i = 9; i >= 0; i -= 2)
		do_free(nth(i));
	assert_int_equal(live__table()->spilled, hashed());
	assert_books(10, 5, 0);
	/* There is room in the bucket again. */
	do_malloc(99, 0x9000);
	assert_int_equal(hashed(), 1);
	for (int i = 0; i < 10; i += 2) {
		assert_int_equal(size_at(nth(i)), 10 + i);
		do_free(nth(i));
	}
	do_free(0x9000);
	assert_int_equal(live__table()->spilled, 0);
	assert_books(11, 11, 0);
	assert_int_equal(gauge.live_bytes, 0);
	assert_int_equal(counted(COUNTER_HEAP_FREED_BYTES), 145 + 99);
}

static void everything_is_full(void **state)
{
	MAP_OF(&live)->capacity = 2;
	allocate(12);
	assert_int_equal(counted(COUNTER_HEAP_LIVE_FULL), 3);
	assert_int_equal(counted(COUNTER_HEAP_LIVE_FULL_BYTES), 19 + 20 + 21);
	assert_int_equal(live__table()->spilled, 2);
	for (int i = 0; i < 9; i++)
		assert_int_equal(size_at(nth(i)), 10 + i); /* none was thrown out */
	assert_books(12, 0, 0);
	do_free(nth(11)); /* not tracked */
	assert_books(12, 0, 1);
	do_free(nth(8));
	do_malloc(50, nth(11));
	do_free(nth(0));
	do_malloc(51, nth(10));
	assert_int_equal(counted(COUNTER_HEAP_LIVE_FULL), 3);
	assert_books(14, 2, 1);
}

/* What does not fit the table is in the hash, and otherwise the same. */
static void blocks_that_do_not_fit(void **state)
{
	static const struct {
		__u64 address, size, alignment;
		int has_bucket;
	} cases[] = {
		{1ULL << 47, 10, 0, 0},
		{0x00fffffffffff000, 11, 64, 0}, /* of five levels of page tables */
		{0xffff800000001000, 12, 0, 0},
		{0x1004, 13, 0, 0},
		{0x1001, 14, 0, 0},
		{0x2000, (1ULL << 56) - 1, 16, -1}, /* this one does */
		{0x3000, 1ULL << 56, 0, 1},
		{0x4000, 16, 48, 1},
		{0x5000, 17, 3, 1},
	};
	size_t in_hash = 0, in_bucket = 0, n = sizeof(cases) / sizeof(cases[0]);

	for (size_t i = 0; i < n; i++) {
		call(HEAP_MEMALIGN, cases[i].alignment, cases[i].size, cases[i].address);
		in_hash += cases[i].has_bucket >= 0;
		in_bucket += cases[i].has_bucket > 0;
		assert_int_equal(hashed(), in_hash);
		assert_int_equal(live__table()->spilled, in_bucket);
	}
	for (size_t i = 0; i < n; i++) {
		struct live_block *block = live__find(SPACE, cases[i].address);

		assert_non_null(block);
		assert_int_equal(block->size, cases[i].size);
		assert_int_equal(block->alignment, cases[i].alignment);
		assert_int_equal(block->time_ns, 1000);
	}
	assert_books(n, 0, 0);
	for (size_t i = 0; i < n; i++)
		do_free(cases[i].address);
	assert_books(n, n, 0);
	assert_int_equal(live__table()->spilled, 0);
	/* An address space whose number is too large. */
	add_target(5000, 1ULL << 20);
	host.task = &(struct task_struct){.tgid = 5000, .pid = 5000};
	do_malloc(10, 0x1000);
	assert_int_equal(hashed(), 1);
	do_free(0x1000);
	assert_books(n + 1, n + 1, 0);
}

static void alignment_is_kept(void **state)
{
	call(HEAP_MEMALIGN, 64, 100, 0x1000);
	call(HEAP_MEMALIGN, 1, 101, 0x2000);
	call(HEAP_MEMALIGN, 1 << 30, 102, 0x40000000);
	assert_int_equal(hashed(), 0);
	assert_int_equal(live__find(SPACE, 0x1000)->alignment, 64);
	assert_int_equal(live__find(SPACE, 0x2000)->alignment, 1);
	assert_int_equal(live__find(SPACE, 0x40000000)->alignment, 1 << 30);
	/* A realloc that fails n_put the block back as it was. */
	call(HEAP_REALLOC, 0x1000, 500, FAILED);
	assert_int_equal(live__find(SPACE, 0x1000)->alignment, 64);
	assert_int_equal(size_at(0x1000), 100);
	assert_books(3, 0, 0);
}

/* ---- conflicts: the address of a block whose free was missed ---- */

static void assert_conflict(__u64 address, __u64 bytes)
{
	__u64 conflicts = counted(COUNTER_HEAP_CONFLICTS);
	__u64 conflict_bytes = counted(COUNTER_HEAP_CONFLICT_BYTES);
	__u64 allocs = counted(COUNTER_HEAP_ALLOCS), frees = counted(COUNTER_HEAP_FREES);

	do_malloc(1000, address);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICTS), conflicts + 1);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICT_BYTES), conflict_bytes + bytes);
	assert_int_equal(size_at(address), 1000);
	assert_books(allocs + 1, frees, 0);
}

static void conflicts(void **state)
{
	allocate(9);
	assert_conflict(nth(3), 13); /* in the table */
	assert_conflict(nth(8), 18); /* in the hash, which it goes to again */
	assert_int_equal(hashed(), 2);
	do_free(nth(0));
	assert_conflict(nth(7), 17); /* in the hash; now there is room in the table */
	assert_int_equal(hashed(), 1);
	assert_conflict(nth(7), 1000);
	assert_int_equal(live__table()->spilled, 1);
	do_malloc(10, 1ULL << 60);
	assert_conflict(1ULL << 60, 10); /* without a bucket */
}

/* The block that is put does not fit a slot, the one whose free was missed does; and back. */
static void a_conflict_of_unlike_blocks(void **state)
{
	do_malloc(10, 0x1000);
	do_malloc(1ULL << 56, 0x1000);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICT_BYTES), 10);
	assert_int_equal(hashed(), 1);
	assert_books(2, 0, 0);
	assert_conflict(0x1000, 1ULL << 56);
	assert_int_equal(hashed(), 0);
}

/* ---- realloc ---- */

static void a_block_is_restored(void **state)
{
	allocate(8);
	for (int i = 0; i < 8; i++) {
		host.now = 5000;
		call(HEAP_REALLOC, nth(i), 999, FAILED);
		assert_int_equal(size_at(nth(i)), 10 + i);
		assert_int_equal(live__find(SPACE, nth(i))->time_ns, 1000);
	}
	assert_books(8, 0, 0);
}

/* Its place was given away meanwhile, and the hash is full, too. */
static void a_block_that_cannot_be_restored(void **state)
{
	MAP_OF(&live)->capacity = 0;
	allocate(7);
	assert_int_equal(enter(HEAP_REALLOC, nth(0), 20), 0);
	host.task = &(struct task_struct){.tgid = PID, .pid = PID + 1};
	do_malloc(30, 0x9000);
	host.task = &task;
	leave(FAILED);
	assert_int_equal(counted(COUNTER_HEAP_RESTORE_FAILED), 1);
	assert_int_equal(gauge.live_bytes, 91 - 10 + 30);
	assert_books(8, 0, 0);
}

/* The address is in use again: what is there now stays. */
static void a_restored_block_does_not_displace(void **state)
{
	do_malloc(10, 0x1000);
	assert_int_equal(enter(HEAP_REALLOC, 0x1000, 20), 0);
	host.task = &(struct task_struct){.tgid = PID, .pid = PID + 1};
	do_malloc(30, 0x1000);
	host.task = &task;
	leave(FAILED);
	assert_int_equal(size_at(0x1000), 30);
	assert_int_equal(counted(COUNTER_HEAP_RESTORE_FAILED), 1);
	assert_books(2, 0, 0);
}

/* ---- races: what another CPU does right before a compare-and-swap ---- */

static void before_swap_of(const void *at, void (*then)(void))
{
	host.on_swap_at = at;
	host.on_swap = then;
}

static void take_first_block(void)
{
	assert_int_equal(live__table()->key[0], live_table_key(SPACE, nth(0)));
	live__table()->key[0] = 0;
	gauge_add(-10, -1);
	count(COUNTER_HEAP_FREES, 1);
}

static void two_take_a_block(void **state)
{
	allocate(2);
	before_swap_of(&live__table()->key[0], take_first_block);
	do_free(nth(0));
	assert_books(2, 1, 1); /* the other one booked it; here it was not to be found */
	assert_int_equal(size_at(nth(1)), 11);
}

static void hand_out_first_slot(void)
{
	live__table()->key[0] = LIVE_BUSY;
}

static void two_want_a_slot(void **state)
{
	before_swap_of(&live__table()->key[0], hand_out_first_slot);
	do_malloc(10, 0x1000);
	assert_int_equal(live__table()->key[0], LIVE_BUSY); /* the other's, untouched */
	assert_int_equal(live__table()->key[1], live_table_key(SPACE, 0x1000));
	live__table()->key[0] = 0;
	assert_books(1, 0, 0);
}

static void hand_out_last_slot(void)
{
	live__table()->key[LIVE_WAYS - 1] = LIVE_BUSY;
}

static void two_want_the_last_slot(void **state)
{
	allocate(LIVE_WAYS - 1);
	before_swap_of(&live__table()->key[LIVE_WAYS - 1], hand_out_last_slot);
	do_malloc(100, 0x9000);
	assert_int_equal(hashed(), 1);
	live__table()->key[LIVE_WAYS - 1] = 0;
	assert_int_equal(size_at(0x9000), 100);
	assert_books(LIVE_WAYS, 0, 0);
}

/* The late free is seen after all, between finding the block and retiring it. */
static void a_conflict_that_vanishes(void **state)
{
	do_malloc(10, nth(0));
	before_swap_of(&live__table()->key[0], take_first_block);
	do_malloc(20, nth(0));
	assert_int_equal(counted(COUNTER_HEAP_CONFLICTS), 0);
	assert_int_equal(size_at(nth(0)), 20);
	assert_books(2, 1, 0);
}

static void two_delete_from_the_hash(void **state)
{
	allocate(8);
	MAP_OF(&live)->failing_deletes = 1;
	do_free(nth(7));
	assert_int_equal(counted(COUNTER_HEAP_FREES), 0);
	assert_int_equal(live__table()->spilled, 1); /* the other CPU takes it off, as from the */
	assert_int_equal(gauge.live_blocks, 8);	     /* gauge */
}

/* ---- whose a thread is ---- */

static struct heap_thread *thread(void)
{
	return bpf_task_storage_get(&heap_threads, host.task, 0, 0);
}

/* Asked for once; user space forgets a process only after its last thread is gone. */
static void a_thread_remembers_its_target(void **state)
{
	__u32 pid = PID;

	do_free(0x5000);
	assert_int_equal(thread()->space, SPACE);
	bpf_map_delete_elem(&targets, &pid);
	do_malloc(10, 0x1000);
	do_free(0x1000);
	assert_books(1, 1, 1);
	gate = 0;
	assert_int_equal(enter(HEAP_MALLOC, 10, 0), SKIP_RETURN);
	assert_int_equal(counted(COUNTER_PROBE_HITS), 3);
	/* Others do not get state by passing by. */
	gate = 1;
	host.task = &(struct task_struct){.tgid = 1, .pid = 1};
	assert_int_equal(enter(HEAP_FREE, 0x1000, 0), SKIP_RETURN);
	assert_null(thread());
}

static void exec_makes_another_program(void **state)
{
	struct heap_thread *t;

	memory__put(SP, 0x401111);
	do_malloc(10, 0x1000);
	assert_int_equal(enter(HEAP_REALLOC, 0x1000, 20), 0); /* a handler executes, say */
	t = thread();
	t->freed = 0x1000;
	life_exec(&task, PID);
	assert_int_equal(counted(COUNTER_HEAP_RESTORE_FAILED), 1);
	assert_books(1, 0, 0);
	leave(0x2000); /* no return of the new program */
	assert_books(1, 0, 0);
	do_malloc(30, 0x1000);
	assert_null(live__find(SPACE, 0x1000));
	assert_int_equal(live__find(last_space, 0x1000)->size, 30);
	assert_int_equal(thread()->layout, last_space);
	assert_books(2, 0, 0);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICTS), 0);
	/* Without a call under way there is nothing to lose. */
	life_exec(&task, PID);
	assert_int_equal(counted(COUNTER_HEAP_MISSED_RETURNS), 1);
	do_free(0x1000);
	assert_books(2, 0, 1);
}

/* ---- against a model ---- */

#define ADDRESSES 2000
#define BUCKETS	  128
#define HASHED	  200

static __u64 random_state;

static __u32 random_below(__u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) % n;
}

struct model {
	struct {
		bool alive, tracked;
		__u64 size, alignment, time_ns;
	} blocks[ADDRESSES];
	__u64 allocs, frees, unknown, freed_bytes, lost, conflicts;
};

static struct model model;

/* Mostly ordinary ones, some that only the hash n_taken. */
static __u64 model_address(int i)
{
	return i % 50 == 49 ? (1ULL << 47) + i * 0x10 : 0x555500000010 + i * 0x30;
}

static bool has_room(__u64 address)
{
	__u64 key = live_table_key(SPACE, address);
	struct live_bucket *bucket;

	if (hashed() < HASHED)
		return true;
	bucket = key ? &live__table()[live_table_bucket(key, BUCKETS)] : NULL;
	for (int way = 0; bucket && way < LIVE_WAYS; way++) {
		if (!bucket->key[way])
			return true;
	}
	return false;
}

/* An alive block is sometimes handed out again: its free was missed. */
static void model_alloc(int i)
{
	__u64 address = model_address(i), lost = counted(COUNTER_HEAP_LIVE_FULL);
	__u64 alignment = random_below(3) ? 0 : 1ULL << random_below(40);
	__u64 size = random_below(100000);

	host.now++;
	call(HEAP_MEMALIGN, alignment, size, address);
	model.allocs++;
	model.conflicts += model.blocks[i].alive && model.blocks[i].tracked;
	model.blocks[i].alive = true;
	model.blocks[i].size = size;
	model.blocks[i].alignment = alignment;
	model.blocks[i].time_ns = host.now;
	model.blocks[i].tracked = counted(COUNTER_HEAP_LIVE_FULL) == lost;
	model.lost += !model.blocks[i].tracked;
	if (!model.blocks[i].tracked)
		assert_false(has_room(address));
}

static void model_free(int i)
{
	do_free(model_address(i));
	if (model.blocks[i].alive && model.blocks[i].tracked) {
		model.frees++;
		model.freed_bytes += model.blocks[i].size;
	} else {
		model.unknown++;
	}
	model.blocks[i].alive = false;
	assert_int_equal(counted(COUNTER_HEAP_FREED_BYTES), model.freed_bytes);
}

static void compare_with_model(void)
{
	assert_int_equal(counted(COUNTER_HEAP_LIVE_FULL), model.lost);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICTS), model.conflicts);
	assert_books(model.allocs, model.frees, model.unknown);
	for (int i = 0; i < ADDRESSES; i++) {
		struct live_block *block = live__find(SPACE, model_address(i));

		assert_int_equal(block != NULL, model.blocks[i].alive && model.blocks[i].tracked);
		if (!block)
			continue;
		assert_int_equal(block->size, model.blocks[i].size);
		assert_int_equal(block->alignment, model.blocks[i].alignment);
		assert_int_equal(block->time_ns, model.blocks[i].time_ns);
	}
}

static void a_long_run(void **state)
{
	bool overflowed = false;

	live__set_up(BUCKETS);
	MAP_OF(&live)->capacity = HASHED;
	memset(&model, 0, sizeof(model));
	random_state = 88172645463325252ULL;
	for (int round = 0; round < 200000; round++) {
		/* Tides: from next to nothing to more than there is room for. */
		bool rising = round / 10000 % 2 == 0;
		int i = random_below(ADDRESSES);

		if (model.blocks[i].alive ? rising && !random_below(20)
					  : random_below(10) < (rising ? 8 : 3))
			model_alloc(i);
		else
			model_free(i);
		overflowed |= hashed() == HASHED;
		if (round % 10000 == 9999)
			compare_with_model();
	}
	assert_true(overflowed && model.lost && model.conflicts && model.unknown);
	for (int i = 0; i < ADDRESSES; i++) {
		if (model.blocks[i].alive)
			model_free(i);
	}
	compare_with_model();
	assert_int_equal(gauge.live_bytes, 0);
	for (int i = 0; i < BUCKETS; i++)
		assert_int_equal(live__table()[i].spilled, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_full_bucket),
		TEST(everything_is_full),
		TEST(blocks_that_do_not_fit),
		TEST(alignment_is_kept),
		TEST(conflicts),
		TEST(a_conflict_of_unlike_blocks),
		TEST(a_block_is_restored),
		TEST(a_block_that_cannot_be_restored),
		TEST(a_restored_block_does_not_displace),
		TEST(two_take_a_block),
		TEST(two_want_a_slot),
		TEST(two_want_the_last_slot),
		TEST(a_conflict_that_vanishes),
		TEST(two_delete_from_the_hash),
		TEST(a_thread_remembers_its_target),
		TEST(exec_makes_another_program),
		TEST(a_long_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
