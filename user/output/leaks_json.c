// SPDX-License-Identifier: BSD-2-Clause
#include "output/leaks_json.h"

#include <math.h>

#include "output/json.h"
#include "output/json_parts.h"

static void add_heap(struct json *j, const struct heap_snapshot *heap)
{
	const struct heap_totals *t = &heap->total;

	if (!heap->traced) {
		json_null(j, "heap");
		return;
	}
	json_object(j, "heap");
	json_u64(j, "allocs", t->allocs);
	json_u64(j, "frees", t->frees);
	json_u64(j, "failed", t->failed);
	json_u64(j, "alloc_bytes", t->alloc_bytes);
	json_u64(j, "freed_bytes", t->freed_bytes);
	json_u64(j, "live_bytes", t->live_bytes);
	json_u64(j, "live_blocks", t->live_blocks);
	json_u64(j, "peak_live_bytes", t->peak_live_bytes);
	json_u64(j, "unknown_frees", t->unknown_frees);
	json_bool(j, "sampled", heap->sampled);
	json_close(j);
}

static void add_evidence(struct json *j, const struct evidence *evidence)
{
	char **text;

	json_array(j, "evidence");
	vec_for_each (&evidence->list, text)
		json_string(j, NULL, *text);
	json_close(j);
}

static void add_candidate(struct json *j, const struct run_info *run, const struct candidate *c)
{
	const struct call_site *site = c->site;

	json_object(j, NULL);
	json_string(j, "verdict", c->verdict);
	json_string(j, "component", c->component);
	json_u64(j, "live_bytes", c->live_bytes);
	json_u64(j, "live_blocks", c->live_blocks);
	json_u64(j, "allocs", site->allocs);
	json_u64(j, "frees", site->frees);
	json_double(j, "average_bytes", c->average_bytes);
	json_double(j, "growth_bytes_per_hour", c->growth_known ? c->growth_bytes_per_hour : NAN);
	json_u64(j, "largest_bytes", site->largest);
	json_time(j, "first_seen", run, site->first_ns);
	json_time(j, "last_seen", run, site->last_ns);
	json_null(j, "retainer");
	json_object(j, "process");
	json_u64(j, "pid", site->pid);
	json_string(j, "comm", site->comm);
	json_close(j);
	json_stack(j, "stack", site->frames, site->depth);
	if (site->truncated) {
		json_bool(j, "truncated", true);
		json_string(j, "stop", unwind_stop_name(site->stop));
	}
	add_evidence(j, &c->evidence);
	json_close(j);
}

/* What holds for the heap as a whole and belongs to no site. */
static void add_patterns(struct json *j, const struct candidates *candidates)
{
	json_array(j, "patterns");
	if (candidates->heap_evidence.list.len) {
		json_object(j, NULL);
		json_string(j, "type", "peak");
		json_string(j, "description", "the heap was much larger than it is now");
		add_evidence(j, &candidates->heap_evidence);
		json_close(j);
	}
	json_close(j);
}

static void add_notes(struct json *j, const struct leaks_report *r)
{
	const char *notes[5] = {0};
	const struct candidate *c;

	if (!r->heap->traced)
		notes[0] = "heap: not traced";
	vec_for_each (&r->candidates->list, c) {
		if (!c->verdict)
			notes[1] = "candidates: verdict and retainer are null, nothing was judged; "
				   "outstanding is not leaked";
		if (!c->growth_known)
			notes[2] = "candidates: growth_bytes_per_hour needs at least 1 s";
		if (c->site->depth)
			notes[4] = "stack: file and line are null where no debug information was "
				   "found; function is null where the module has no symbol for "
				   "the address";
		if (!c->component)
			notes[3] = "candidates: component is null where no frame is known";
	}
	json_notes(j, r->run, r->rss, notes, sizeof(notes) / sizeof(notes[0]));
}

int leaks_json(struct strbuf *out, const struct leaks_report *r)
{
	const struct candidate *c;
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "schema", "perftrace/leaks/1");
	json_target(&j, &r->run->target);
	json_double(&j, "duration_s", (double)r->run->duration_ns / 1e9);
	json_rss(&j, "rss", r->rss);
	add_heap(&j, r->heap);
	json_array(&j, "candidates");
	vec_for_each (&r->candidates->list, c)
		add_candidate(&j, r->run, c);
	json_close(&j);
	add_patterns(&j, r->candidates);
	json_array(&j, "recommendations");
	json_close(&j);
	json_ledger(&j, r->ledger);
	json_overhead(&j, &r->run->overhead);
	add_notes(&j, r);
	json_close(&j);
	strbuf_putc(out, '\n');
	return json_end(&j);
}
