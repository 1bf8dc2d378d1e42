/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The books of a run: everything that began must have ended, be still there, or be known lost.
 * What is left over is a residual, and a residual means that a number somewhere is wrong.
 */
#ifndef PERFTRACE_MODEL_LEDGER_H
#define PERFTRACE_MODEL_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/counters.h"
#include "abi/unwind.h"

enum counter_kind {
	COUNTER_KIND_SEEN,
	COUNTER_KIND_LOST,
	COUNTER_KIND_ODD,
};

/* What the session counted, besides the kernel's counters. */
struct ledger_input {
	uint64_t counters[COUNTER_COUNT]; /* summed over CPUs */
	bool heap_traced;
	uint64_t live_blocks, live_bytes; /* walked in the live map, not the kernel's gauge */
	uint64_t in_flight_blocks;	  /* taken out while their realloc runs */
	uint64_t gone_blocks, gone_bytes; /* of address spaces that ended: neither freed nor live */
	uint64_t open_spans;		  /* still running and not reported as unfinished */
	uint64_t children_followed;
	uint64_t children_never_linked; /* to their end, or the trace's, without probes of their own
					 */
	uint64_t gap_ns_total, gap_ns_max; /* from a child's fork to its own probes */
};

struct ledger {
	uint64_t counters[COUNTER_COUNT];
	/* Events handled: heap calls, span starts and ends, marks. */
	uint64_t seen;
	/* Events whose facts are gone: all counters of kind LOST. */
	uint64_t lost;
	/* Events whose other half lies before the attach: unknown frees, ends without a start. */
	uint64_t unmatched;
	bool balanced; /* every residual is 0 */
	struct {
		uint64_t starts, ends, unwound, unfinished;
		uint64_t dropped; /* nested too deep to be followed */
		uint64_t open, orphan_ends;
		int64_t residual; /* starts - (ends + unwound + unfinished + dropped + open) */
	} spans;
	struct {
		bool traced;
		uint64_t allocs, frees, live, in_flight, gone;
		uint64_t lost;	  /* blocks that fell out of the books, each with its counter */
		int64_t residual; /* allocs - (frees + live + in_flight + gone + lost) */
		uint64_t unknown_frees, missed_returns, conflicts;
	} heap;
	struct {
		uint64_t captured, complete;  /* call stacks, one for each allocation or sample */
		uint64_t ended[UNWIND_STOPS]; /* of those captured, by enum unwind_stop */
	} stacks;
	struct {
		uint64_t followed, never_linked, gap_ns_total, gap_ns_max;
	} children;
};

/* Fills `ledger` from `input`. */
void ledger__settle(struct ledger *ledger, const struct ledger_input *input);

/* True if nothing was lost, no child ran unseen and the books balance: what --strict asks for. */
bool ledger__is_complete(const struct ledger *ledger);

/* 0 to 1; 1 when no stack was captured. */
double ledger__complete_stacks(const struct ledger *ledger);
/* Why a stack ends, a word: "end", "no_mapping", ... Static text; "unknown" for other numbers. */
const char *unwind_stop_name(unsigned int stop);
/* The counter of stacks that end for that reason. */
enum counter unwind_stop_counter(enum unwind_stop stop);

/* Static text; `counter` must be valid. The name is in lower case: "heap_allocs". */
const char *counter_name(enum counter counter);
const char *counter_sentence(enum counter counter);
enum counter_kind counter_kind(enum counter counter);

#endif
