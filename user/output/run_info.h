/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every document says about the run as a whole; filled by session and cli, borrowed by the
 * writers. NULL strings, 0 times and sizes, and NAN percentages are unknown.
 */
#ifndef PERFTRACE_OUTPUT_RUN_INFO_H
#define PERFTRACE_OUTPUT_RUN_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct run_target {
	uint32_t pid;
	const char *comm, *exe;
	const char *allocator; /* "glibc", "jemalloc", ... */
	uint64_t started_ns;   /* of the process; wall clock since the epoch */
	bool gone;	       /* it ended before the trace did */
	bool from_start;       /* traced from its first instruction: nothing is older */
};

struct run_overhead {
	uint64_t probe_hits;
	double estimated_percent;  /* of the target's CPU time, spent in probes */
	double tracer_cpu_percent; /* of one CPU */
	uint64_t tracer_rss_bytes;
};

struct run_info {
	const char *version, *host;
	struct run_target target;
	uint64_t begin_ns; /* wall clock since the epoch */
	uint64_t duration_ns;
	struct clock_offset offset; /* turns the monotonic times of facts into wall clock */
	struct run_overhead overhead;
	const char *const *notes; /* sentences: what is unknown or partial, and why */
	size_t note_count;
	bool utc; /* times in text are UTC instead of local */
};

#endif
