// SPDX-License-Identifier: BSD-2-Clause
/*
 * bpf/unwind.bpf.c on stacks made by hand, compiled as host C (bpfhost/host.h). A stack is made
 * from a list of frames, innermost first, each with the kind of rule that its function has; what is
 * saved where follows from the System V ABI, not from the code under test.
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

#define STACK	   0x7ffe00000000ULL
#define STACK_SIZE (4ULL << 20)
#define SP	   (STACK + 0x20008)
#define CODE	   0x400000ULL /* with rules; function n of 64 bytes at CODE + 64 * n */
#define CODE_SIZE  0x20000ULL
#define JIT	   0x7f0000000000ULL /* the same without */
#define JIT_SIZE   0x10000ULL
#define LAYOUT	   3
#define FRAMES_MAX 200

static struct pt_regs regs;
static struct task_struct task = {.tgid = 42, .pid = 43};
static struct stack_scratch *scratch;

/* ---- stacks ---- */

enum kind {
	LEAF,	    /* CFA = rsp + 8 */
	RSP,	    /* CFA = rsp + size */
	RSP_SAVES,  /* the same, rbp saved at CFA - 24 and used for something else */
	RBP,	    /* CFA = rbp + 16, rbp saved at CFA - 16 */
	RBP_BELOW,  /* CFA = rbp + 48, the caller's saved at rbp + 8 */
	DEREF_RSP,  /* CFA = *(rsp + 16) + 8 */
	DEREF_RBP,  /* CFA = *(rbp - 8) + 16 */
	PLT_PUSHED, /* a procedure linkage entry after its push */
	PLT_START,  /* before it */
	CHAIN,	    /* made at run time, with frame pointers */
	GAP,	    /* among code with rules, but without one; with a frame pointer */
	KINDS
};

struct frame {
	enum kind kind;
	__u64 size; /* bytes up to the CFA */
};

struct stack {
	struct frame frames[FRAMES_MAX];
	unsigned int n;
	__u64 returns[FRAMES_MAX]; /* where frame i returns to; the last to 0 */
};

static __u64 function_of(unsigned int i, enum kind kind)
{
	return (kind == CHAIN ? JIT : CODE) + 64 * (i + 1);
}

/* The place in function i that it has called from, or is at. */
static __u64 place_in(unsigned int i, enum kind kind)
{
	return function_of(i, kind) + (kind == PLT_START ? 0x26 : 0x20);
}

static struct unwind_rule rule_for(const struct frame *f)
{
	struct unwind_rule rule = {.cfa = UNWIND_RSP, .offset = f->size};

	switch (f->kind) {
	case RSP_SAVES:
		rule.rbp = UNWIND_RBP_AT_CFA;
		rule.rbp_offset = -24;
		break;
	case RBP:
		return (struct unwind_rule){UNWIND_RBP, UNWIND_RBP_AT_CFA, -16, 16};
	case RBP_BELOW:
		return (struct unwind_rule){UNWIND_RBP, UNWIND_RBP_AT_RBP, 8, 48};
	case DEREF_RSP:
		return (struct unwind_rule){UNWIND_DEREF_RSP, 0, 0, UNWIND_DEREF(16, 8)};
	case DEREF_RBP:
		return (struct unwind_rule){UNWIND_DEREF_RBP, UNWIND_RBP_AT_RBP, 0,
					    UNWIND_DEREF(-8, 16)};
	case PLT_PUSHED:
	case PLT_START:
		return (struct unwind_rule){UNWIND_PLT, 0, 0, 11};
	default:
		break;
	}
	return rule;
}

/* The rows of all functions of the stack; what lies between them has no rule. */
static void make_tables(const struct stack *s)
{
	__u16 number[FRAMES_MAX];

	tables__reset();
	for (unsigned int i = 0; i < s->n; i++)
		number[i] = tables__rule(rule_for(&s->frames[i]));
	tables__map(CODE, CODE + CODE_SIZE, UNWIND_BY_RULES);
	tables__row(CODE, UNWIND_RULE_NONE);
	for (unsigned int i = 0; i < s->n; i++) {
		const struct frame *f = &s->frames[i];

		if (f->kind == CHAIN || f->kind == GAP)
			continue;
		tables__row(function_of(i, f->kind), number[i]);
		if (i + 1 == s->n || s->frames[i + 1].kind == CHAIN || s->frames[i + 1].kind == GAP)
			tables__row(function_of(i, f->kind) + 64, UNWIND_RULE_NONE);
	}
	tables__map(JIT, JIT + JIT_SIZE, UNWIND_BY_FRAME_POINTER);
	tables__publish(LAYOUT);
}

/* Writes the stack into memory and the innermost registers into `regs`. */
static void make_stack(struct stack *s)
{
	static const __u8 call[] = {0xe8, 1, 2, 3, 4};
	__u64 cfa[FRAMES_MAX], sp = SP, bp = 0x1234567; /* in the outermost frame's caller */

	for (unsigned int i = 0; i < s->n; i++) {
		const struct frame *caller = &s->frames[i + 1];

		cfa[i] = sp += s->frames[i].size;
		s->returns[i] = i + 1 < s->n ? place_in(i + 1, caller->kind) : 0;
		memory__put(cfa[i] - 8, s->returns[i]);
		if (s->returns[i])
			memory__write(s->returns[i] - sizeof(call), call, sizeof(call));
	}
	for (unsigned int i = s->n; i-- > 0;) {
		__u64 low = cfa[i] - s->frames[i].size, saved = bp;

		switch (s->frames[i].kind) {
		case RSP_SAVES:
			memory__put(cfa[i] - 24, saved);
			bp = 0xdeadbeef;
			break;
		case RBP:
		case CHAIN:
		case GAP:
			memory__put(cfa[i] - 16, saved);
			bp = cfa[i] - 16;
			break;
		case RBP_BELOW:
			memory__put(cfa[i] - 40, saved);
			bp = cfa[i] - 48;
			break;
		case DEREF_RSP:
			memory__put(low + 16, cfa[i] - 8);
			break;
		case DEREF_RBP: /* rbp is somewhere inside */
			bp = low + 8;
			memory__put(bp, saved);
			memory__put(bp - 8, cfa[i] - 16);
			break;
		default:
			break;
		}
	}
	regs.bp = bp;
	regs.sp = SP;
	regs.ip = place_in(0, s->frames[0].kind);
}

static __u64 size_of(enum kind kind, __u64 size)
{
	switch (kind) {
	case LEAF:
	case PLT_START:
		return 8;
	case PLT_PUSHED:
		return 16;
	default:
		return size;
	}
}

static void add_frame(struct stack *s, enum kind kind, __u64 size)
{
	s->frames[s->n++] = (struct frame){kind, size_of(kind, size)};
}

static void build(struct stack *s)
{
	make_tables(s);
	make_stack(s);
}

/* ---- capturing ---- */

struct capture {
	__u32 n, stop;
	__u64 hash;
	__u64 frames[STACK_DEPTH_MAX];
};

static __u64 stacks_counted(void)
{
	__u64 sum = 0;

	for (unsigned int i = 0; i < UNWIND_STOPS; i++)
		sum += counted(COUNTER_STACKS_COMPLETE + i);
	return sum;
}

static struct capture capture_at(__u64 here, __u64 layout)
{
	/* On the heap, so that a sanitizer sees a frame too many. */
	__u64 *frames = calloc(STACK_DEPTH_MAX, sizeof(*frames)), counted_before = stacks_counted();
	struct capture c;

	memory.reads = 0;
	c.n = capture_stack(&regs, here, layout, scratch, frames, &c.hash);
	c.stop = scratch->stop;
	memcpy(c.frames, frames, sizeof(c.frames));
	free(frames);
	/* Where no frames are wanted there is no stack that was cut. */
	assert_int_equal(stacks_counted(), counted_before + !!host_config.stack_depth);
	return c;
}

static struct capture capture(void)
{
	return capture_at(0, LAYOUT);
}

static void forget(void)
{
	memset(scratch, 0, sizeof(*scratch));
	memset(host_map__array(MAP_OF(&unwind_caches)), 0, sizeof(struct unwind_cache));
}

/* The first `n` frames of the stack. */
static void assert_prefix(const struct capture *c, const struct stack *s, unsigned int n)
{
	if (c->n != n)
		fail_msg("%u frames instead of %u, stop %u", c->n, n, c->stop);
	for (unsigned int i = 0; i < n; i++)
		if (c->frames[i] != s->returns[i])
			fail_msg("frame %u is %#llx, not %#llx", i, c->frames[i], s->returns[i]);
	for (unsigned int i = n; i < STACK_DEPTH_MAX; i++)
		assert_int_equal(c->frames[i], 0);
}

static void assert_whole(const struct capture *c, const struct stack *s)
{
	assert_prefix(c, s, s->n - 1);
	assert_int_equal(c->stop, UNWIND_STOP_END);
}

/* With nothing remembered, and again with everything remembered. */
static void assert_unwinds(struct stack *s)
{
	struct capture cold, warm;

	forget();
	cold = capture();
	assert_whole(&cold, s);
	warm = capture();
	assert_whole(&warm, s);
	assert_int_equal(cold.hash, warm.hash);
}

static int set_up(void **state)
{
	host__reset();
	memory__map(STACK, STACK_SIZE);
	memory__map(CODE, CODE_SIZE);
	memory__map(JIT, JIT_SIZE);
	memset(&regs, 0, sizeof(regs));
	memset(&task.utask, 0, sizeof(task.utask));
	host.task = &task;
	host_config.stack_depth = STACK_DEPTH_MAX;
	layouts_changed = 0;
	scratch = calloc(1, sizeof(*scratch));
	return 0;
}

static int tear_down(void **state)
{
	free(scratch);
	memory__check();
	host__reset();
	return 0;
}

/* ---- kinds ---- */

static void every_kind(void **state)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct stack s = {0};

		/* Between others, so that what it does to rbp and rsp matters to its callers. */
		add_frame(&s, LEAF, 8);
		add_frame(&s, kind, 64);
		add_frame(&s, RBP, 48);
		add_frame(&s, kind, 96);
		add_frame(&s, RSP, 32);
		add_frame(&s, CHAIN, 32);
		add_frame(&s, RSP, 8);
		build(&s);
		assert_unwinds(&s);
	}
}

static __u64 state_of_random = 1;

static unsigned int random_below(unsigned int n)
{
	state_of_random = state_of_random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (state_of_random >> 33) % n;
}

static void random_stack(struct stack *s, unsigned int n)
{
	memset(s, 0, sizeof(*s));
	add_frame(s, LEAF, 8);
	while (s->n < n) {
		__u64 size = 64 + 8 * random_below(20);

		if (!random_below(20))
			size += 8 * random_below(2000); /* beyond the copied part of the stack */
		add_frame(s, random_below(KINDS), size);
	}
	build(s);
}

static void random_stacks(void **state)
{
	static struct stack s;

	for (unsigned int i = 0; i < 1500; i++) {
		random_stack(&s, 2 + random_below(i % 10 ? 20 : STACK_DEPTH_MAX));
		assert_unwinds(&s);
	}
}

/*
 * Whatever read fails, and whether anything is remembered: the frames before it, and a reason. A
 * copy of the stack that fails is tried again, smaller.
 */
static void every_read_may_fail(void **state)
{
	unsigned int cut = 0;

	for (unsigned int i = 0; i < 300; i++) {
		static struct stack s;
		unsigned int reads;

		random_stack(&s, 2 + random_below(12));
		for (int warm = 0; warm < 2; warm++) {
			forget();
			capture();
			reads = memory.reads;
			for (unsigned int n = 0; n < reads; n++) {
				struct capture c;

				if (!warm)
					forget();
				memory.failing_read = n;
				memory.read_failed = false;
				c = capture();
				memory.failing_read = -1;
				assert_prefix(&c, &s, c.n);
				cut += c.n < s.n - 1;
				if (c.n < s.n - 1 && c.stop != UNWIND_STOP_READ_FAULT &&
				    c.stop != UNWIND_STOP_NO_RULE)
					fail_msg("cut, but stop %u", c.stop);
			}
			if (!warm)
				continue;
			capture();
		}
	}
	assert_true(cut > 100);
}

static void absent_pages(void **state)
{
	struct stack s = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	for (unsigned int i = 0; i < 5; i++)
		add_frame(&s, RSP, 0x3000);
	build(&s);
	assert_unwinds(&s);
	memory__fault(SP + 8 + 3 * 0x3000 - 8, FAULT_HARD);
	c = capture();
	assert_prefix(&c, &s, 3);
	assert_int_equal(c.stop, UNWIND_STOP_READ_FAULT);
}

/* The stack's mapping ends anywhere above the last frame. */
static void at_the_end_of_the_stack(void **state)
{
	for (unsigned int above = 0; above < 0x1200; above += 0xf8) {
		struct stack s = {0};
		__u64 shift = STACK + STACK_SIZE - above - SP;

		add_frame(&s, LEAF, 8);
		for (unsigned int i = 0; i < 8; i++)
			add_frame(&s, i & 1 ? RSP_SAVES : RSP, 0x100);
		build(&s);
		shift = (shift - 8 - 8 * 0x100) & ~7ULL;
		for (unsigned int i = 0; i < (8 + 8 * 0x100) / 8; i++) {
			__u64 *word = memory__at(SP + i * 8, 8);

			memory__put(SP + shift + i * 8, *word);
		}
		regs.sp = SP + shift;
		assert_unwinds(&s);
	}
}

/* What is remembered is not read again: one copy of the stack is all. */
static void nothing_is_read_twice(void **state)
{
	struct stack s = {0};

	add_frame(&s, LEAF, 8);
	for (unsigned int i = 0; i < 20; i++)
		add_frame(&s, i % 3 ? RSP_SAVES : i & 1 ? CHAIN : RBP, 64);
	add_frame(&s, RSP, 16);
	build(&s);
	assert_unwinds(&s);
	assert_int_equal(memory.reads, 1);
}

/* Assembly may leave the stack unaligned. */
static void unaligned_frames(void **state)
{
	struct stack s = {0};

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 45);
	add_frame(&s, RSP, 43);
	add_frame(&s, RSP_SAVES, 50);
	add_frame(&s, RSP, 32);
	build(&s);
	assert_unwinds(&s);
}

/* ---- ends ---- */

static void depth(void **state)
{
	static struct stack s;
	struct capture c;

	memset(&s, 0, sizeof(s));
	add_frame(&s, LEAF, 8);
	while (s.n < STACK_DEPTH_MAX + 1) /* as many return addresses as fit */
		add_frame(&s, s.n & 1 ? RSP : RBP, 48);
	build(&s);
	assert_unwinds(&s);
	add_frame(&s, RSP, 48);
	build(&s);
	c = capture();
	assert_prefix(&c, &s, STACK_DEPTH_MAX);
	assert_int_equal(c.stop, UNWIND_STOP_DEPTH);
	for (unsigned int limit = 0; limit < 60; limit++) {
		host_config.stack_depth = limit;
		c = capture();
		assert_prefix(&c, &s, limit);
		assert_int_equal(c.stop, UNWIND_STOP_DEPTH);
	}
	host_config.stack_depth = 0xffffffff;
	c = capture();
	assert_prefix(&c, &s, STACK_DEPTH_MAX);
}

static void an_outermost_rule(void **state)
{
	struct stack s = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	tables__rules()[UNWIND_RULE_END + 3] = (struct unwind_rule){.cfa = UNWIND_END};
	tables__publish(LAYOUT);
	c = capture();
	assert_prefix(&c, &s, 2);
	assert_int_equal(c.stop, UNWIND_STOP_END);
}

static void unknown_places(void **state)
{
	struct stack s = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	s.returns[1] = 0x500000; /* nothing is mapped there */
	memory__put(SP + 8 + 48 - 8, s.returns[1]);
	c = capture();
	assert_prefix(&c, &s, 2);
	assert_int_equal(c.stop, UNWIND_STOP_NO_MAPPING);
	/* A gap, and no frame pointer that leads on. */
	s.returns[1] = CODE + 0x8000;
	memory__put(SP + 8 + 48 - 8, s.returns[1]);
	regs.bp = 0x1234560;
	c = capture();
	assert_prefix(&c, &s, 2);
	assert_int_equal(c.stop, UNWIND_STOP_NO_RULE);
	regs.bp = SP + 0x200; /* into the stack, but no frame is there */
	memory__put(SP + 0x208, CODE + 0x9000);
	c = capture();
	assert_prefix(&c, &s, 2);
	assert_int_equal(c.stop, UNWIND_STOP_NO_RULE);
	regs.bp = 0; /* the ABI's mark of the outermost frame */
	c = capture();
	assert_prefix(&c, &s, 2);
	assert_int_equal(c.stop, UNWIND_STOP_END);
}

/* What is not known of rbp is not made up: it neither leads on nor says that this is the end. */
static void an_unknown_rbp(void **state)
{
	struct stack s = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	add_frame(&s, GAP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	assert_unwinds(&s);
	regs.bp = 0;
	c = capture();
	assert_prefix(&c, &s, 2);
	assert_int_equal(c.stop, UNWIND_STOP_END);
	tables__rules()[UNWIND_RULE_END + 2].rbp = UNWIND_RBP_UNKNOWN;
	tables__publish(LAYOUT);
	c = capture();
	assert_prefix(&c, &s, 2);
	assert_int_equal(c.stop, UNWIND_STOP_NO_RULE);
}

/* A stray rbp leads to an address that is remembered, but that no call has left. */
static void a_chain_needs_calls(void **state)
{
	struct stack s = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	memory__write(s.returns[2] - 5, "\x90\x90\x90\x90\x90", 5);
	assert_unwinds(&s); /* rules are trusted */
	s.returns[0] = JIT + 0x100;
	memory__put(SP, s.returns[0]);
	memory__write(s.returns[0] - 5, "\xe8\1\2\3\4", 5);
	regs.bp = SP + 0x40;
	s.returns[1] = s.returns[2];
	memory__put(regs.bp + 8, s.returns[1]);
	for (int i = 0; i < 2; i++) {
		c = capture();
		assert_prefix(&c, &s, 1);
		assert_int_equal(c.stop, UNWIND_STOP_NO_RULE);
	}
}

static void frames_that_do_not_rise(void **state)
{
	struct stack s = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	add_frame(&s, RBP, 48);
	add_frame(&s, RBP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	assert_unwinds(&s);
	memory__put(SP + 8 + 48 - 16, SP + 8 + 48 - 16); /* its own address */
	c = capture();
	assert_prefix(&c, &s, 2);
	assert_int_equal(c.stop, UNWIND_STOP_READ_FAULT);
	/* The same by frame pointers alone. */
	memset(&s, 0, sizeof(s));
	add_frame(&s, LEAF, 8);
	add_frame(&s, CHAIN, 48);
	add_frame(&s, CHAIN, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	memory__put(SP + 8 + 48 - 16, SP + 8 + 48 - 16);
	c = capture();
	assert_prefix(&c, &s, 2);
	assert_int_equal(c.stop, UNWIND_STOP_NO_RULE);
}

/* ---- places ---- */

/* Inside a function the place comes first, and the function's own rule leads out of it. */
static void inside_a_function(void **state)
{
	struct stack s = {0};
	struct capture c;

	add_frame(&s, RSP, 48);
	add_frame(&s, RBP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	c = capture_at(regs.ip + 1, LAYOUT);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.frames[0], regs.ip + 1);
	assert_memory_equal(c.frames + 1, s.returns, 2 * sizeof(__u64));
	assert_int_equal(c.stop, UNWIND_STOP_END);
}

/* Code with frame pointers, before it has its own and after it has given it back. */
static void on_the_way_in_and_out(void **state)
{
	static const struct {
		__u8 code[4];
		__u64 size;
	} places[] = {
		{{0x55}, 8},		       /* push %rbp */
		{{0xf3, 0x0f, 0x1e, 0xfa}, 8}, /* endbr64 */
		{{0x48, 0x89, 0xe5}, 16},      /* mov %rsp,%rbp, the caller's pushed */
		{{0x48, 0x8b, 0xec}, 16},      /* the same, encoded otherwise */
		{{0xc3}, 8},		       /* ret */
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct stack s = {0};
		struct capture c;

		add_frame(&s, RSP, places[i].size);
		add_frame(&s, CHAIN, 48);
		add_frame(&s, RSP, 48);
		build(&s);
		regs.ip = JIT + 0x8000;
		memory__write(regs.ip - 4, "\xe8\1\2\3", 4); /* looks like a call, is none */
		memory__write(regs.ip, places[i].code, 4);
		forget();
		c = capture_at(regs.ip + 1, LAYOUT);
		assert_int_equal(c.n, 3);
		assert_memory_equal(c.frames + 1, s.returns, 2 * sizeof(__u64));
	}
}

/* At a function's entry the return address is at [rsp], whatever is known of the function. */
static void at_an_entry_without_tables(void **state)
{
	static const __u64 places[] = {0x500000, CODE + 0x8000, JIT + 0x8000};
	struct stack s = {0};

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	for (size_t i = 0; i < 3; i++) {
		regs.ip = places[i];
		assert_unwinds(&s);
	}
}

static void a_register(void **state)
{
	/* DWARF's order. */
	__u64 *words[] = {&regs.ax,  &regs.dx,	&regs.cx,  &regs.bx, &regs.si,	&regs.di,
			  &regs.bp,  &regs.sp,	&regs.r8,  &regs.r9, &regs.r10, &regs.r11,
			  &regs.r12, &regs.r13, &regs.r14, &regs.r15};

	for (unsigned int i = 0; i < 16; i++) {
		struct stack s = {0};
		struct capture c;

		if (i == 7)
			continue; /* rsp has a kind of its own */
		add_frame(&s, RSP, 48);
		add_frame(&s, RSP, 48);
		add_frame(&s, RSP, 48);
		build(&s);
		tables__rules()[UNWIND_RULE_END + 1] =
			(struct unwind_rule){.cfa = UNWIND_REGISTER, .offset = i | -8 * 16};
		tables__publish(LAYOUT);
		memset(&regs.r15, 0, 15 * 8);
		*words[i] = SP + 48 + 8;
		c = capture();
		assert_whole(&c, &s);
	}
}

/* Of a caller its registers are not known. */
static void a_register_of_a_caller(void **state)
{
	struct stack s = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	tables__rules()[UNWIND_RULE_END + 2] = (struct unwind_rule){.cfa = UNWIND_REGISTER};
	tables__publish(LAYOUT);
	c = capture();
	assert_prefix(&c, &s, 1);
	assert_int_equal(c.stop, UNWIND_STOP_NO_RULE);
}

/* ---- signals ---- */

#define HANDLER_STACK (STACK + 0x1000) /* below the other */
#define RESTORER      (CODE + 0x9000)
#define INTERRUPTED   2

/*
 * A handler on a stack of its own: its frame, then the kernel's (struct rt_sigframe), then `s` as
 * it was when it was interrupted in its innermost frame.
 */
static void interrupt_stack(struct stack *s, struct capture *expected)
{
	__u64 context = HANDLER_STACK + 8;
	__u64 words[] = {regs.r8,  regs.r9,  regs.r10, regs.r11, regs.r12, regs.r13,
			 regs.r14, regs.r15, regs.di,  regs.si,	 regs.bp,  regs.bx,
			 regs.dx,  regs.ax,  regs.cx,  regs.sp,	 regs.ip};

	memset(expected, 0, sizeof(*expected));
	memory__put(HANDLER_STACK, RESTORER);
	memory__write(context + 40, words, sizeof(words));
	expected->frames[expected->n++] = RESTORER;
	expected->frames[expected->n++] = regs.ip + 1;
	for (unsigned int i = 0; i + 1 < s->n; i++)
		expected->frames[expected->n++] = s->returns[i];
	memset(&regs, 0, sizeof(regs));
	regs.ip = CODE + 0xa000; /* the handler's entry */
	regs.sp = HANDLER_STACK;
}

static void assert_same(const struct capture *c, const struct capture *expected)
{
	assert_int_equal(c->n, expected->n);
	assert_memory_equal(c->frames, expected->frames, sizeof(c->frames));
	assert_int_equal(c->stop, UNWIND_STOP_END);
}

static void signals_by_rule(void **state)
{
	struct stack s = {0};
	struct capture expected, c;

	add_frame(&s, RSP_SAVES, 48);
	add_frame(&s, RBP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	tables.n_mappings--; /* one more row before that of JIT */
	tables__row(RESTORER - 1, tables__rule((struct unwind_rule){.cfa = UNWIND_SIGNAL}));
	tables__row(RESTORER + 9, UNWIND_RULE_NONE);
	tables.n_mappings++;
	tables__publish(LAYOUT);
	interrupt_stack(&s, &expected);
	for (int i = 0; i < 2; i++) {
		c = capture();
		assert_same(&c, &expected);
	}
}

static void signals_by_their_code(void **state)
{
	static const __u8 codes[][9] = {
		{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05}, /* mov $15,%rax; syscall */
		{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05},	       /* mov $15,%eax; syscall */
	};

	for (size_t i = 0; i < 2; i++) {
		struct stack s = {0};
		struct capture expected, c;

		forget();
		add_frame(&s, RBP, 48);
		add_frame(&s, CHAIN, 48);
		add_frame(&s, RSP, 48);
		build(&s);
		interrupt_stack(&s, &expected);
		memory__write(RESTORER, codes[i], 9);
		c = capture();
		assert_same(&c, &expected);
		c = capture();
		assert_same(&c, &expected);
	}
}

static void codes_of_signal_returns(void **state)
{
	static const struct {
		__u8 code[9];
		int is_one;
	} codes[] = {
		{{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05}, 1},
		{{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05}, 1},
		{{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x0b}, 0},
		{{0x48, 0xc7, 0xc0, 0x0e, 0, 0, 0, 0x0f, 0x05}, 0},
		{{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x34}, 0},
		{{0xb8, 0x0f, 0x01, 0, 0, 0x0f, 0x05}, 0},
		{{0}, 0},
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		memory__write(CODE, codes[i].code, 9);
		assert_int_equal(!!is_signal_return(CODE), codes[i].is_one);
	}
	assert_false(is_signal_return(0x500000));
}

/* A register that holds the CFA, of a function that a signal interrupted. */
static void a_register_in_a_signal(void **state)
{
	static const __u8 code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	__u64 *words[] = {&regs.ax,  &regs.dx,	&regs.cx,  &regs.bx, &regs.si,	&regs.di,
			  &regs.bp,  &regs.sp,	&regs.r8,  &regs.r9, &regs.r10, &regs.r11,
			  &regs.r12, &regs.r13, &regs.r14, &regs.r15};

	memory__write(RESTORER, code, sizeof(code));
	for (unsigned int i = 0; i < 16; i++) {
		struct stack s = {0};
		struct capture expected, c;

		if (i == 7)
			continue;
		add_frame(&s, RSP, 48);
		add_frame(&s, RSP, 48);
		build(&s);
		tables__rules()[UNWIND_RULE_END + 1] =
			(struct unwind_rule){.cfa = UNWIND_REGISTER, .offset = i};
		tables__publish(LAYOUT);
		memset(&regs.r15, 0, 15 * 8);
		*words[i] = SP + 48;
		interrupt_stack(&s, &expected);
		c = capture();
		assert_same(&c, &expected);
	}
}

/* A signal's frame that leads back to itself. */
static void signals_for_ever(void **state)
{
	struct stack s = {0};
	struct capture expected, c;

	add_frame(&s, RSP, 48);
	build(&s);
	interrupt_stack(&s, &expected);
	memory__write(RESTORER, (const __u8[]){0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05}, 9);
	memory__put(HANDLER_STACK + 8 + 160, HANDLER_STACK);
	memory__put(HANDLER_STACK + 8 + 168, CODE + 0xa000);
	c = capture();
	assert_true(c.n <= STACK_DEPTH_MAX);
	assert_true(c.stop != UNWIND_STOP_END);
}

/* ---- hooked returns ---- */

static void hooked_returns(void **state)
{
	struct return_instance calls[3] = {0};
	struct uprobe_task probes = {.return_instances = &calls[0]};
	struct stack s = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	add_frame(&s, RBP, 48);
	add_frame(&s, CHAIN, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	/* The second is of a call that was left without returning. */
	calls[0] = (struct return_instance){SP + 8 + 48 - 8, s.returns[1], &calls[1]};
	calls[1] = (struct return_instance){SP + 8 + 48 + 16, CODE + 0x8000, &calls[2]};
	calls[2] = (struct return_instance){SP + 8 + 3 * 48 - 8, s.returns[3], NULL};
	memory__put(calls[0].stack, 0x7fffffffe000); /* the kernel's page */
	memory__put(calls[2].stack, 0x7fffffffe000);
	task.utask = &probes;
	c = capture();
	assert_whole(&c, &s);
	task.utask = NULL;
	c = capture();
	assert_int_equal(c.stop, UNWIND_STOP_NO_MAPPING);
}

/* ---- the remembered ---- */

/* One half of a slot is of another rule: it is not used. */
static void torn_slots(void **state)
{
	struct unwind_cache *cache = host_map__array(MAP_OF(&unwind_caches));
	struct stack s = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	for (unsigned int i = 0; i < 40; i++)
		add_frame(&s, i & 1 ? RSP : RSP_SAVES, 48 + 8 * i);
	build(&s);
	assert_unwinds(&s);
	for (unsigned int which = 0; which < 2; which++) {
		unsigned int torn = 0;

		for (unsigned int i = 0; i < 1 << UNWIND_CACHE_BITS; i++) {
			if (!cache->slot[i].rule)
				continue;
			torn++;
			*(which ? &cache->slot[i].rule : &cache->slot[i].check) =
				UNWIND_PACK(UNWIND_RSP, 0, 0, 16);
		}
		assert_true(torn > 30);
		c = capture();
		assert_whole(&c, &s);
	}
}

/* The same addresses mean something else after a change, and in another layout. */
static void changed_mappings(void **state)
{
	struct stack s = {0}, other = {0};
	struct capture c;

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	c = capture();
	assert_whole(&c, &s);
	add_frame(&other, LEAF, 8);
	add_frame(&other, RSP, 96);
	add_frame(&other, RSP, 64);
	build(&other);
	c = capture();
	assert_whole(&c, &other);
	build(&other);
	tables__publish(LAYOUT + 1);
	c = capture_at(0, LAYOUT + 1);
	assert_whole(&c, &other);
	tables.n_mappings = 0;
	tables__publish(LAYOUT);
	c = capture();
	assert_int_equal(c.stop, UNWIND_STOP_NO_TABLES);
}

static void hashes(void **state)
{
	struct stack s = {0};
	__u64 seen[300];
	size_t n = 0;

	for (unsigned int depth = 2; depth < 60; depth++) {
		memset(&s, 0, sizeof(s));
		add_frame(&s, LEAF, 8);
		while (s.n < depth)
			add_frame(&s, RSP, 48);
		build(&s);
		seen[n++] = capture().hash;
		tables__publish(LAYOUT + 1);
		seen[n++] = capture_at(0, LAYOUT + 1).hash; /* the same of another program */
		seen[n++] = capture_at(CODE + 1, LAYOUT).hash;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (seen[i] == seen[j])
				fail_msg("stacks %zu and %zu have one hash", j, i);
}

/* ---- tables ---- */

/* What the searches find is what going through the rows finds. */
static void search_everywhere(void)
{
	struct {
		__u64 address;
		__u16 rule;
	} rows[400];
	__u64 at = CODE;
	unsigned int n = 0;

	tables__reset();
	for (unsigned int i = 0; i < 50; i++)
		tables__rule((struct unwind_rule){.cfa = UNWIND_RSP, .offset = 8 + i});
	for (unsigned int m = 0; m < 7; m++) {
		tables__map(at, at + 0x18000, UNWIND_BY_RULES);
		tables__row(at, UNWIND_RULE_NONE);
		for (__u64 a = at + 1 + random_below(3000); a < at + 0x18000;
		     a += 1 + random_below(5000)) {
			if ((a & ~0xffffULL) != (at & ~0xffffULL) &&
			    (n == 0 || (rows[n - 1].address & ~0xffffULL) != (a & ~0xffffULL)))
				a &= ~0xffffULL; /* a page's first row is at its start */
			rows[n].address = a;
			rows[n].rule = 2 + random_below(50);
			tables__row(a, rows[n].rule);
			n++;
		}
		at += 0x40000;
	}
	assert_true(n < 400);
	tables__publish(LAYOUT);
	unwind_look_at_layout(scratch, LAYOUT);
	for (__u64 a = CODE - 10; a < at; a += 7) {
		__u64 rule = find_rule(scratch, a);
		unsigned int found = UNWIND_RULE_NONE;
		bool mapped = a >= CODE && (a - CODE) % 0x40000 < 0x18000;

		for (unsigned int i = 0; i < n && rows[i].address <= a; i++)
			found = rows[i].address >= a - (a - CODE) % 0x40000 ? rows[i].rule : 0;
		if (!mapped)
			assert_int_equal(rule, UNWIND_UNMAPPED);
		else if (!found)
			assert_int_equal(UNWIND_CFA_OF(rule), UNWIND_NONE);
		else
			assert_int_equal(UNWIND_OFFSET_OF(rule), 8 + found - 2);
	}
}

static void searches(void **state)
{
	search_everywhere();
	tables.wide = true;
	search_everywhere();
	tables.wide = false;
}

/* As many rows as a page may have, an odd number of them first, with as many rules as possible. */
static void full_pages(void **state)
{
	enum { RULES = UNWIND_PAGE_RULES };
	unsigned int n[] = {UNWIND_PAGE_ROWS - 1, UNWIND_PAGE_ROWS};
	__u16 first;

	tables__reset();
	first = tables__rule((struct unwind_rule){.cfa = UNWIND_RSP, .offset = 8});
	for (unsigned int i = 1; i < RULES; i++)
		tables__rule((struct unwind_rule){.cfa = UNWIND_RSP, .offset = 8 + i});
	tables__map(CODE, CODE + 2 * UNWIND_PAGE_ROWS, UNWIND_BY_RULES);
	for (unsigned int p = 0; p < 2; p++)
		for (unsigned int i = 0; i < n[p]; i++)
			tables__row(CODE + p * UNWIND_PAGE_ROWS + i, first + (i * 7 + p) % RULES);
	tables__publish(LAYOUT);
	unwind_look_at_layout(scratch, LAYOUT);
	assert_int_equal(tables__pages()[0].rules, RULES);
	assert_int_equal(tables__pages()[1].rows, UNWIND_PAGE_ROWS);
	for (unsigned int p = 0; p < 2; p++)
		for (unsigned int i = 0; i < n[p]; i++)
			assert_int_equal(UNWIND_OFFSET_OF(find_rule(
						 scratch, CODE + p * UNWIND_PAGE_ROWS + i)),
					 8 + (i * 7 + p) % RULES);
}

/* As many mappings as a layout may have. */
static void many_mappings(void **state)
{
	tables__reset();
	for (unsigned int i = 0; i < UNWIND_LAYOUT_MAX; i++)
		tables__map(CODE + i * 0x1000, CODE + i * 0x1000 + 0x800, UNWIND_BY_FRAME_POINTER);
	tables__publish(LAYOUT);
	unwind_look_at_layout(scratch, LAYOUT);
	for (unsigned int i = 0; i < UNWIND_LAYOUT_MAX; i++) {
		__u64 start = CODE + i * 0x1000;

		assert_int_equal(UNWIND_CFA_OF(find_rule(scratch, start)), UNWIND_CHAIN);
		assert_int_equal(UNWIND_CFA_OF(find_rule(scratch, start + 0x7ff)), UNWIND_CHAIN);
		assert_int_equal(find_rule(scratch, start + 0x800), UNWIND_UNMAPPED);
	}
	assert_int_equal(find_rule(scratch, CODE - 1), UNWIND_UNMAPPED);
}

static void fill_randomly(void *at, size_t size)
{
	__u32 *words = at;

	for (size_t i = 0; i < size / 4; i++)
		words[i] = random_below(3) ? random_below(0x7fffffff) : random_below(8);
}

/* Tables of nonsense, over a stack of nonsense: whatever comes of it, it ends and stays inside. */
static void hostile_tables(void **state)
{
	struct unwind_layout *layout;
	__u64 number = LAYOUT;
	struct stack s = {0};

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	build(&s);
	layout = host_map__lookup(MAP_OF(&unwind_layouts), &number);
	for (unsigned int i = 0; i < 3000; i++) {
		if (i % 100 == 0) {
			fill_randomly(tables__shard(), 0x4000);
			fill_randomly(tables__pages(), TABLES_PAGES * sizeof(struct unwind_page));
			fill_randomly(tables__rules(), 0x1000);
			fill_randomly(tables__mappings(), 0x1000);
		}
		for (unsigned int m = 0; m < 8; m++) {
			tables__mappings()[m].start = random_below(2) ? CODE : 0;
			tables__mappings()[m].end = ~0ULL;
		}
		layout->first = random_below(2) ? 0 : random_below(0x7fffffff) * 2;
		layout->n = 1 + (random_below(2) ? random_below(8) : random_below(0x7ffffffe));
		for (__u64 at = SP - 0x100; at < SP + 0x1000; at += 8)
			memory__put(at, random_below(3) ? CODE + random_below(CODE_SIZE)
							: SP + random_below(0x1000));
		regs.sp = random_below(8) ? SP : random_below(0x7fffffff);
		regs.bp = random_below(8) ? SP + random_below(0x1000) : ~0ULL - random_below(64);
		regs.ip = random_below(8) ? CODE + random_below(CODE_SIZE) : ~0ULL;
		layouts_changed++;
		assert_true(capture_at(random_below(2), LAYOUT).n <= STACK_DEPTH_MAX);
	}
}

/* ---- asking ---- */

static unsigned int asked_at(__u64 now)
{
	size_t before = host.n_records;

	host.now = now;
	/* Nobody knows it; what is remembered of others is not used. */
	assert_int_equal(capture_at(0, 77).n, 1);
	assert_int_equal(scratch->stop, UNWIND_STOP_NO_TABLES);
	return host.n_records - before;
}

static void asking_for_tables(void **state)
{
	const struct life_record *r = (void *)host.records[0].bytes;
	struct stack s = {0};
	unsigned int asked = 0;
	__u64 ms = 1000000;

	add_frame(&s, LEAF, 8);
	add_frame(&s, RSP, 48);
	add_frame(&s, RSP, 48);
	build(&s);
	capture();
	assert_int_equal(host.n_records, 0); /* a stack that is whole */
	assert_int_equal(asked_at(1000 * ms), 1);
	assert_int_equal(r->type, RECORD_LIFE);
	assert_int_equal(r->kind, LIFE_CODE);
	assert_int_equal(r->tgid, task.tgid);
	assert_int_equal(asked_at(1001 * ms), 0);
	assert_int_equal(asked_at(1019 * ms), 0);
	assert_int_equal(asked_at(1021 * ms), 1);
	/* Without an answer less and less often, but for ever. */
	for (unsigned int i = 0; i < 10000; i += 5)
		asked += asked_at((1100 + i) * ms);
	assert_in_range(asked, 8, 16);
	asked = 0;
	for (unsigned int i = 0; i < 10000; i += 5)
		asked += asked_at((21100 + i) * ms);
	assert_in_range(asked, 6, 11);
	/* Something has changed: worth asking again soon. */
	layouts_changed++;
	assert_int_equal(asked_at(33000 * ms), 1);
	assert_int_equal(asked_at(33021 * ms), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_kind),
		TEST(random_stacks),
		TEST(every_read_may_fail),
		TEST(absent_pages),
		TEST(at_the_end_of_the_stack),
		TEST(unaligned_frames),
		TEST(nothing_is_read_twice),
		TEST(depth),
		TEST(an_outermost_rule),
		TEST(unknown_places),
		TEST(a_chain_needs_calls),
		TEST(an_unknown_rbp),
		TEST(frames_that_do_not_rise),
		TEST(inside_a_function),
		TEST(on_the_way_in_and_out),
		TEST(at_an_entry_without_tables),
		TEST(a_register),
		TEST(a_register_of_a_caller),
		TEST(signals_by_rule),
		TEST(signals_by_their_code),
		TEST(codes_of_signal_returns),
		TEST(a_register_in_a_signal),
		TEST(signals_for_ever),
		TEST(hooked_returns),
		TEST(torn_slots),
		TEST(changed_mappings),
		TEST(hashes),
		TEST(searches),
		TEST(full_pages),
		TEST(many_mappings),
		TEST(hostile_tables),
		TEST(asking_for_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
