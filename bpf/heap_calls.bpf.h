/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a probe's registers mean: the arguments of an allocator call, by the cookie (abi/heap.h). */
#ifndef PERFTRACE_HEAP_CALLS_BPF_H
#define PERFTRACE_HEAP_CALLS_BPF_H

#include "common.bpf.h"

/* n * size; a product that does not fit makes the call fail, and is no size 0 (realloc frees). */
static __always_inline __u64 product(__u64 n, __u64 size)
{
	__u64 most = size ? ~0ULL / size : n;

	/* Hidden, or the compiler makes this a 128-bit multiplication, which BPF has not. */
	barrier_var(most);
	return n > most ? ~0ULL : n * size;
}

/*
 * One arm of a choice among registers. The comments differ, or the compiler would make one load
 * from a computed address of all arms, which the verifier refuses.
 */
#define REGISTER(n, field)                                          \
	case n:                                                     \
		value = ctx->field;                                 \
		__asm__ volatile("/* " #field " */" : "+r"(value)); \
		return value

/* Argument `n` of a function at its entry, 1 to 6. */
static __noinline __u64 argument(struct pt_regs *ctx, __u32 n)
{
	__u64 value;

	switch (n) {
		REGISTER(1, di);
		REGISTER(2, si);
		REGISTER(3, dx);
		REGISTER(4, cx);
		REGISTER(5, r8);
		REGISTER(6, r9);
	}
	return 0;
}

/* As the description says. Several times as many instructions as one that is known. */
static __noinline int note_described(struct heap_thread *t, struct pt_regs *ctx)
{
	__u32 fn, n;

	if (!t) /* for the verifier */
		return 0;
	fn = t->function;
	t->size = argument(ctx, HEAP_ARGUMENT(fn, HEAP_SIZE));
	n = HEAP_ARGUMENT(fn, HEAP_COUNT);
	if (n)
		t->size = product(argument(ctx, n), t->size);
	n = HEAP_ARGUMENT(fn, HEAP_BLOCK);
	if (n)
		t->old_address = argument(ctx, n);
	n = HEAP_ARGUMENT(fn, HEAP_OUT);
	if (n)
		t->out = argument(ctx, n);
	n = HEAP_ARGUMENT(fn, HEAP_ALIGN);
	if (n)
		t->alignment = argument(ctx, n);
	n = HEAP_ARGUMENT(fn, HEAP_FLAGS);
	if (n) {
		n = argument(ctx, n) & 63;
		if (n)
			t->alignment = 1ULL << n;
	}
	return 0;
}

static __always_inline void note_arguments(struct heap_thread *t, struct pt_regs *ctx, __u32 fn)
{
	__u64 arg1 = PT_REGS_PARM1(ctx), arg2 = PT_REGS_PARM2(ctx), arg3 = PT_REGS_PARM3(ctx);

	t->function = fn;
	t->alignment = 0;
	t->old_address = 0;
	t->size = arg1;
	switch (fn) {
	case HEAP_MALLOC:
		break;
	case HEAP_CALLOC:
		t->size = product(arg1, arg2);
		break;
	case HEAP_REALLOC:
		t->old_address = arg1;
		t->size = arg2;
		break;
	case HEAP_REALLOCARRAY:
		t->old_address = arg1;
		t->size = product(arg2, arg3);
		break;
	case HEAP_POSIX_MEMALIGN:
		t->out = arg1;
		t->alignment = arg2;
		t->size = arg3;
		break;
	case HEAP_MEMALIGN:
		t->alignment = arg1;
		t->size = arg2;
		break;
	default:
		note_described(t, ctx);
	}
}

/* A register by its number in instructions. */
static __noinline __u64 register_value(struct pt_regs *ctx, __u32 n)
{
	__u64 value;

	switch (n) {
		REGISTER(0, ax);
		REGISTER(1, cx);
		REGISTER(2, dx);
		REGISTER(3, bx);
		REGISTER(5, bp);
		REGISTER(6, si);
		REGISTER(7, di);
		REGISTER(8, r8);
		REGISTER(9, r9);
		REGISTER(10, r10);
		REGISTER(11, r11);
		REGISTER(12, r12);
		REGISTER(13, r13);
		REGISTER(14, r14);
		REGISTER(15, r15);
	}
	return 0;
}

#endif
