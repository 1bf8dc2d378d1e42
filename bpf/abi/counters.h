/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every event we count and every way to lose one, declared once: the kernel side adds to
 * COUNTER_<NAME>, user space prints the sentence. Per-CPU, 64 bits, never reset.
 *
 * X(NAME, kind, sentence): kind is SEEN (an event handled), LOST (an event whose facts are gone)
 * or ODD (handled, but worth telling).
 */
#ifndef PERFTRACE_ABI_COUNTERS_H
#define PERFTRACE_ABI_COUNTERS_H

#define COUNTERS(X)                                                                                \
	X(PROBE_HITS, SEEN, "probe hits in traced processes")                                      \
	/* heap */                                                                                 \
	X(HEAP_ALLOCS, SEEN, "successful allocations")                                             \
	X(HEAP_FREES, SEEN, "frees of traced blocks")                                              \
	X(HEAP_FAILED, SEEN, "allocation calls that returned no block")                            \
	X(HEAP_ALLOC_BYTES, SEEN, "bytes requested by successful allocations")                     \
	X(HEAP_FREED_BYTES, SEEN, "bytes of traced blocks that were freed")                        \
	X(HEAP_UNKNOWN_FREES, ODD, "frees of blocks older than the attach")                        \
	X(HEAP_LIVE_FULL, LOST, "allocations not tracked: the live map is full (--max-live)")      \
	X(HEAP_LIVE_FULL_BYTES, ODD, "bytes of allocations not tracked")                           \
	X(HEAP_SITES_FULL, LOST, "allocations without call site: the site map is full")            \
	X(HEAP_CONFLICTS, LOST, "frees missed: the address was handed out again")                  \
	X(HEAP_CONFLICT_BYTES, ODD, "bytes of blocks whose free was missed")                       \
	X(HEAP_MISSED_RETURNS, LOST, "allocation calls whose return was not seen")                 \
	X(HEAP_READ_FAULTS, LOST, "allocations whose result could not be read")                    \
	X(HEAP_RESTORE_FAILED, LOST, "blocks of failed reallocs that could not be put back")       \
	X(HEAP_NO_STATE, LOST, "heap calls lost: no memory for the thread's state")                \
	/* stacks, one for each allocation or sample: see enum unwind_stop */                      \
	X(STACKS_COMPLETE, SEEN, "stacks followed to their outermost frame")                       \
	X(STACKS_NO_MAPPING, ODD, "stacks cut at an address outside all known mappings")           \
	X(STACKS_NO_RULE, ODD, "stacks cut in code without usable unwind information")             \
	X(STACKS_READ_FAULT, ODD, "stacks cut because the stack's memory could not be read")       \
	X(STACKS_DEPTH, ODD, "stacks cut at the number of frames that are kept (--stack-depth)")   \
	X(STACKS_NO_TABLES, ODD, "stacks cut because unwind tables were not there yet")            \
	/* CPU samples */                                                                          \
	X(SAMPLES, SEEN, "CPU samples taken")                                                      \
	X(SAMPLES_KERNEL, SEEN, "CPU samples that found the kernel at work for a process")         \
	X(SAMPLES_NO_USER, SEEN, "CPU samples of threads that had no user stack any more")         \
	X(SAMPLES_NS, SEEN, "nanoseconds that taking them took")                                   \
	X(SAMPLES_LOST, LOST, "CPU samples lost: the map of their stacks is full")                 \
	/* spans */                                                                                \
	X(SPAN_STARTS, SEEN, "span starts")                                                        \
	X(SPAN_ENDS, SEEN, "spans ended normally")                                                 \
	X(SPAN_UNWOUND, SEEN, "spans left without their end probe")                                \
	X(SPAN_UNFINISHED, SEEN, "spans still open when their thread or the trace ended")          \
	X(SPAN_ORPHAN_ENDS, ODD, "span ends without a start (they began before the attach)")       \
	X(SPAN_TOO_DEEP, LOST, "spans nested deeper than the thread's stack of open spans")        \
	X(SPAN_NO_STATE, LOST, "span probes lost: no memory for the thread's state")               \
	X(SPAN_NAME_FAULTS, ODD, "span names that could not be read")                              \
	X(SPAN_NAMES_FULL, ODD, "span names not kept: the name map is full")                       \
	X(MARKS, SEEN, "checkpoints and events")                                                   \
	/* transport and life */                                                                   \
	X(RING_SPANS_LOST, LOST, "span records lost: the ring buffer was full (--ring)")           \
	X(RING_MARKS_LOST, LOST, "checkpoints and events lost: the ring buffer was full (--ring)") \
	X(RING_LIFE_LOST, LOST, "fork, exec or exit notices lost: the ring buffer was full")       \
	X(TARGETS_FULL, LOST, "children not followed: the target map is full")

enum counter {
#define X(name, kind, sentence) COUNTER_##name,
	COUNTERS(X)
#undef X
		COUNTER_COUNT
};

#endif
