// SPDX-License-Identifier: BSD-2-Clause
#include "output/json_parts.h"

#include <math.h>

#include "output/format.h"

void json_realtime(struct json *j, const char *key, uint64_t realtime_ns)
{
	char text[FORMAT_LEN];

	json_string(j, key, realtime_ns ? format_rfc3339(text, realtime_ns) : NULL);
}

void json_time(struct json *j, const char *key, const struct run_info *run, uint64_t monotonic_ns)
{
	json_realtime(j, key, monotonic_ns ? clock_to_realtime_ns(&run->offset, monotonic_ns) : 0);
}

void json_target(struct json *j, const struct run_target *target)
{
	json_object(j, "target");
	json_u64(j, "pid", target->pid);
	json_string(j, "comm", target->comm ? target->comm : "");
	json_string(j, "exe", target->exe);
	json_string(j, "allocator", target->allocator);
	json_realtime(j, "started", target->started_ns);
	json_close(j);
}

void json_overhead(struct json *j, const struct run_overhead *overhead)
{
	json_object(j, "overhead");
	json_u64(j, "probe_hits", overhead->probe_hits);
	json_double(j, "estimated_percent", overhead->estimated_percent);
	json_double(j, "tracer_cpu_percent", overhead->tracer_cpu_percent);
	if (overhead->tracer_rss_bytes)
		json_u64(j, "tracer_rss_bytes", overhead->tracer_rss_bytes);
	else
		json_null(j, "tracer_rss_bytes");
	json_close(j);
}

static void span_books(struct json *j, const struct ledger *l)
{
	json_object(j, "spans");
	json_u64(j, "starts", l->spans.starts);
	json_u64(j, "ends", l->spans.ends);
	json_u64(j, "unwound", l->spans.unwound);
	json_u64(j, "unfinished", l->spans.unfinished);
	json_u64(j, "dropped", l->spans.dropped);
	json_u64(j, "open", l->spans.open);
	json_u64(j, "orphan_ends", l->spans.orphan_ends);
	json_i64(j, "residual", l->spans.residual);
	json_close(j);
}

static void heap_books(struct json *j, const struct ledger *l)
{
	if (!l->heap.traced) {
		json_null(j, "heap");
		return;
	}
	json_object(j, "heap");
	json_u64(j, "allocs", l->heap.allocs);
	json_u64(j, "frees", l->heap.frees);
	json_u64(j, "live", l->heap.live);
	json_u64(j, "in_flight", l->heap.in_flight);
	json_u64(j, "gone", l->heap.gone);
	json_u64(j, "lost", l->heap.lost);
	json_i64(j, "residual", l->heap.residual);
	json_u64(j, "unknown_frees", l->heap.unknown_frees);
	json_u64(j, "missed_returns", l->heap.missed_returns);
	json_u64(j, "conflicts", l->heap.conflicts);
	json_close(j);
}

/* Shares of the stacks that were captured. */
static void stack_quality(struct json *j, const struct ledger *l)
{
	if (!l->stacks.captured) {
		json_null(j, "stacks");
		return;
	}
	json_object(j, "stacks");
	json_u64(j, "captured", l->stacks.captured);
	json_u64(j, "complete", l->stacks.complete);
	json_double(j, "complete_share", ledger__complete_stacks(l));
	json_object(j, "cut_shares");
	for (enum unwind_stop stop = UNWIND_STOP_END + 1; stop < UNWIND_STOPS; stop++)
		json_double(j, unwind_stop_name(stop),
			    (double)l->stacks.ended[stop] / (double)l->stacks.captured);
	json_close(j);
	json_close(j);
}

/* Every loss and oddity that happened, by name. */
static void incident_counters(struct json *j, const struct ledger *l)
{
	json_object(j, "incidents");
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (l->counters[i] && counter_kind(i) != COUNTER_KIND_SEEN)
			json_u64(j, counter_name(i), l->counters[i]);
	json_close(j);
}

void json_ledger(struct json *j, const struct ledger *l)
{
	json_object(j, "ledger");
	json_u64(j, "seen", l->seen);
	json_u64(j, "lost", l->lost);
	json_u64(j, "unmatched", l->unmatched);
	json_bool(j, "balanced", l->balanced);
	span_books(j, l);
	heap_books(j, l);
	stack_quality(j, l);
	json_object(j, "children");
	json_u64(j, "followed", l->children.followed);
	json_u64(j, "never_linked", l->children.never_linked);
	json_u64(j, "gap_ns_total", l->children.gap_ns_total);
	json_u64(j, "gap_ns_max", l->children.gap_ns_max);
	json_close(j);
	incident_counters(j, l);
	json_close(j);
}

void json_rss(struct json *j, const char *key, const struct memory_growth *g)
{
	json_object(j, key);
	if (g->known) {
		json_u64(j, "start_bytes", g->start_bytes);
		json_u64(j, "end_bytes", g->end_bytes);
		json_i64(j, "growth_bytes", g->growth_bytes);
	} else {
		json_null(j, "start_bytes");
		json_null(j, "end_bytes");
		json_null(j, "growth_bytes");
	}
	json_double(j, "slope_bytes_per_hour", g->slope_known ? g->slope_bytes_per_hour : NAN);
	json_close(j);
}

void json_stack(struct json *j, const char *key, const struct heap_frame *frames, uint32_t depth)
{
	json_array(j, key);
	for (uint32_t i = 0; i < depth; i++) {
		const struct heap_frame *f = &frames[i];

		json_object(j, NULL);
		json_string(j, "function", f->function);
		json_string(j, "module", f->module);
		json_string(j, "build_id", f->build_id);
		json_u64(j, "offset", f->offset);
		json_string(j, "file", f->file);
		if (f->line)
			json_u64(j, "line", f->line);
		else
			json_null(j, "line");
		json_bool(j, "inlined", f->inlined);
		if (f->unnamed_start)
			json_u64(j, "function_start", f->unnamed_start);
		json_close(j);
	}
	json_close(j);
}

void json_notes(struct json *j, const struct run_info *run, const struct memory_growth *rss,
		const char *const *extra, size_t count)
{
	const struct run_overhead *o = &run->overhead;

	json_array(j, "notes");
	for (size_t i = 0; i < run->note_count; i++)
		json_string(j, NULL, run->notes[i]);
	if (!rss->known)
		json_string(j, NULL, "rss: the memory of the target could not be read");
	else if (!rss->slope_known)
		json_string(j, NULL, "rss.slope_bytes_per_hour: needs 3 samples over at least 1 s");
	if (!run->target.allocator)
		json_string(j, NULL, "target.allocator: not known");
	if (!isfinite(o->estimated_percent))
		json_string(j, NULL, "overhead.estimated_percent: not known");
	if (!isfinite(o->tracer_cpu_percent) || !o->tracer_rss_bytes)
		json_string(j, NULL, "overhead.tracer_*: not known");
	for (size_t i = 0; i < count; i++)
		if (extra[i])
			json_string(j, NULL, extra[i]);
	json_close(j);
}
