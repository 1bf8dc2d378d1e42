// SPDX-License-Identifier: BSD-2-Clause
/* The books of bpf/heap.bpf.c, compiled as host C (bpfhost/host.h). */
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
#define SP     (STACK + 0x8000) /* of an ordinary call */
#define OUT    (STACK + 0x100)	/* where posix_memalign puts its block */
#define PID    4000
#define SPACE  77
#define LAYOUT 7
#define FAILED 0 /* what a failed call returns */

static struct task_struct task, second_task;
static __u32 buckets; /* of the table of blocks alive, 0 = the hash has them all */

static void add_target(__u32 pid, __u64 space)
{
	struct target target = {.space = space, .layout = LAYOUT, .heap_ready = 1};

	assert_int_equal(bpf_map_update_elem(&targets, &pid, &target, BPF_ANY), 0);
}

static int set_up(void **state)
{
	host__reset();
	memory__map(STACK, 0x10000);
	memset(&gauge, 0, sizeof(gauge));
	memset(&task, 0, sizeof(task));
	task.tgid = task.pid = PID;
	second_task = task;
	second_task.pid = PID + 1;
	host.task = &task;
	host.now = 1000;
	host_config.stack_depth = STACK_DEPTH_MAX;
	live__set_up(buckets);
	gate = 1;
	add_target(PID, SPACE);
	return 0;
}

static int tear_down(void **state)
{
	memory__check();
	host__reset();
	return 0;
}

/* ---- calls ---- */

/* The probe at a function's entry. Which stack it is called from tells the caller apart. */
static int enter(enum heap_function fn, __u64 sp, __u64 arg1, __u64 arg2, __u64 arg3)
{
	struct pt_regs regs = {.sp = sp, .di = arg1, .si = arg2, .dx = arg3};

	host.cookie = fn;
	host.is_return = false;
	return heap_session(&regs);
}

static void leave(enum heap_function fn, __u64 sp, __u64 result)
{
	struct pt_regs regs = {.sp = sp + 8, .ax = result};

	host.cookie = fn;
	host.is_return = true;
	heap_session(&regs);
	host.is_return = false;
}

/* A whole call, as the kernel makes it: the return is probed if the entry asks for it. */
static void call(enum heap_function fn, __u64 arg1, __u64 arg2, __u64 arg3, __u64 result)
{
	if (!enter(fn, SP, arg1, arg2, arg3))
		leave(fn, SP, result);
}

static void do_malloc(__u64 size, __u64 result)
{
	call(HEAP_MALLOC, size, 0, 0, result);
}

static void do_free(__u64 address)
{
	assert_int_equal(enter(HEAP_FREE, SP, address, 0, 0), SKIP_RETURN);
}

static void do_realloc(__u64 old, __u64 size, __u64 result)
{
	call(HEAP_REALLOC, old, size, 0, result);
}

/* ---- what the books say ---- */

/* A copy, valid until a few further ones are made. */
static struct live_block *block_of(__u64 space, __u64 address)
{
	return live__find(space, address);
}

static struct live_block *block_at(__u64 address)
{
	return block_of(SPACE, address);
}

static struct heap_site *site_of_block(__u64 address)
{
	struct live_block *block = block_at(address);

	return block ? bpf_map_lookup_elem(&sites, &block->site) : NULL;
}

/* The gauge agrees with the live set, nothing is in flight, and the ledger balances. */
static void assert_balanced(void)
{
	struct live_total total = live__total();
	__s64 blocks = total.blocks;

	assert_int_equal(gauge.live_blocks, total.blocks);
	assert_int_equal(gauge.live_bytes, total.bytes);
	assert_int_equal(gauge.in_realloc, 0);
	assert_true(gauge.peak_live_bytes >= gauge.live_bytes);
	assert_int_equal(counted(COUNTER_HEAP_ALLOCS),
			 counted(COUNTER_HEAP_FREES) + blocks + counted(COUNTER_HEAP_LIVE_FULL) +
				 counted(COUNTER_HEAP_CONFLICTS) +
				 counted(COUNTER_HEAP_RESTORE_FAILED));
}

struct book {
	__u64 allocs, frees, failed, unknown;
};

static void assert_book(struct book want)
{
	struct book got = {counted(COUNTER_HEAP_ALLOCS), counted(COUNTER_HEAP_FREES),
			   counted(COUNTER_HEAP_FAILED), counted(COUNTER_HEAP_UNKNOWN_FREES)};

	if (memcmp(&got, &want, sizeof(got)))
		fail_msg("allocs %llu frees %llu failed %llu unknown %llu", got.allocs, got.frees,
			 got.failed, got.unknown);
	assert_balanced();
}

#define BOOK(...) assert_book((struct book){__VA_ARGS__})

/* ---- tests ---- */

static void malloc_and_free(void **state)
{
	struct live_block *block;
	struct heap_site *site;

	memory__put(SP, 0x401234);
	do_malloc(100, 0x1000);
	BOOK(.allocs = 1);
	block = block_at(0x1000);
	assert_non_null(block);
	assert_int_equal(block->size, 100);
	assert_int_equal(block->time_ns, 1000);
	assert_int_equal(block->alignment, 0);
	site = site_of_block(0x1000);
	assert_non_null(site);
	assert_int_equal(site->tgid, PID);
	assert_int_equal(site->depth, 1);
	assert_int_equal(site->frames[0], 0x401234);
	assert_int_equal(counted(COUNTER_HEAP_ALLOC_BYTES), 100);
	assert_int_equal(gauge.live_bytes, 100);

	host.now = 2000;
	do_malloc(50, 0x2000);
	assert_ptr_equal(site_of_block(0x2000), site);
	assert_int_equal(site->allocs, 2);
	assert_int_equal(site->alloc_bytes, 150);
	assert_int_equal(site->first_ns, 1000);
	assert_int_equal(site->last_ns, 2000);
	assert_int_equal(site->largest, 100);

	do_free(0x1000);
	BOOK(.allocs = 2, .frees = 1);
	assert_null(block_at(0x1000));
	assert_int_equal(counted(COUNTER_HEAP_FREED_BYTES), 100);
	assert_int_equal(site->frees, 1);
	assert_int_equal(site->freed_bytes, 100);
	assert_int_equal(gauge.live_bytes, 50);
	assert_int_equal(gauge.peak_live_bytes, 150);
	/* Entries are hits, returns are not. */
	assert_int_equal(counted(COUNTER_PROBE_HITS), 3);
	/* Twice is once. */
	do_free(0x1000);
	BOOK(.allocs = 2, .frees = 1, .unknown = 1);
}

static void call_sites_are_told_apart(void **state)
{
	memory__put(SP, 0x401234);
	do_malloc(1, 0x1000);
	memory__put(SP, 0x405678);
	do_malloc(2, 0x2000);
	assert_true(site_of_block(0x1000) != site_of_block(0x2000));
	assert_int_equal(site_of_block(0x2000)->frames[0], 0x405678);
	assert_int_equal(site_of_block(0x2000)->allocs, 1);
	/* Freed elsewhere: the books are kept where the block came from. */
	do_free(0x1000);
	assert_int_equal(site_of_block(0x2000)->frees, 0);
	BOOK(.allocs = 2, .frees = 1);
}

static void stack_that_cannot_be_read(void **state)
{
	memory__fault(SP, FAULT_HARD);
	do_malloc(10, 0x1000);
	BOOK(.allocs = 1);
	assert_int_equal(site_of_block(0x1000)->depth, 0);
	assert_int_equal(site_of_block(0x1000)->allocs, 1);
}

static void nothing_and_failure(void **state)
{
	do_free(0);
	BOOK(.allocs = 0);
	do_malloc(1ULL << 60, FAILED);
	BOOK(.failed = 1);
	assert_int_equal(counted(COUNTER_HEAP_ALLOC_BYTES), 0);
	do_malloc(0, 0x1000); /* a block of size 0 is a block */
	BOOK(.allocs = 1, .failed = 1);
	assert_non_null(block_at(0x1000));
	do_free(0x1000);
	BOOK(.allocs = 1, .frees = 1, .failed = 1);
	do_free(0x5000); /* older than the attach */
	BOOK(.allocs = 1, .frees = 1, .failed = 1, .unknown = 1);
}

static void arguments_of_the_family(void **state)
{
	call(HEAP_CALLOC, 10, 20, 0, 0x1000);
	assert_int_equal(block_at(0x1000)->size, 200);
	call(HEAP_MEMALIGN, 64, 1000, 0, 0x2000);
	assert_int_equal(block_at(0x2000)->size, 1000);
	assert_int_equal(block_at(0x2000)->alignment, 64);
	call(HEAP_REALLOCARRAY, 0, 30, 40, 0x3000);
	assert_int_equal(block_at(0x3000)->size, 1200);
	memory__put(OUT, 0x4000);
	call(HEAP_POSIX_MEMALIGN, OUT, 128, 500, 0);
	assert_int_equal(block_at(0x4000)->size, 500);
	assert_int_equal(block_at(0x4000)->alignment, 128);
	do_malloc(5, 0x5000); /* nothing is left over from the call before */
	assert_int_equal(block_at(0x5000)->alignment, 0);
	BOOK(.allocs = 5);
}

static void products(void **state)
{
	static const struct {
		__u64 n, size, product;
	} cases[] = {
		{0, 0, 0},
		{0, 5, 0},
		{5, 0, 0},
		{~0ULL, 0, 0},
		{0, ~0ULL, 0},
		{1, ~0ULL, ~0ULL},
		{~0ULL, 1, ~0ULL},
		{3, 7, 21},
		{1ULL << 32, (1ULL << 32) - 1, ((1ULL << 32) - 1) << 32},
		/* What does not fit is no small number, and above all not 0. */
		{1ULL << 32, 1ULL << 32, ~0ULL},
		{~0ULL, 2, ~0ULL},
		{2, ~0ULL, ~0ULL},
		{(1ULL << 63) + 1, 2, ~0ULL},
		{~0ULL, ~0ULL, ~0ULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (product(cases[i].n, cases[i].size) != cases[i].product)
			fail_msg("%#llx * %#llx", cases[i].n, cases[i].size);
	call(HEAP_CALLOC, 1ULL << 32, 1ULL << 32, 0, FAILED);
	BOOK(.failed = 1);
	/* reallocarray fails on it and keeps the block; a product of 0 would have freed it. */
	do_malloc(10, 0x1000);
	call(HEAP_REALLOCARRAY, 0x1000, 1ULL << 32, 1ULL << 32, FAILED);
	BOOK(.allocs = 1, .failed = 2);
	assert_int_equal(block_at(0x1000)->size, 10);
}

static void realloc_moves(void **state)
{
	memory__put(SP, 0x401111);
	do_malloc(10, 0x1000);
	host.now = 5000;
	memory__put(SP, 0x402222);
	do_realloc(0x1000, 30, 0x2000);
	BOOK(.allocs = 2, .frees = 1);
	assert_null(block_at(0x1000));
	assert_int_equal(block_at(0x2000)->size, 30);
	assert_int_equal(block_at(0x2000)->time_ns, 5000);
	assert_int_equal(site_of_block(0x2000)->frames[0], 0x402222);
	assert_int_equal(gauge.live_bytes, 30);
	/* In place. */
	do_realloc(0x2000, 40, 0x2000);
	BOOK(.allocs = 3, .frees = 2);
	assert_int_equal(block_at(0x2000)->size, 40);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICTS), 0);
}

static void realloc_fails(void **state)
{
	struct live_block before;

	memory__put(SP, 0x401111);
	do_malloc(10, 0x1000);
	before = *block_at(0x1000);
	host.now = 5000;
	memory__put(SP, 0x402222);
	do_realloc(0x1000, 1ULL << 60, FAILED);
	BOOK(.allocs = 1, .failed = 1);
	/* As it was, with its own time and call site. */
	assert_memory_equal(block_at(0x1000), &before, sizeof(before));
	do_free(0x1000);
	BOOK(.allocs = 1, .frees = 1, .failed = 1);
}

static void realloc_of_nothing_and_to_nothing(void **state)
{
	do_realloc(0, 20, 0x1000); /* malloc */
	BOOK(.allocs = 1);
	do_realloc(0, 20, FAILED);
	BOOK(.allocs = 1, .failed = 1);
	do_realloc(0x1000, 0, 0); /* free, as glibc has it */
	BOOK(.allocs = 1, .frees = 1, .failed = 1);
	assert_null(block_at(0x1000));
	do_malloc(7, 0x2000);
	do_realloc(0x2000, 0, 0x3000); /* a new block of size 0, as others have it */
	BOOK(.allocs = 3, .frees = 2, .failed = 1);
	assert_int_equal(block_at(0x3000)->size, 0);
}

static void realloc_of_an_older_block(void **state)
{
	do_realloc(0x9000, 10, 0xa000);
	BOOK(.allocs = 1, .unknown = 1);
	do_realloc(0x9100, 10, FAILED); /* it lives on */
	BOOK(.allocs = 1, .failed = 1, .unknown = 1);
	do_realloc(0x9100, 0, 0);
	BOOK(.allocs = 1, .failed = 1, .unknown = 2);
}

/* While realloc runs its block is in no map: the gauge says so, and still counts it as live. */
static void a_block_in_realloc(void **state)
{
	do_malloc(10, 0x1000);
	assert_int_equal(enter(HEAP_REALLOC, SP, 0x1000, 20, 0), 0);
	assert_int_equal(gauge.in_realloc, 1);
	assert_int_equal(gauge.live_blocks, 1);
	assert_null(block_at(0x1000));
	/* Another thread gets the address as soon as realloc has given it up. */
	host.task = &second_task;
	do_malloc(99, 0x1000);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICTS), 0);
	host.task = &task;
	leave(HEAP_REALLOC, SP, 0x2000);
	BOOK(.allocs = 3, .frees = 1);
	assert_int_equal(block_at(0x1000)->size, 99);
	assert_int_equal(block_at(0x2000)->size, 20);
}

/* The failed realloc's block cannot be put back: counted, and out of the gauge. */
static void a_block_that_cannot_be_restored(void **state)
{
	do_malloc(10, 0x1000);
	assert_int_equal(enter(HEAP_REALLOC, SP, 0x1000, 20, 0), 0);
	MAP_OF(&live)->failing_updates = 1;
	leave(HEAP_REALLOC, SP, FAILED);
	assert_int_equal(counted(COUNTER_HEAP_RESTORE_FAILED), 1);
	BOOK(.allocs = 1, .failed = 1);
	assert_int_equal(gauge.live_bytes, 0);
	do_malloc(5, 0x2000); /* and that was that */
	assert_int_equal(counted(COUNTER_HEAP_RESTORE_FAILED), 1);
	BOOK(.allocs = 2, .failed = 1);
}

static void posix_memalign_fails(void **state)
{
	memory__put(OUT, 0x9999); /* untouched by the call, and none of our business */
	memory.reads = 0;
	call(HEAP_POSIX_MEMALIGN, OUT, 64, 100, 12 /* ENOMEM */);
	assert_int_equal(memory.reads, 1); /* the stack alone */
	BOOK(.failed = 1);
	assert_null(block_at(0x9999));
	/* The answer is an int: the upper half of rax is nobody's. */
	memory__put(OUT, 0x1000);
	call(HEAP_POSIX_MEMALIGN, OUT, 64, 100, 0xdeadbeef00000000ULL);
	BOOK(.allocs = 1, .failed = 1);
	assert_int_equal(block_at(0x1000)->size, 100);
}

static void posix_memalign_cannot_be_read(void **state)
{
	memory__fault(OUT, FAULT_HARD);
	call(HEAP_POSIX_MEMALIGN, OUT, 64, 100, 0);
	assert_int_equal(counted(COUNTER_HEAP_READ_FAULTS), 1);
	BOOK(.allocs = 0);
	do_malloc(5, 0x1000);
	BOOK(.allocs = 1);
}

/* Allocators call each other; the user made one call. */
static void nested_calls(void **state)
{
	assert_int_equal(enter(HEAP_CALLOC, SP, 10, 10, 0), 0);
	assert_int_equal(enter(HEAP_MALLOC, SP - 0x40, 116, 0, 0), SKIP_RETURN);
	assert_int_equal(enter(HEAP_MEMALIGN, SP - 0x80, 64, 180, 0), SKIP_RETURN);
	leave(HEAP_CALLOC, SP, 0x1000);
	BOOK(.allocs = 1);
	assert_int_equal(block_at(0x1000)->size, 100);
	assert_int_equal(counted(COUNTER_HEAP_MISSED_RETURNS), 0);

	/* A realloc that is a malloc, a copy and a free inside. */
	assert_int_equal(enter(HEAP_REALLOC, SP, 0x1000, 300, 0), 0);
	assert_int_equal(enter(HEAP_MALLOC, SP - 0x40, 300, 0, 0), SKIP_RETURN);
	assert_int_equal(enter(HEAP_FREE, SP - 0x40, 0x1000, 0, 0), SKIP_RETURN);
	leave(HEAP_REALLOC, SP, 0x2000);
	BOOK(.allocs = 2, .frees = 1);
	assert_int_equal(block_at(0x2000)->size, 300);
}

static void a_tail_call_is_nested(void **state)
{
	assert_int_equal(enter(HEAP_MEMALIGN, SP, 64, 100, 0), 0);
	assert_int_equal(enter(HEAP_MEMALIGN, SP, 64, 100, 0), SKIP_RETURN);
	leave(HEAP_MEMALIGN, SP, 0x1000);
	BOOK(.allocs = 1);
	assert_int_equal(counted(COUNTER_HEAP_MISSED_RETURNS), 0);
	do_free(0x1000);
	BOOK(.allocs = 1, .frees = 1);
}

/* A return from elsewhere is not the one we wait for. */
static void a_foreign_return(void **state)
{
	assert_int_equal(enter(HEAP_MALLOC, SP, 100, 0, 0), 0);
	leave(HEAP_MALLOC, SP - 0x100, 0x9000);
	assert_null(block_at(0x9000));
	leave(HEAP_MALLOC, SP, 0x1000);
	BOOK(.allocs = 1);
	leave(HEAP_MALLOC, SP, 0x2000); /* and none is booked twice */
	BOOK(.allocs = 1);
}

static void a_missed_return_is_pruned(void **state)
{
	assert_int_equal(enter(HEAP_MALLOC, SP - 0x200, 100, 0, 0), 0);
	/* The stack was cut back: that call is over, whatever became of it. */
	do_malloc(50, 0x1000);
	assert_int_equal(counted(COUNTER_HEAP_MISSED_RETURNS), 1);
	BOOK(.allocs = 1);
	assert_int_equal(block_at(0x1000)->size, 50);
	do_malloc(60, 0x2000);
	assert_int_equal(counted(COUNTER_HEAP_MISSED_RETURNS), 1);
	BOOK(.allocs = 2);
}

static void a_missed_return_of_realloc(void **state)
{
	do_malloc(10, 0x1000);
	assert_int_equal(enter(HEAP_REALLOC, SP - 0x200, 0x1000, 20, 0), 0);
	do_malloc(50, 0x2000);
	assert_int_equal(counted(COUNTER_HEAP_MISSED_RETURNS), 1);
	assert_int_equal(counted(COUNTER_HEAP_RESTORE_FAILED), 1);
	BOOK(.allocs = 2);
	assert_int_equal(gauge.live_bytes, 50);
	do_malloc(60, 0x3000); /* the old block is lost once */
	BOOK(.allocs = 3);
}

static void a_full_live_set(void **state)
{
	struct host_map *map;

	do_malloc(10, 0x1000);
	map = MAP_OF(&live);
	map->capacity = 2;
	do_malloc(20, 0x2000);
	do_malloc(30, 0x3000);
	assert_int_equal(counted(COUNTER_HEAP_LIVE_FULL), 1);
	assert_int_equal(counted(COUNTER_HEAP_LIVE_FULL_BYTES), 30);
	BOOK(.allocs = 3);
	assert_int_equal(counted(COUNTER_HEAP_ALLOC_BYTES), 60);
	/* Nothing was thrown out to make room. */
	assert_non_null(block_at(0x1000));
	assert_non_null(block_at(0x2000));
	do_free(0x3000);
	BOOK(.allocs = 3, .unknown = 1);
	do_free(0x1000);
	do_malloc(40, 0x4000);
	assert_int_equal(counted(COUNTER_HEAP_LIVE_FULL), 1);
	BOOK(.allocs = 4, .frees = 1, .unknown = 1);
}

static void a_full_site_map(void **state)
{
	memory__put(SP, 0x401111);
	do_malloc(10, 0x1000);
	MAP_OF(&sites)->capacity = 1;
	memory__put(SP, 0x402222);
	do_malloc(20, 0x2000);
	assert_int_equal(counted(COUNTER_HEAP_SITES_FULL), 1);
	assert_null(site_of_block(0x2000));
	BOOK(.allocs = 2); /* tracked all the same */
	assert_int_equal(site_of_block(0x1000)->allocs, 1);
	do_free(0x2000);
	BOOK(.allocs = 2, .frees = 1);
	memory__put(SP, 0x401111); /* a known one still is */
	do_malloc(10, 0x3000);
	assert_int_equal(counted(COUNTER_HEAP_SITES_FULL), 1);
}

/* The address is handed out again: its free was missed, and the books say whose. */
static void a_conflict(void **state)
{
	struct heap_site *first;

	memory__put(SP, 0x401111);
	do_malloc(10, 0x1000);
	first = site_of_block(0x1000);
	memory__put(SP, 0x402222);
	do_malloc(25, 0x1000);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICTS), 1);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICT_BYTES), 10);
	assert_int_equal(first->retired, 1);
	assert_int_equal(first->retired_bytes, 10);
	assert_int_equal(first->frees, 0);
	assert_int_equal(block_at(0x1000)->size, 25);
	assert_true(site_of_block(0x1000) != first);
	BOOK(.allocs = 2);
	do_free(0x1000);
	BOOK(.allocs = 2, .frees = 1);
	assert_int_equal(gauge.live_bytes, 0);
}

/* Two CPUs look the block up; the one whose deletion succeeds books it. */
static void only_who_deletes_books(void **state)
{
	do_malloc(10, 0x1000);
	MAP_OF(&live)->failing_deletes = 1;
	do_free(0x1000);
	assert_int_equal(counted(COUNTER_HEAP_FREES), 0);
	assert_int_equal(counted(COUNTER_HEAP_FREED_BYTES), 0);
	assert_int_equal(gauge.live_blocks, 1); /* the other CPU takes it off */
}

static void address_spaces_are_kept_apart(void **state)
{
	struct task_struct other = {.tgid = 5000, .pid = 5000}, stranger = {.tgid = 1, .pid = 1};

	add_target(5000, 78);
	do_malloc(10, 0x1000);
	host.task = &other;
	do_malloc(20, 0x1000);
	assert_int_equal(counted(COUNTER_HEAP_CONFLICTS), 0);
	assert_int_equal(block_of(SPACE, 0x1000)->size, 10);
	assert_int_equal(block_of(78, 0x1000)->size, 20);
	do_free(0x1000);
	assert_non_null(block_of(SPACE, 0x1000));
	assert_null(block_of(78, 0x1000));
	BOOK(.allocs = 2, .frees = 1);
	/* Somebody who is not traced: nothing, not even a hit. */
	host.task = &stranger;
	assert_int_equal(enter(HEAP_MALLOC, SP, 10, 0, 0), SKIP_RETURN);
	assert_int_equal(enter(HEAP_FREE, SP, 0x1000, 0, 0), SKIP_RETURN);
	leave(HEAP_MALLOC, SP, 0x7000);
	assert_int_equal(counted(COUNTER_PROBE_HITS), 3);
	BOOK(.allocs = 2, .frees = 1);
}

static void threads_are_kept_apart(void **state)
{
	assert_int_equal(enter(HEAP_MALLOC, SP, 10, 0, 0), 0);
	host.task = &second_task;
	do_malloc(20, 0x2000);
	do_free(0x2000);
	host.task = &task;
	leave(HEAP_MALLOC, SP, 0x1000);
	BOOK(.allocs = 2, .frees = 1);
	assert_int_equal(block_at(0x1000)->size, 10);
}

static void the_gate(void **state)
{
	gate = 0;
	assert_int_equal(enter(HEAP_MALLOC, SP, 10, 0, 0), SKIP_RETURN);
	leave(HEAP_MALLOC, SP, 0x1000); /* entered before the gate was opened */
	assert_int_equal(enter(HEAP_FREE, SP, 0x5000, 0, 0), SKIP_RETURN);
	BOOK(.allocs = 0);
	assert_int_equal(counted(COUNTER_PROBE_HITS), 0);
	gate = 1;
	do_malloc(10, 0x1000);
	/* A call that was begun is booked to its end. */
	assert_int_equal(enter(HEAP_REALLOC, SP, 0x1000, 20, 0), 0);
	gate = 0;
	leave(HEAP_REALLOC, SP, 0x2000);
	BOOK(.allocs = 2, .frees = 1);
	assert_int_equal(block_at(0x2000)->size, 20);
}

/* A new child is silent until all its probes are in: a return without its entry is no fact. */
static void a_child_that_is_not_ready(void **state)
{
	struct task_struct child = {.tgid = 6000, .pid = 6000};
	__u32 pid = 6000;

	add_target(6000, 79);
	((struct target *)bpf_map_lookup_elem(&targets, &pid))->heap_ready = 0;
	host.task = &child;
	do_malloc(10, 0x1000);
	do_free(0x5000);
	assert_int_equal(counted(COUNTER_PROBE_HITS), 0);
	BOOK(.allocs = 0);
	((struct target *)bpf_map_lookup_elem(&targets, &pid))->heap_ready = 1;
	do_malloc(10, 0x1000);
	BOOK(.allocs = 1);
}

static void no_memory_for_a_thread(void **state)
{
	host.no_memory = true;
	assert_int_equal(enter(HEAP_MALLOC, SP, 10, 0, 0), SKIP_RETURN);
	assert_int_equal(counted(COUNTER_HEAP_NO_STATE), 1);
	leave(HEAP_MALLOC, SP, 0x1000);
	BOOK(.allocs = 0);
	/* Freeing needs no state. */
	host.no_memory = false;
	do_malloc(10, 0x1000);
	host.task = &second_task;
	host.no_memory = true;
	do_free(0x1000);
	BOOK(.allocs = 1, .frees = 1);
	assert_int_equal(counted(COUNTER_HEAP_NO_STATE), 1);
}

static void the_peak(void **state)
{
	do_malloc(100, 0x1000);
	do_malloc(200, 0x2000);
	do_free(0x1000);
	do_malloc(50, 0x3000);
	assert_int_equal(gauge.live_bytes, 250);
	assert_int_equal(gauge.peak_live_bytes, 300);
	do_malloc(51, 0x4000);
	assert_int_equal(gauge.peak_live_bytes, 301);
}

/* ---- against a model ---- */

#define SLOTS 64

static __u64 random_state;

static __u32 random_below(__u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

static __u64 slot_address(int slot)
{
	return 0x100000 + slot * 0x1000;
}

static int free_slot(const __s64 *sizes)
{
	for (int tries = 0; tries < 1000; tries++) {
		int slot = random_below(SLOTS);

		if (sizes[slot] < 0)
			return slot;
	}
	return -1;
}

/* One random call of a program that makes no mistakes; sizes[] is what it holds, -1 = nothing. */
static void random_call(__s64 *sizes, struct book *book)
{
	int slot = random_below(SLOTS), to = free_slot(sizes);
	__u64 size = random_below(1000) + 1, old = sizes[slot] >= 0 ? slot_address(slot) : 0;
	bool fails = !random_below(5) || to < 0;

	switch (random_below(4)) {
	case 0:
		do_free(old);
		book->frees += old != 0;
		sizes[slot] = -1;
		break;
	case 1:
		call(HEAP_CALLOC, 1, size, 0, fails ? FAILED : slot_address(to));
		book->allocs += !fails;
		book->failed += fails;
		if (!fails)
			sizes[to] = size;
		break;
	case 2: /* in place, if there is a block */
		if (fails || !old) {
			do_realloc(old, size, FAILED);
			book->failed++;
			break;
		}
		do_realloc(old, size, old);
		book->allocs++;
		book->frees++;
		sizes[slot] = size;
		break;
	case 3: /* moved */
		do_realloc(old, size, fails ? FAILED : slot_address(to));
		book->failed += fails;
		if (fails)
			break;
		book->allocs++;
		book->frees += old != 0;
		sizes[slot] = -1;
		sizes[to] = size;
		break;
	}
}

static void a_long_run(void **state)
{
	__s64 sizes[SLOTS];
	struct book book = {0};

	random_state = 88172645463325252ULL;
	for (int i = 0; i < SLOTS; i++)
		sizes[i] = -1;
	for (int round = 0; round < 20000; round++) {
		/* Some calls never return; the next one comes from above. */
		if (!random_below(50)) {
			enter(HEAP_MALLOC, SP - 0x300, 17, 0, 0);
			do_malloc(1, FAILED);
			book.failed++;
		}
		random_call(sizes, &book);
	}
	assert_book(book);
	for (int i = 0; i < SLOTS; i++) {
		struct live_block *block = block_at(slot_address(i));

		assert_int_equal(block != NULL, sizes[i] >= 0);
		if (block)
			assert_int_equal(block->size, sizes[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest with_either[] = {
		TEST(malloc_and_free),
		TEST(call_sites_are_told_apart),
		TEST(stack_that_cannot_be_read),
		TEST(nothing_and_failure),
		TEST(arguments_of_the_family),
		TEST(products),
		TEST(realloc_moves),
		TEST(realloc_fails),
		TEST(realloc_of_nothing_and_to_nothing),
		TEST(realloc_of_an_older_block),
		TEST(a_block_in_realloc),
		TEST(posix_memalign_fails),
		TEST(posix_memalign_cannot_be_read),
		TEST(nested_calls),
		TEST(a_tail_call_is_nested),
		TEST(a_foreign_return),
		TEST(a_missed_return_is_pruned),
		TEST(a_missed_return_of_realloc),
		TEST(a_full_site_map),
		TEST(a_conflict),
		TEST(address_spaces_are_kept_apart),
		TEST(threads_are_kept_apart),
		TEST(the_gate),
		TEST(a_child_that_is_not_ready),
		TEST(no_memory_for_a_thread),
		TEST(the_peak),
		TEST(a_long_run),
	};
	/* What makes a map operation fail; test_bpf_live.c has the table's counterparts. */
	const struct CMUnitTest with_hash[] = {
		TEST(a_block_that_cannot_be_restored),
		TEST(a_full_live_set),
		TEST(only_who_deletes_books),
	};
	int failed;

	failed = cmocka_run_group_tests_name("the hash alone", with_either, NULL, NULL);
	failed += cmocka_run_group_tests_name("the hash alone, failing", with_hash, NULL, NULL);
	buckets = 4; /* of which some overflow */
	failed += cmocka_run_group_tests_name("the table", with_either, NULL, NULL);
	return failed;
}
