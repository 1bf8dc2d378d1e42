// SPDX-License-Identifier: BSD-2-Clause
/*
 * Chains of frame pointers in code without tables: bpf/stack.bpf.h on stacks made by hand, compiled
 * as host C (bpfhost/host.h). Everything else: test_bpf_unwind.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "bpfhost/host.h"
#include "stack.bpf.h"
#include "code.bpf.c"
#include "unwind.bpf.c"

#include "bpfhost/unwind.h"

#define STACK	   0x7ffe00000000ULL /* lowest mapped address of the stack, 2 MB of it */
#define STACK_SIZE (2ULL << 20)
#define SP	   (STACK + 0x1000)
#define CODE	   0x400000ULL
#define CODE_SIZE  0x10000ULL
#define LAYOUT	   3

#define NEAR 0x100  /* first saved rbp above SP: the copied window holds three frames */
#define FAR  0x1000 /* all behind the window */

static struct pt_regs regs;
static __u64 first_frame;
static struct task_struct task = {.tgid = 1, .pid = 1};

static int set_up(void **state)
{
	host__reset();
	first_frame = NEAR;
	memory__map(STACK, STACK_SIZE);
	memory__map(CODE, CODE_SIZE);
	memset(&regs, 0, sizeof(regs));
	regs.sp = SP;
	host_config.stack_depth = STACK_DEPTH_MAX;
	host.task = &task;
	tables__reset();
	tables__map(CODE, CODE + CODE_SIZE, UNWIND_BY_FRAME_POINTER);
	for (__u64 layout = 0; layout < 5; layout++)
		tables__publish(layout);
	return 0;
}

static int tear_down(void **state)
{
	memory__check();
	host__reset();
	return 0;
}

/* The return address of call number `n`, with a `call rel32` in front of it. */
static __u64 return_address(unsigned int n)
{
	__u64 ret = CODE + 0x100 + n * 0x20;
	static const __u8 call[] = {0xe8, 1, 2, 3, 4};

	memory__write(ret - sizeof(call), call, sizeof(call));
	return ret;
}

/* Where frame `n` of make_chain() has its saved rbp. */
static __u64 frame_at(unsigned int n)
{
	return SP + first_frame + n * 0x40;
}

/* `n` return addresses: one at [rsp], the others behind saved frame pointers. The last rbp is 0. */
static void make_chain(unsigned int n)
{
	memory__put(SP, return_address(0));
	regs.bp = n > 1 ? frame_at(0) : 0;
	for (unsigned int i = 1; i < n; i++) {
		memory__put(frame_at(i - 1), i + 1 < n ? frame_at(i) : 0);
		memory__put(frame_at(i - 1) + 8, return_address(i));
	}
}

struct capture {
	__u32 n;
	__u64 hash;
	__u64 frames[STACK_DEPTH_MAX];
};

static struct capture capture_with(struct stack_scratch *scratch, __u64 layout)
{
	/* On the heap, so that a sanitizer sees a frame too many. */
	__u64 *frames = malloc(STACK_DEPTH_MAX * sizeof(*frames));
	struct capture c;

	memset(frames, 0xa5, STACK_DEPTH_MAX * sizeof(*frames));
	memory.reads = 0;
	c.n = capture_stack(&regs, 0, layout, scratch, frames, &c.hash);
	memcpy(c.frames, frames, sizeof(c.frames));
	free(frames);
	return c;
}

/* By a thread that has captured nothing before. */
static struct capture capture_as(__u64 layout)
{
	struct stack_scratch *scratch = calloc(1, sizeof(*scratch));
	struct capture c = capture_with(scratch, layout);

	free(scratch);
	return c;
}

static struct capture capture(void)
{
	return capture_as(LAYOUT);
}

/* Exactly the first `n` frames of the chain, and nothing written behind them. */
static void assert_chain(const struct capture *c, unsigned int n)
{
	assert_int_equal(c->n, n);
	for (unsigned int i = 0; i < STACK_DEPTH_MAX; i++)
		assert_int_equal(c->frames[i], i < n ? return_address(i) : 0xa5a5a5a5a5a5a5a5ULL);
}

static void chains(void **state)
{
	static const unsigned int depths[] = {1, 2, 3, 10, STACK_DEPTH_MAX - 1, STACK_DEPTH_MAX};

	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		struct capture c;

		make_chain(depths[i]);
		c = capture();
		assert_chain(&c, depths[i]);
	}
}

/* Wherever the copied words end: before, after and in the middle of a saved frame. */
static void chains_across_the_window(void **state)
{
	for (first_frame = 8; first_frame < 0x140; first_frame += 8) {
		struct capture c;

		make_chain(10);
		c = capture();
		assert_chain(&c, 10);
	}
}

/* The end of the stack's mapping is near: there is less than a window to copy. */
static void at_the_end_of_the_stack(void **state)
{
	for (unsigned int words = 1; words <= 2 * STACK_WINDOW; words++) {
		unsigned int frames = (words - 1) / 2;
		struct capture c;

		if (frames > STACK_DEPTH_MAX - 1)
			frames = STACK_DEPTH_MAX - 1;
		regs.sp = STACK + STACK_SIZE - words * 8;
		regs.bp = frames ? regs.sp + 8 : 0;
		memory__put(regs.sp, return_address(0));
		for (unsigned int i = 0; i < frames; i++) {
			__u64 at = regs.sp + 8 + i * 16;

			memory__put(at, i + 1 < frames ? at + 16 : 0);
			memory__put(at + 8, return_address(i + 1));
		}
		c = capture();
		assert_chain(&c, frames + 1);
		regs.bp = STACK + STACK_SIZE - 8; /* half of it lies outside */
		c = capture();
		assert_chain(&c, 1);
	}
}

/* What an earlier capture copied is not taken for this stack. */
static void old_words_are_not_used(void **state)
{
	struct stack_scratch *scratch = calloc(1, sizeof(*scratch));
	struct capture c;

	make_chain(4);
	c = capture_with(scratch, LAYOUT);
	assert_chain(&c, 4);
	regs.sp = STACK + STACK_SIZE - 8;
	memory__put(regs.sp, return_address(0));
	regs.bp = regs.sp + NEAR; /* where the other stack had a frame */
	c = capture_with(scratch, LAYOUT);
	assert_chain(&c, 1);
	free(scratch);
}

static void depth_is_limited(void **state)
{
	struct capture c;

	make_chain(STACK_DEPTH_MAX + 20);
	c = capture();
	assert_chain(&c, STACK_DEPTH_MAX);
	host_config.stack_depth = 4;
	c = capture();
	assert_chain(&c, 4);
	host_config.stack_depth = 1;
	c = capture();
	assert_chain(&c, 1);
	host_config.stack_depth = 0xffffffff;
	c = capture();
	assert_chain(&c, STACK_DEPTH_MAX);
}

/* Code without frame pointers leaves anything in rbp: then the caller alone is known. */
static void stray_rbp(void **state)
{
	const __u64 strays[] = {
		0,
		1,
		0xffffffffffffffffULL,
		SP,
		SP - 8,
		STACK,
		frame_at(0) + 1,
		frame_at(0) + 4,
		SP + FRAME_SPAN_MAX + 16,
		CODE,
		0x7fffffffffffULL,
		0xffff888000000000ULL,
	};

	for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
		struct capture c;

		make_chain(5);
		regs.bp = strays[i];
		c = capture();
		if (c.n != 1)
			fail_msg("rbp %#llx gave %u frames", strays[i], c.n);
		assert_chain(&c, 1);
		if (i)					   /* the first one looked at the code */
			assert_int_equal(memory.reads, 1); /* refused by its value alone */
	}
}

/* One that points into the stack, at words that are no saved frame. */
static void stray_rbp_into_the_stack(void **state)
{
	struct capture c;

	make_chain(5);
	regs.bp = SP + 0x800; /* zeros */
	c = capture();
	assert_chain(&c, 1);
	memory__put(SP + 0x808, CODE + 0x8000); /* code, but no call before it */
	c = capture();
	assert_chain(&c, 1);
	memory__put(SP + 0x808, SP + 0x900); /* data */
	c = capture();
	assert_chain(&c, 1);
	memory__put(SP + 0x808, 3); /* below 8: must not wrap around to the top */
	c = capture();
	assert_chain(&c, 1);
	/* In the middle of a chain, the frames below it stay. */
	make_chain(5);
	memory__put(frame_at(2), frame_at(2) + 0x800);
	c = capture();
	assert_chain(&c, 4);
}

static void a_chain_must_go_up(void **state)
{
	struct capture c;

	make_chain(5);
	memory__put(frame_at(1), frame_at(1)); /* itself */
	c = capture();
	assert_chain(&c, 3);
	memory__put(frame_at(1), frame_at(0)); /* back */
	c = capture();
	assert_chain(&c, 3);
	memory__put(frame_at(1), frame_at(1) + FRAME_SPAN_MAX + 8);
	c = capture();
	assert_chain(&c, 3);
}

/* The largest frame that is believed. */
static void a_large_frame(void **state)
{
	struct capture c;

	make_chain(2);
	regs.bp = SP + 8 + FRAME_SPAN_MAX;
	memory__put(regs.bp, 0);
	memory__put(regs.bp + 8, return_address(1));
	c = capture();
	assert_chain(&c, 2);
}

static void calls(void **state)
{
	static const struct {
		const char *what;
		__u8 bytes[8]; /* up to the return address */
		int is_call;
	} forms[] = {
		{"call rel32", {0x90, 0x90, 0x90, 0xe8, 1, 2, 3, 4}, 1},
		{"call *%rax", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0}, 1},
		{"call *%r12", {0x90, 0x90, 0x90, 0x90, 0x90, 0x41, 0xff, 0xd4}, 1},
		{"call *(%rax)", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x10}, 1},
		{"call *8(%rax)", {0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x50, 0x08}, 1},
		{"call *(%rax,%rbx,8)", {0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x14, 0xd8}, 1},
		{"call *8(%rsp)", {0x90, 0x90, 0x90, 0x90, 0xff, 0x54, 0x24, 0x08}, 1},
		{"call *x(%rip)", {0x90, 0x90, 0xff, 0x15, 1, 2, 3, 4}, 1},
		{"call *512(%rbx)", {0x90, 0x90, 0xff, 0x93, 0, 2, 0, 0}, 1},
		{"call *512(%rsp)", {0x90, 0xff, 0x94, 0x24, 0, 2, 0, 0}, 1},
		{"call *table(,%rax,8)", {0x90, 0xff, 0x14, 0xc5, 0, 2, 0, 0}, 1},
		{"call *512(%r13)", {0x90, 0x41, 0xff, 0x95, 0, 2, 0, 0}, 1},
		{"nothing", {0}, 0},
		{"nops", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90}, 0},
		{"jmp rel32", {0x90, 0x90, 0x90, 0xe9, 1, 2, 3, 4}, 0},
		{"jmp *%rax", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xe0}, 0},
		{"push x(%rip)", {0x90, 0x90, 0xff, 0x35, 1, 2, 3, 4}, 0},
		{"inc %eax", {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xc0}, 0},
		{"e8 elsewhere", {0x90, 0x90, 0xe8, 1, 2, 3, 4, 0x90}, 0},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		memory__write(CODE + 0x8000, forms[i].bytes, 8);
		if (!!is_call_before(CODE + 0x8008) != forms[i].is_call)
			fail_msg("%s", forms[i].what);
	}
}

/* More calls than a thread remembers, in any order: none is taken for another. */
static void more_calls_than_are_remembered(void **state)
{
	struct stack_scratch *scratch = calloc(1, sizeof(*scratch));
	struct capture c;

	make_chain(2);
	for (unsigned int i = 0; i < 3000; i++) {
		__u64 ret = return_address(i * 7919 % 1500);

		memory__put(frame_at(0) + 8, ret);
		c = capture_with(scratch, LAYOUT);
		assert_int_equal(c.n, 2);
		assert_int_equal(c.frames[1], ret);
		memory__put(frame_at(0) + 8, ret + 16); /* behind it there is no call */
		c = capture_with(scratch, LAYOUT);
		assert_int_equal(c.n, 1);
	}
	free(scratch);
}

static void no_frames_have_an_identity_too(void **state)
{
	struct capture one, other;

	regs.sp = 0x10;
	one = capture_as(1);
	other = capture_as(2);
	assert_int_equal(one.n, 0);
	assert_int_equal(one.hash, capture_as(1).hash);
	assert_true(one.hash != other.hash);
}

/* Equal stacks have equal hashes; any difference makes another. */
static void hashes_tell_stacks_apart(void **state)
{
	__u64 hashes[64];
	size_t n = 0;
	__u64 frame;

	for (unsigned int depth = 1; depth <= 8; depth++) {
		make_chain(depth);
		hashes[n++] = capture().hash;
		assert_int_equal(capture().hash, hashes[n - 1]);
	}
	hashes[n++] = capture_as(LAYOUT + 1).hash; /* the same frames of another program */
	hashes[n++] = capture_as(0).hash;
	for (unsigned int i = 0; i < 8; i++) {
		__u64 slot = i ? frame_at(i - 1) + 8 : SP;

		make_chain(8);
		memory__put(slot, return_address(100 + i));
		hashes[n++] = capture().hash;
		/* The same change at another place is another stack. */
		memory__put(slot, return_address(200));
		hashes[n++] = capture().hash;
	}
	make_chain(8);
	frame = return_address(1);
	memory__put(frame_at(0) + 8, return_address(2));
	memory__put(frame_at(1) + 8, frame); /* two frames changed places */
	hashes[n++] = capture().hash;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (hashes[i] == hashes[j])
				fail_msg("stacks %zu and %zu have one hash", j, i);
	/* Where the frames lie is not part of it. */
	make_chain(2);
	assert_int_equal(capture().hash, hashes[1]);
	regs.bp = SP + 0x4000;
	memory__put(regs.bp, 0);
	memory__put(regs.bp + 8, return_address(1));
	assert_int_equal(capture().hash, hashes[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chains),
		TEST(chains_across_the_window),
		TEST(at_the_end_of_the_stack),
		TEST(old_words_are_not_used),
		TEST(depth_is_limited),
		TEST(stray_rbp),
		TEST(stray_rbp_into_the_stack),
		TEST(a_chain_must_go_up),
		TEST(a_large_frame),
		TEST(calls),
		TEST(more_calls_than_are_remembered),
		TEST(no_frames_have_an_identity_too),
		TEST(hashes_tell_stacks_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
