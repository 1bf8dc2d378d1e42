// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench_function [ROUNDS=0]
 *
 * Calls operation(), which does nothing, in a hot loop for ROUNDS rounds of 200 ms (0 = until
 * killed); one line "pair_ns X" per round: nanoseconds per call. many_000() to many_499() are there
 * to be probed and are never called. SIGTERM ends it.
 */
#include "bench.h"

NOINLINE void operation(void);
NOINLINE void operation(void)
{
	int here = 0;

	opaque(&here); /* on the stack: the function has a frame, as those worth tracing have */
}

#define MANY(n)                                 \
	NOINLINE void many_##n(void);           \
	NOINLINE void many_##n(void)            \
	{                                       \
		__asm__ volatile("# many_" #n); \
	}
#define TEN(n)                                                                                  \
	MANY(n##0)                                                                              \
	MANY(n##1) MANY(n##2) MANY(n##3) MANY(n##4) MANY(n##5) MANY(n##6) MANY(n##7) MANY(n##8) \
		MANY(n##9)
#define HUNDRED(n) \
	TEN(n##0)  \
	TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)

HUNDRED(0)
HUNDRED(1) HUNDRED(2) HUNDRED(3) HUNDRED(4)

	static void batch(void)
{
	for (int i = 0; i < BENCH_BATCH; i++)
		operation();
}

int main(int argc, char **argv)
{
	target_ready();
	bench(number_arg(argc, argv, 1, 0), batch);
	return 0;
}
