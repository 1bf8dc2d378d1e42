/* SPDX-License-Identifier: BSD-2-Clause */
/* One run with known facts, for the tests of everything that writes documents. */
#ifndef PERFTRACE_TESTS_REPORT_FIXTURE_H
#define PERFTRACE_TESTS_REPORT_FIXTURE_H

#include <math.h>
#include <string.h>

#include "output/leaks_report.h"
#include "model/span_stats.h"

#define FIXTURE_EPOCH 1795184624000000000ull /* 2026-11-20T14:23:44Z is monotonic 0 */
#define MB_BYTES      (1024.0 * 1024.0)

struct fixture {
	struct run_info run;
	struct heap_snapshot heap;
	struct candidates candidates;
	struct memory_growth rss;
	struct ledger ledger;
	struct leaks_report report;
	struct span_stats *stats;
};

static inline void fixture_span(struct fixture *f, const char *name, uint64_t ns,
				enum span_status status)
{
	struct span span = {.name = name, .end_ns = ns, .child_ns = ns / 4, .status = status};

	span_stats__add(f->stats, &span);
}

static inline void fixture_heap(struct fixture *f)
{
	static const struct heap_frame frames[] = {
		{.function = "malloc",
		 .module = "/lib/x86_64-linux-gnu/libc.so.6",
		 .build_id = "c0ffee",
		 .offset = 0x9a2f0},
		{.function = "Session::copy()",
		 .module = "/usr/bin/api-server",
		 .offset = 0x1234,
		 .file = "/src/session.cc",
		 .line = 88},
		{.function = "handle_login(Request&)",
		 .module = "/usr/bin/api-server",
		 .offset = 0x2345,
		 .file = "/src/auth.cc",
		 .line = 41,
		 .inlined = true},
		{.module = "/usr/bin/api-server", .offset = 0x99},
	};
	static const struct candidate_options options = {.limits = LEAK_LIMITS_DEFAULT};
	struct call_site *site = heap_snapshot__add_site(&f->heap, frames, 4);

	f->heap.traced = true;
	f->heap.begin_ns = 1;
	f->heap.taken_ns = 60 * NSEC_PER_SEC + 1;
	f->heap.total = (struct heap_totals){
		.allocs = 11000,
		.frees = 838,
		.failed = 2,
		.alloc_bytes = 14000000,
		.freed_bytes = 1000000,
		.live_blocks = 10162,
		.live_bytes = 13000000,
		.peak_live_bytes = 30000000,
		.unknown_frees = 7,
	};
	site->allocs = 10162;
	site->live_blocks = 10162;
	site->live_bytes = 13000000;
	site->alloc_bytes = 13000000;
	site->first_ns = NSEC_PER_SEC;
	site->last_ns = 59 * NSEC_PER_SEC;
	site->largest = 2048;
	candidates__find(&f->candidates, &f->heap, &options);
}

static inline void fixture_ledger(struct fixture *f)
{
	struct ledger_input in = {
		.heap_traced = true,
		.live_blocks = 10162,
		.live_bytes = 13000000,
		.children_followed = 3,
		.gap_ns_total = 900000,
		.gap_ns_max = 500000,
	};

	in.counters[COUNTER_HEAP_ALLOCS] = 11000;
	in.counters[COUNTER_HEAP_FREES] = 838;
	in.counters[COUNTER_HEAP_UNKNOWN_FREES] = 7;
	in.counters[COUNTER_SPAN_STARTS] = 13;
	in.counters[COUNTER_SPAN_ENDS] = 11;
	in.counters[COUNTER_SPAN_UNWOUND] = 1;
	in.counters[COUNTER_SPAN_UNFINISHED] = 1;
	ledger__settle(&f->ledger, &in);
}

static inline void fixture_start(struct fixture *f)
{
	static const char *const notes[] = {"stacks end at code without frame pointers"};

	memset(f, 0, sizeof(*f));
	f->run = (struct run_info){
		.version = "1.0",
		.host = "db3",
		.begin_ns = FIXTURE_EPOCH,
		.duration_ns = 60 * NSEC_PER_SEC,
		.notes = notes,
		.note_count = 1,
		.utc = true,
		.target = {.pid = 4242,
			   .comm = "api-server",
			   .exe = "/usr/bin/api-server",
			   .allocator = "glibc",
			   .started_ns = FIXTURE_EPOCH - 5},
		.offset = {.realtime_minus_monotonic_ns = FIXTURE_EPOCH},
		.overhead = {.probe_hits = 24000,
			     .estimated_percent = 0.7,
			     .tracer_cpu_percent = 0.4,
			     .tracer_rss_bytes = 14 << 20},
	};
	f->rss = (struct memory_growth){
		.known = true,
		.start_bytes = 257215693,
		.end_bytes = 935435469,
		.peak_bytes = 935435469,
		.growth_bytes = 678219776,
		.span_ns = 60 * NSEC_PER_SEC,
		.slope_known = true,
		.slope_bytes_per_hour = 38.9 * 1024 * MB_BYTES,
		.slope_low = 38.1 * 1024 * MB_BYTES,
		.slope_high = 39.7 * 1024 * MB_BYTES,
	};
	f->stats = span_stats__new();
	for (int i = 1; i <= 10; i++)
		fixture_span(f, "ec2.describe_instances", (uint64_t)i * 20000000, SPAN_OK);
	fixture_span(f, "query_engine.phase1", 1440000000, SPAN_OK);
	fixture_span(f, "query_engine.phase1", 1210000000, SPAN_WAS_UNWOUND);
	fixture_span(f, "query_engine.phase1", 1, SPAN_UNFINISHED);
	fixture_heap(f);
	fixture_ledger(f);
	f->report = (struct leaks_report){
		.run = &f->run,
		.heap = &f->heap,
		.candidates = &f->candidates,
		.rss = &f->rss,
		.ledger = &f->ledger,
	};
}

static inline void fixture_stop(struct fixture *f)
{
	span_stats__free(f->stats);
	candidates__free(&f->candidates);
	heap_snapshot__free(&f->heap);
}

#endif
