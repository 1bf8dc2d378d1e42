/* SPDX-License-Identifier: BSD-2-Clause */
/* The work that each process of forker and execer does, and its truth. */
#ifndef PERFTRACE_TARGETS_FAMILY_H
#define PERFTRACE_TARGETS_FAMILY_H

#include <perftrace.h>

#include "common.h"

#define FAMILY_ALLOCS 100
#define FAMILY_FREES  60
#define FAMILY_BYTES  200
#define FAMILY_SPANS  10

NOINLINE void family_work(const char *span, int number);

/* 100 blocks of 200 bytes, 60 of them freed; 10 spans of 1 ms called `span` (number N). */
NOINLINE void family_work(const char *span, int number)
{
	void *blocks[FAMILY_ALLOCS];

	for (int i = 0; i < FAMILY_ALLOCS; i++)
		blocks[i] = opaque(malloc(FAMILY_BYTES));
	for (int i = 0; i < FAMILY_FREES; i++)
		free(blocks[i]);
	for (int i = 0; i < FAMILY_SPANS; i++) {
		PERF_GUARD(span, PERF_FMT("number %d", number));
		sleep_ms(1);
	}
}

/*
 * `times` is how often family_work() ran, over all processes and images; `alive` how many of
 * these are still there. The blocks of the others died with their address space, not by free.
 */
HELPER void family_truth(const char *span, long times, long alive)
{
	const long kept = FAMILY_ALLOCS - FAMILY_FREES, died = times - alive;

	target_truth("{\"processes\":%ld,\"allocs\":%ld,\"frees\":%ld,\"alloc_bytes\":%ld,"
		     "\"freed_bytes\":%ld,\"live_blocks\":%ld,\"live_bytes\":%ld,"
		     "\"died_blocks\":%ld,\"died_bytes\":%ld,\"failed\":0,\"unknown_frees\":0,"
		     "\"function\":\"family_work\","
		     "\"spans\":{\"%s\":{\"count\":%ld,\"min_ns\":1000000}},\"unwound\":{}}",
		     times, times * FAMILY_ALLOCS, times * FAMILY_FREES,
		     times * FAMILY_ALLOCS * FAMILY_BYTES, times * FAMILY_FREES * FAMILY_BYTES,
		     alive * kept, alive * kept * FAMILY_BYTES, died * kept,
		     died * kept * FAMILY_BYTES, span, times * FAMILY_SPANS);
}

#endif
