/* SPDX-License-Identifier: BSD-2-Clause */
/* The objects that several JSON documents share. Unknown values are null. */
#ifndef PERFTRACE_OUTPUT_JSON_PARTS_H
#define PERFTRACE_OUTPUT_JSON_PARTS_H

#include "model/heap.h"
#include "model/ledger.h"
#include "model/memory.h"
#include "output/json.h"
#include "output/run_info.h"

/* RFC 3339 of a wall-clock time; 0 is null. */
void json_realtime(struct json *j, const char *key, uint64_t realtime_ns);
/* The same for a monotonic time of this run. */
void json_time(struct json *j, const char *key, const struct run_info *run, uint64_t monotonic_ns);

void json_target(struct json *j, const struct run_target *target);
void json_overhead(struct json *j, const struct run_overhead *overhead);
void json_ledger(struct json *j, const struct ledger *ledger);
/* `key`: "rss" or "growth". */
void json_rss(struct json *j, const char *key, const struct memory_growth *growth);
/* Array of frames, innermost first. */
void json_stack(struct json *j, const char *key, const struct heap_frame *frames, uint32_t depth);

/*
 * "notes": the run's own, then why the nulls of the shared objects above are null, then `extra`
 * (`count` sentences; NULL entries are skipped).
 */
void json_notes(struct json *j, const struct run_info *run, const struct memory_growth *rss,
		const char *const *extra, size_t count);

#endif
