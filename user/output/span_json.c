// SPDX-License-Identifier: BSD-2-Clause
#include "output/span_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output/json.h"
#include "output/json_parts.h"

static const char *const statuses[] = {
	[SPAN_OK] = "ok",
	[SPAN_WAS_UNWOUND] = "unwound",
	[SPAN_UNFINISHED] = "unfinished",
	[SPAN_OPEN] = "open",
};

/* Fields of the contract that this version does not measure; the summary's notes say so. */
static const char *const unmeasured[] = {
	"cpu_ns", "wait_ns",	 "wait_reason", "runq_ns",	  "switches",
	"faults", "alloc_count", "alloc_bytes", "retained_bytes",
};
#define UNMEASURED_NOTE                                                                \
	"span: cpu_ns, wait_ns, wait_reason, runq_ns, switches, faults, alloc_count, " \
	"alloc_bytes and retained_bytes are not measured"
#define SPAN_NOTE                                                                               \
	"span: rss_delta_bytes and rss_error_bytes are null where the kernel's counters could " \
	"not be read, dur_ns "                                                                  \
	"while the span is open"
#define MARK_NOTE                                                                              \
	"checkpoint: growth_bytes is null at the first one of a process, rss_bytes where the " \
	"kernel's counters could not be read"
#define SAMPLE_NOTE "sample: heap_bytes is null, what the allocator holds in all is not measured"
#define STAT_NOTE                                                                            \
	"summary.spans: total_ns, self_ns, min_ns, avg_ns, p50_ns, p90_ns, p95_ns, p99_ns, " \
	"p999_ns "                                                                           \
	"and max_ns are null for names of which no span has ended"

static void add_id(struct json *j, const char *key, uint64_t id)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, id);
	json_string(j, key, id ? text : NULL);
}

static void add_comm(struct json *j, const char *comm)
{
	json_string_bytes(j, "comm", comm, strnlen(comm, COMM_LEN));
}

static void add_rss(struct json *j, const struct span *span)
{
	if (span->rss_known) {
		json_i64(j, "rss_delta_bytes", span->rss_delta_bytes);
		json_u64(j, "rss_error_bytes", span->rss_error_bytes);
	} else {
		json_null(j, "rss_delta_bytes");
		json_null(j, "rss_error_bytes");
	}
}

int span_json__span(struct strbuf *out, const struct run_info *run, const struct span *span)
{
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "type", "span");
	json_time(&j, "start", run, span->start_ns);
	json_u64(&j, "pid", span->pid);
	json_u64(&j, "tid", span->tid);
	add_comm(&j, span->comm);
	json_string(&j, "name", span->name);
	json_string(&j, "context", span->context);
	json_u64(&j, "depth", span->unscoped ? 0 : span->depth);
	add_id(&j, "id", span->id);
	add_id(&j, "parent", span->unscoped ? 0 : span->parent);
	if (span->status == SPAN_OPEN)
		json_null(&j, "dur_ns");
	else
		json_u64(&j, "dur_ns", span_duration_ns(span));
	for (size_t i = 0; i < sizeof(unmeasured) / sizeof(unmeasured[0]); i++)
		json_null(&j, unmeasured[i]);
	add_rss(&j, span);
	json_string(&j, "status", statuses[span->status]);
	json_close(&j);
	return json_end(&j);
}

int span_json__mark(struct strbuf *out, const struct run_info *run, const struct mark *mark)
{
	bool checkpoint = mark->kind == MARK_CHECKPOINT;
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "type", checkpoint ? "checkpoint" : "event");
	json_time(&j, "time", run, mark->time_ns);
	json_u64(&j, "pid", mark->pid);
	json_u64(&j, "tid", mark->tid);
	if (checkpoint) {
		add_comm(&j, mark->comm);
		json_string(&j, "name", mark->name);
		json_string(&j, "context", mark->context);
		if (mark->rss_bytes)
			json_u64(&j, "rss_bytes", mark->rss_bytes);
		else
			json_null(&j, "rss_bytes");
		if (mark->growth_known)
			json_i64(&j, "growth_bytes", mark->growth_bytes);
		else
			json_null(&j, "growth_bytes");
	} else {
		json_string(&j, "tag", mark->name);
		json_string(&j, "text", mark->context);
	}
	json_close(&j);
	return json_end(&j);
}

int span_json__line(struct strbuf *out, const struct run_info *run, const struct span_line *line)
{
	return line->span ? span_json__span(out, run, line->span)
			  : span_json__mark(out, run, line->mark);
}

int span_json__sample(struct strbuf *out, const struct run_info *run, uint32_t pid,
		      const struct memory_sample *sample)
{
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "type", "sample");
	json_time(&j, "time", run, sample->time_ns);
	json_u64(&j, "pid", pid);
	for (int i = 0; i < MEMORY_FIELD_COUNT; i++) {
		char key[32];
		uint64_t bytes;

		snprintf(key, sizeof(key), "%s_bytes", memory_field_name(i));
		if (memory_sample__get(sample, i, &bytes))
			json_u64(&j, key, bytes);
		else
			json_null(&j, key);
	}
	json_close(&j);
	return json_end(&j);
}

/* A name of which no span ended has no durations: null, not 0. */
static void add_ns(struct json *j, const char *key, const struct span_stat *stat, uint64_t ns)
{
	if (stat->count)
		json_u64(j, key, ns);
	else
		json_null(j, key);
}

static void add_stat(struct json *j, const struct span_stat *s)
{
	json_object(j, NULL);
	json_string(j, "name", s->name);
	json_u64(j, "count", s->count);
	json_u64(j, "unwound", s->unwound);
	json_u64(j, "unfinished", s->unfinished);
	add_ns(j, "total_ns", s, s->total_ns);
	add_ns(j, "self_ns", s, s->self_ns);
	add_ns(j, "min_ns", s, s->min_ns);
	add_ns(j, "avg_ns", s, span_stat__average_ns(s));
	add_ns(j, "p50_ns", s, span_stat__percentile_ns(s, 0.5));
	add_ns(j, "p90_ns", s, span_stat__percentile_ns(s, 0.9));
	add_ns(j, "p95_ns", s, span_stat__percentile_ns(s, 0.95));
	add_ns(j, "p99_ns", s, span_stat__percentile_ns(s, 0.99));
	add_ns(j, "p999_ns", s, span_stat__percentile_ns(s, 0.999));
	add_ns(j, "max_ns", s, s->max_ns);
	json_close(j);
}

int span_json__summary(struct strbuf *out, const struct run_info *run,
		       const struct span_stats *stats, const struct memory_growth *rss,
		       const struct ledger *ledger)
{
	static const char *const notes[] = {UNMEASURED_NOTE, SPAN_NOTE, MARK_NOTE, SAMPLE_NOTE,
					    STAT_NOTE};
	const struct span_stat **list;
	struct json j;
	size_t n;

	list = span_stats__by_total(stats, &n);
	if (!list && span_stats__count(stats))
		return -ENOMEM;
	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "type", "summary");
	json_array(&j, "spans");
	for (size_t i = 0; i < n; i++)
		add_stat(&j, list[i]);
	json_close(&j);
	json_rss(&j, "rss", rss);
	json_ledger(&j, ledger);
	json_overhead(&j, &run->overhead);
	json_notes(&j, run, rss, notes, sizeof(notes) / sizeof(notes[0]));
	json_close(&j);
	free(list);
	return json_end(&j);
}
