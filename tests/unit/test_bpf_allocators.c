// SPDX-License-Identifier: BSD-2-Clause
/*
 * The parts of bpf/heap.bpf.c that only other allocators than glibc's need: described functions,
 * frees that are passed on, results without return probes, exceptions.
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
#define OUT    (STACK + 0x100)
#define PID    4000
#define SPACE  77
#define NEW    (HEAP_MALLOC | HEAP_THROWS)
#define DELETE (HEAP_FREE | HEAP_FORWARDS)

static struct task_struct task;

static int set_up(void **state)
{
	struct target target = {.space = SPACE, .layout = 7, .heap_ready = 1};
	__u32 pid = PID;

	host__reset();
	memory__map(STACK, 0x10000);
	memset(&gauge, 0, sizeof(gauge));
	task = (struct task_struct){.tgid = PID, .pid = PID};
	host.task = &task;
	host.now = 1000;
	host_config.stack_depth = STACK_DEPTH_MAX;
	live__set_up(0);
	gate = 1;
	assert_int_equal(bpf_map_update_elem(&targets, &pid, &target, BPF_ANY), 0);
	return 0;
}

static int tear_down(void **state)
{
	memory__check();
	host__reset();
	return 0;
}

/* A probe with arguments 1 to 6 in their registers. */
static int enter(__u32 fn, __u64 ip, __u64 sp, const __u64 args[6])
{
	struct pt_regs regs = {.ip = ip,
			       .sp = sp,
			       .di = args[0],
			       .si = args[1],
			       .dx = args[2],
			       .cx = args[3],
			       .r8 = args[4],
			       .r9 = args[5]};

	host.cookie = fn;
	host.is_return = false;
	return heap_session(&regs);
}

#define ENTER(fn, ip, sp, ...) enter(fn, ip, sp, (const __u64[6]){__VA_ARGS__})

static void leave(__u64 sp, __u64 result)
{
	struct pt_regs regs = {.sp = sp + 8, .ax = result};

	host.is_return = true;
	heap_session(&regs);
	host.is_return = false;
}

static struct live_block *block_at(__u64 address)
{
	struct live_key key = {.space = SPACE, .address = address};

	return bpf_map_lookup_elem(&live, &key);
}

static void assert_book(__u64 allocs, __u64 frees, __u64 failed, __u64 unknown)
{
	__s64 blocks = 0;

	for (struct host_element *e = MAP_OF(&live)->elements; e; e = e->next)
		blocks++;
	assert_int_equal(counted(COUNTER_HEAP_ALLOCS), allocs);
	assert_int_equal(counted(COUNTER_HEAP_FREES), frees);
	assert_int_equal(counted(COUNTER_HEAP_FAILED), failed);
	assert_int_equal(counted(COUNTER_HEAP_UNKNOWN_FREES), unknown);
	assert_int_equal(gauge.live_blocks, blocks);
	assert_int_equal(gauge.in_realloc, 0);
	assert_int_equal(allocs, frees + blocks);
}

/* Every argument can be anything; the well-known functions are only special cases. */
static void described_functions(void **state)
{
	static const struct {
		__u32 fn;
		__u64 args[6];
		__u64 size, alignment;
	} cases[] = {
		{HEAP_ALLOCATES | HEAP_SIZE(1), {11}, 11, 0},
		{HEAP_ALLOCATES | HEAP_SIZE(2), {1, 12}, 12, 0},
		{HEAP_ALLOCATES | HEAP_SIZE(3), {1, 1, 13}, 13, 0},
		{HEAP_ALLOCATES | HEAP_SIZE(4), {1, 1, 1, 14}, 14, 0},
		{HEAP_ALLOCATES | HEAP_SIZE(5), {1, 1, 1, 1, 15}, 15, 0},
		{HEAP_ALLOCATES | HEAP_SIZE(6), {1, 1, 1, 1, 1, 16}, 16, 0},
		{HEAP_ALLOCATES | HEAP_COUNT(6) | HEAP_SIZE(4), {1, 1, 1, 7, 1, 3}, 21, 0},
		{HEAP_ALLOCATES | HEAP_SIZE(2) | HEAP_ALIGN(5), {1, 99, 1, 1, 64}, 99, 64},
		/* mallocx: the low six bits of the flags are the alignment's logarithm. */
		{HEAP_MALLOC | HEAP_FLAGS(2), {50, 0}, 50, 0},
		{HEAP_MALLOC | HEAP_FLAGS(2), {50, 0x40 | 12}, 50, 4096},
		{HEAP_MALLOC | HEAP_FLAGS(2), {50, 0x40}, 50, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		__u64 address = 0x10000 + i * 0x100;

		assert_int_equal(enter(cases[i].fn, 1, SP, cases[i].args), 0);
		leave(SP, address);
		assert_non_null(block_at(address));
		assert_int_equal(block_at(address)->size, cases[i].size);
		assert_int_equal(block_at(address)->alignment, cases[i].alignment);
	}
	/* The shapes spelled out are those that are compared with. */
	assert_int_equal(HEAP_ARGUMENT(HEAP_POSIX_MEMALIGN, HEAP_OUT), 1);
	assert_int_equal(HEAP_ARGUMENT(HEAP_POSIX_MEMALIGN, HEAP_ALIGN), 2);
	assert_int_equal(HEAP_ARGUMENT(HEAP_POSIX_MEMALIGN, HEAP_SIZE), 3);
	assert_int_equal(HEAP_ARGUMENT(HEAP_REALLOCARRAY | HEAP_THROWS, HEAP_COUNT), 2);
	assert_int_equal(HEAP_ARGUMENT(HEAP_FREE | HEAP_FORWARDS, HEAP_FLAGS), 0);
}

static void described_stores_and_reallocs(void **state)
{
	__u32 store = HEAP_STORES | HEAP_SIZE(4) | HEAP_OUT(6);
	__u32 resize = HEAP_REALLOCATES | HEAP_SIZE(1) | HEAP_BLOCK(6);

	memory__put(OUT, 0x1000);
	assert_int_equal(ENTER(store, 1, SP, 0, 0, 0, 40, 0, OUT), 0);
	leave(SP, 0);
	assert_int_equal(block_at(0x1000)->size, 40);
	assert_int_equal(ENTER(resize, 1, SP, 70, 0, 0, 0, 0, 0x1000), 0);
	leave(SP, 0x2000);
	assert_null(block_at(0x1000));
	assert_int_equal(block_at(0x2000)->size, 70);
	assert_int_equal(ENTER(HEAP_FREES | HEAP_BLOCK(4), 1, SP, 0, 0, 0, 0x2000), SKIP_RETURN);
	assert_book(2, 2, 0, 0);
}

/* reallocf frees what it could not replace. */
static void a_realloc_that_frees_always(void **state)
{
	ENTER(HEAP_MALLOC, 1, SP, 10);
	leave(SP, 0x1000);
	ENTER(HEAP_REALLOC | HEAP_FREES_ALWAYS, 2, SP, 0x1000, 500);
	leave(SP, 0);
	assert_book(1, 1, 1, 0);
}

/* xallocx returns the size that the block has, and never moves it. */
static void a_resize_in_place(void **state)
{
	__u32 fn = HEAP_RESIZES | HEAP_BLOCK(1) | HEAP_SIZE(2) | HEAP_FLAGS(4);

	ENTER(HEAP_MALLOC, 1, SP, 100);
	leave(SP, 0x1000);
	ENTER(fn, 2, SP, 0x1000, 120, 0, 0);
	leave(SP, 128);
	assert_int_equal(block_at(0x1000)->size, 120);
	assert_book(2, 1, 0, 0);
	ENTER(fn, 2, SP, 0x1000, 500, 0, 0);
	leave(SP, 128); /* it could not */
	assert_int_equal(block_at(0x1000)->size, 120);
	assert_book(2, 1, 1, 0);
}

/* operator delete(void *, size_t) -> free: one block, one free, whoever is asked first. */
static void a_free_that_is_passed_on(void **state)
{
	ENTER(HEAP_MALLOC, 1, SP, 100);
	leave(SP, 0x1000);
	ENTER(DELETE, 0x10, SP, 0x1000, 100);
	ENTER(DELETE, 0x20, SP, 0x1000);
	ENTER(DELETE, 0x30, SP - 16, 0x1000);
	assert_book(1, 1, 0, 0);
	/* A block from before the attach is unknown once. */
	ENTER(DELETE, 0x10, SP, 0x5000, 100);
	ENTER(DELETE, 0x20, SP, 0x5000);
	assert_book(1, 1, 0, 1);
	/* In a loop the same function is called: each is a call of its own. */
	ENTER(DELETE, 0x20, SP, 0x5000);
	assert_book(1, 1, 0, 2);
	ENTER(DELETE, 0x10, SP, 0x6000);
	ENTER(DELETE, 0x20, SP, 0x7000);
	assert_book(1, 1, 0, 4);
	/* The address again, after another life. */
	ENTER(HEAP_MALLOC, 1, SP, 30);
	leave(SP, 0x7000);
	ENTER(DELETE, 0x10, SP, 0x7000);
	ENTER(DELETE, 0x20, SP, 0x7000);
	assert_book(2, 2, 0, 4);
}

/* free called above a call we still wait for: that one was left, the free counts. */
static void a_free_above_a_call_that_was_left(void **state)
{
	ENTER(HEAP_MALLOC, 1, SP, 100);
	leave(SP, 0x1000);
	ENTER(HEAP_MALLOC, 1, SP - 0x400, 5); /* longjmp out of it */
	ENTER(HEAP_FREE, 2, SP, 0x1000);
	assert_int_equal(counted(COUNTER_HEAP_MISSED_RETURNS), 1);
	assert_book(1, 1, 0, 0);
}

/* ---- functions that an exception may leave ---- */

static void result(__u32 fn, struct pt_regs regs)
{
	host.cookie = fn;
	host.is_return = false;
	assert_int_equal(heap_session(&regs), SKIP_RETURN);
}

#define RAX 0
#define R15 15

static void a_result_without_a_return_probe(void **state)
{
	/* Its return is never hooked: an exception through such a frame ends the program. */
	assert_int_equal(ENTER(NEW, 1, SP, 40), SKIP_RETURN);
	result(HEAP_RESULT_IN(RAX, 0, 0), (struct pt_regs){.sp = SP, .ax = 0x1000});
	assert_int_equal(block_at(0x1000)->size, 40);
	/* Further down in the function, in another register. */
	assert_int_equal(ENTER(NEW, 1, SP, 50), SKIP_RETURN);
	result(HEAP_RESULT_IN(R15, 0, 3), (struct pt_regs){.sp = SP - 24, .r15 = 0x2000, .ax = 1});
	assert_int_equal(block_at(0x2000)->size, 50);
	/* What comes behind on the same path, or belongs to another call, tells nothing. */
	result(HEAP_RESULT_IN(RAX, 0, 0), (struct pt_regs){.sp = SP, .ax = 0x2000});
	assert_int_equal(ENTER(NEW, 1, SP, 60), SKIP_RETURN);
	result(HEAP_RESULT_IN(RAX, 0, 0), (struct pt_regs){.sp = SP - 8, .ax = 0x9000});
	assert_null(block_at(0x9000));
	result(HEAP_RESULT_IN(RAX, 0, 0), (struct pt_regs){.sp = SP, .ax = 0x3000});
	assert_book(3, 0, 0, 0);
	/* One that failed without throwing. */
	ENTER(NEW, 1, SP, 60);
	result(HEAP_RESULT_IN(RAX, 0, 0), (struct pt_regs){.sp = SP, .ax = 0});
	assert_book(3, 0, 1, 0);
	/* malloc shares the slow path, and has its own return probe. */
	ENTER(HEAP_MALLOC, 2, SP, 70);
	result(HEAP_RESULT_IN(RAX, 0, 0), (struct pt_regs){.sp = SP, .ax = 0x4000});
	assert_null(block_at(0x4000));
	leave(SP, 0x4000);
	assert_book(4, 0, 1, 0);
}

static void every_register(void **state)
{
	struct pt_regs regs = {.sp = SP,
			       .ax = 0x100,
			       .cx = 0x200,
			       .dx = 0x300,
			       .bx = 0x400,
			       .bp = 0x600,
			       .si = 0x700,
			       .di = 0x800,
			       .r8 = 0x900,
			       .r9 = 0xa00,
			       .r10 = 0xb00,
			       .r11 = 0xc00,
			       .r12 = 0xd00,
			       .r13 = 0xe00,
			       .r14 = 0xf00,
			       .r15 = 0x1000};

	for (__u32 reg = 0; reg < 16; reg++) {
		if (reg == 4) /* rsp */
			continue;
		ENTER(NEW, 1, SP, reg + 1);
		result(HEAP_RESULT_IN(reg, 0, 0), regs);
		assert_non_null(block_at(0x100 * (reg + 1)));
		assert_int_equal(block_at(0x100 * (reg + 1))->size, reg + 1);
	}
}

/* The conditions of jcc, compared with what the machine does with the same flags. */
static void every_condition(void **state)
{
	static const unsigned int bits[] = {1, 4, 0x40, 0x80, 0x800}; /* CF PF ZF SF OF */

#define HOLDS(cc, name)                                                                        \
	({                                                                                     \
		unsigned char set;                                                             \
		__asm__("push %1\n\tpopfq\n\tset" name " %0" : "=q"(set) : "r"(flags) : "cc"); \
		assert_int_equal(condition_holds(flags, cc), set);                             \
	})
	for (unsigned int i = 0; i < 32; i++) {
		unsigned long flags = 2;

		for (int b = 0; b < 5; b++)
			flags |= i & (1 << b) ? bits[b] : 0;
		HOLDS(0, "o");
		HOLDS(1, "no");
		HOLDS(2, "b");
		HOLDS(3, "ae");
		HOLDS(4, "e");
		HOLDS(5, "ne");
		HOLDS(6, "be");
		HOLDS(7, "a");
		HOLDS(8, "s");
		HOLDS(9, "ns");
		HOLDS(10, "p");
		HOLDS(11, "np");
		HOLDS(12, "l");
		HOLDS(13, "ge");
		HOLDS(14, "le");
		HOLDS(15, "g");
	}
}

static void a_result_under_a_condition(void **state)
{
	__u32 if_not_zero = HEAP_RESULT_IN(RAX, 1 + 5, 0);

	ENTER(NEW, 1, SP, 40);
	result(if_not_zero, (struct pt_regs){.sp = SP, .ax = 0x1000, .flags = 0x40});
	assert_book(0, 0, 0, 0); /* it goes the other way */
	result(if_not_zero, (struct pt_regs){.sp = SP, .ax = 0x1000, .flags = 0});
	assert_book(1, 0, 0, 0);
}

static void an_exception(void **state)
{
	ENTER(NEW, 1, SP, 1ULL << 60);
	/* Inside operator new the exception is made, which takes memory of its own. */
	ENTER(HEAP_RAISES, 5, SP - 0x100, 8);
	assert_book(0, 0, 1, 0);
	assert_int_equal(ENTER(HEAP_MALLOC, 2, SP - 0x120, 136), 0);
	leave(SP - 0x120, 0x8000);
	ENTER(HEAP_RAISES, 6, SP - 0x100, 8); /* the unwinder is told as well */
	/* It is caught, above or in the very same frame, and all goes on. */
	assert_int_equal(ENTER(NEW, 1, SP, 20), SKIP_RETURN);
	result(HEAP_RESULT_IN(RAX, 0, 0), (struct pt_regs){.sp = SP, .ax = 0x1000});
	ENTER(DELETE, 3, SP - 0x40, 0x1000);
	ENTER(HEAP_FREE, 4, SP - 0x60, 0x8000);
	assert_book(2, 2, 1, 0);
	assert_int_equal(counted(COUNTER_HEAP_MISSED_RETURNS), 0);
	/* One that is thrown while malloc runs in a frame below is not malloc's. */
	ENTER(HEAP_MALLOC, 2, SP, 10);
	ENTER(HEAP_RAISES, 5, SP - 0x100, 8);
	leave(SP, 0x2000);
	assert_book(3, 2, 1, 0);
	/* And outside of any there is nothing to do. */
	ENTER(HEAP_RAISES, 5, SP - 0x100, 8);
	assert_book(3, 2, 1, 0);
}

/* A realloc that may throw keeps the old block then. */
static void an_exception_out_of_realloc(void **state)
{
	ENTER(HEAP_MALLOC, 1, SP, 10);
	leave(SP, 0x1000);
	ENTER(HEAP_REALLOC | HEAP_THROWS, 2, SP, 0x1000, 1ULL << 60);
	assert_null(block_at(0x1000));
	ENTER(HEAP_RAISES, 5, SP - 0x100, 8);
	assert_int_equal(block_at(0x1000)->size, 10);
	assert_book(1, 0, 1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(described_functions),
		TEST(described_stores_and_reallocs),
		TEST(a_realloc_that_frees_always),
		TEST(a_resize_in_place),
		TEST(a_free_that_is_passed_on),
		TEST(a_free_above_a_call_that_was_left),
		TEST(a_result_without_a_return_probe),
		TEST(every_register),
		TEST(every_condition),
		TEST(a_result_under_a_condition),
		TEST(an_exception),
		TEST(an_exception_out_of_realloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
