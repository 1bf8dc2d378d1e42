/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts about spans, checkpoints and events as every room after the session sees them: records
 * decoded (bpf/abi/records.h), names resolved, nothing judged.
 *
 * Times are CLOCK_MONOTONIC nanoseconds, sizes bytes. `name` is interned (model/names.h) and
 * stable for the run; `context` is borrowed for the call it is passed to, NULL when there is none.
 */
#ifndef PERFTRACE_MODEL_SPAN_H
#define PERFTRACE_MODEL_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/records.h"

struct span {
	uint32_t pid, tid;
	char comm[COMM_LEN]; /* raw bytes of the kernel, NUL-terminated unless 16 long */
	const char *name;
	const char *context; /* the record's strings joined into one */
	uint64_t id, parent; /* unique in a run; parent 0 = none */
	uint32_t depth;	     /* scoped spans around it */
	enum span_status status;
	bool unscoped; /* matched by thread and name: a root of its own, without children */
	uint64_t start_ns;
	uint64_t end_ns;    /* SPAN_OPEN: when it was looked at, or 0 */
	uint64_t child_ns;  /* covered by its direct children */
	bool rss_known;	    /* the three below are meaningful */
	uint64_t rss_bytes; /* at the end */
	int64_t rss_delta_bytes;
	uint64_t rss_error_bytes; /* bound of the delta: the kernel's counters lag (per-CPU batches)
				   */
};

/* A checkpoint or an event: a point in time. */
struct mark {
	uint32_t pid, tid;
	char comm[COMM_LEN];
	enum mark_kind kind;
	const char *name;    /* a checkpoint's name, an event's tag */
	const char *context; /* a checkpoint's context, an event's text */
	uint64_t time_ns;
	uint64_t parent;    /* innermost scoped span that was open, 0 = none */
	uint64_t rss_bytes; /* 0 = unknown */
	/* Since the previous checkpoint of the process; events and first checkpoints know none. */
	bool growth_known;
	int64_t growth_bytes;
	uint64_t growth_error_bytes;
	const char *since; /* interned name of that previous checkpoint */
};

/* 0 for a span that is still open, and for a clock that ran backwards. */
static inline uint64_t span_duration_ns(const struct span *span)
{
	return span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0;
}

/* Its own time, without its direct children. */
static inline uint64_t span_self_ns(const struct span *span)
{
	uint64_t duration = span_duration_ns(span);

	return duration > span->child_ns ? duration - span->child_ns : 0;
}

#endif
