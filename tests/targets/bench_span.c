// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench_span [ROUNDS=0] [macro|context|usdt]
 *
 * Spans in a hot loop, for ROUNDS rounds of 200 ms (0 = until killed); one line "pair_ns X" per
 * round. macro: PERF_START and PERF_END; context: the same with a formatted context; usdt: the
 * pair demo:task__start(char *)/task__done with semaphores. SIGTERM ends it.
 */
#include <perftrace.h>

#include "bench.h"
#include "usdt.h"

USDT_SEMAPHORE(demo_task__start_semaphore);
USDT_SEMAPHORE(demo_task__done_semaphore);

static void macro_batch(void)
{
	for (int i = 0; i < BENCH_BATCH; i++) {
		PERF_START("bench.span");
		PERF_END("bench.span");
	}
}

static void context_batch(void)
{
	for (int i = 0; i < BENCH_BATCH; i++) {
		PERF_START("bench.span");
		PERF_END("bench.span", PERF_FMT("%d queries", i));
	}
}

static void usdt_batch(void)
{
	for (int i = 0; i < BENCH_BATCH; i++) {
		if (__builtin_expect(demo_task__start_semaphore, 0))
			USDT1("demo", "task__start", "demo_task__start_semaphore",
			      (const char *)"bench");
		if (__builtin_expect(demo_task__done_semaphore, 0))
			USDT0("demo", "task__done", "demo_task__done_semaphore");
	}
}

int main(int argc, char **argv)
{
	const char *kind = argc > 2 ? argv[2] : "macro";

	target_ready();
	bench(number_arg(argc, argv, 1, 0), !strcmp(kind, "usdt")      ? usdt_batch
					    : !strcmp(kind, "context") ? context_batch
								       : macro_batch);
	return 0;
}
