// SPDX-License-Identifier: BSD-2-Clause
#include "output/leaks_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "output/format.h"
#include "output/stack_text.h"
#include "output/vis.h"

#define FUNCTION_WIDTH 32

static enum text_severity severity_of(const struct candidate *c)
{
	if (!c->verdict)
		return c->criteria ? TEXT_WARNING : TEXT_PLAIN;
	if (!strcmp(c->verdict, "definite"))
		return TEXT_ALARM;
	return !strcmp(c->verdict, "probable") || !strcmp(c->verdict, "growing-cache")
		       ? TEXT_WARNING
		       : TEXT_PLAIN;
}

void leaks_text__verdict(struct strbuf *out, const struct text_style *style,
			 const struct candidate *c, bool capitals)
{
	char word[32];

	snprintf(word, sizeof(word), "%s", c->verdict ? c->verdict : "outstanding");
	for (char *p = word; capitals && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	text_severe(out, style, severity_of(c), word);
}

/* The answer first, in one sentence. */
static void add_answer(struct strbuf *out, const struct leaks_report *r)
{
	const struct candidates *found = r->candidates;
	char count[FORMAT_LEN], bytes[FORMAT_LEN], blocks[FORMAT_LEN], time[FORMAT_LEN];
	uint64_t live_bytes = 0, live_blocks = 0;
	const struct candidate *c;

	format_seconds(time, r->run->duration_ns);
	if (!r->heap->traced) {
		strbuf_puts(out, "the heap was not traced, so nothing is known about leaks\n");
		return;
	}
	if (!found->list.len && !found->hidden) {
		strbuf_printf(out, "nothing that was allocated in %s is still held\n", time);
		return;
	}
	vec_for_each (&found->list, c) {
		live_bytes += c->live_bytes;
		live_blocks += c->live_blocks;
	}
	strbuf_printf(out, "%s call site%s %s %s in %s block%s after %s",
		      format_count(count, found->list.len), found->list.len == 1 ? "" : "s",
		      found->list.len == 1 ? "holds" : "hold", format_bytes(bytes, live_bytes),
		      format_count(blocks, live_blocks), live_blocks == 1 ? "" : "s", time);
	if (found->hidden)
		strbuf_printf(out, "; %s more %s %s", format_count(count, found->hidden),
			      found->hidden == 1 ? "holds" : "hold",
			      format_bytes(bytes, found->hidden_bytes));
	strbuf_puts(out,
		    "\nnot judged yet: outstanding is not leaked, what keeps growing may be\n");
}

static void add_frames(struct strbuf *out, const struct call_site *site, size_t width)
{
	struct strbuf name = {0}, cut = {0};
	uint32_t depth = stack_text__depth(site);

	for (uint32_t i = 0; i < depth; i++) {
		const struct heap_frame *f = &site->frames[i];
		size_t room = width > FUNCTION_WIDTH * 2 ? width - FUNCTION_WIDTH : FUNCTION_WIDTH;

		strbuf_reset(&name);
		strbuf_reset(&cut);
		stack_text__function(&name, f);
		text_cut_middle(&cut, strbuf_str(&name), room);
		strbuf_puts(out, "  ");
		if (f->function) {
			text_pad(out, strbuf_str(&cut), FUNCTION_WIDTH);
			strbuf_putc(out, ' ');
			stack_text__place(out, f);
		} else {
			strbuf_puts(out, strbuf_str(&cut));
		}
		strbuf_puts(out, f->inlined ? " (inlined)\n" : "\n");
	}
	if (!site->depth)
		strbuf_puts(out, "  (no stack)\n");
	else if (site->truncated)
		strbuf_printf(out, "  (the stack goes on: %s)\n", stack_text__stop(site->stop));
	if (strbuf_error(&name) || strbuf_error(&cut))
		out->failed = true;
	strbuf_free(&name);
	strbuf_free(&cut);
}

/* `whose`: several processes were looked at, and kept apart. */
static void add_candidate(struct strbuf *out, const struct text_style *style,
			  const struct candidate *c, bool whose)
{
	char a[FORMAT_LEN], b[FORMAT_LEN], d[FORMAT_LEN];
	const char *lead = "because  ";
	char **text;

	strbuf_putc(out, '\n');
	leaks_text__verdict(out, style, c, true);
	strbuf_printf(out, "  %s in %s block%s of %s", format_bytes(a, c->live_bytes),
		      format_count(b, c->live_blocks), c->live_blocks == 1 ? "" : "s",
		      format_bytes(d, (uint64_t)(c->average_bytes + 0.5)));
	if (c->growth_known)
		strbuf_printf(out, ", %s/h", format_bytes_growth(a, c->growth_bytes_per_hour));
	if (c->component) {
		strbuf_puts(out, "  in ");
		vis(out, c->component, VIS_NAME_MAX);
	}
	if (whose) {
		strbuf_printf(out, "  of %" PRIu32 " ", c->site->pid);
		vis(out, c->site->comm, VIS_NAME_MAX);
	}
	strbuf_putc(out, '\n');
	add_frames(out, c->site, text_width(style));
	vec_for_each (&c->evidence.list, text) {
		strbuf_printf(out, "  %s", lead);
		vis(out, *text, VIS_CONTEXT_MAX);
		strbuf_putc(out, '\n');
		lead = "         ";
	}
}

static void add_numbers(struct strbuf *out, const struct leaks_report *r)
{
	const struct heap_totals *t = &r->heap->total;
	char a[FORMAT_LEN], b[FORMAT_LEN], c[FORMAT_LEN], d[FORMAT_LEN];
	char **text;

	text_key(out, "MEMORY");
	text_rss(out, r->rss);
	strbuf_putc(out, '\n');
	if (!r->heap->traced)
		return;
	text_key(out, "HEAP");
	strbuf_printf(out, "%s live in %s blocks, peak %s; %s allocations",
		      format_bytes(a, t->live_bytes), format_count(b, t->live_blocks),
		      format_bytes(c, t->peak_live_bytes), format_count(d, t->allocs));
	strbuf_printf(out, ", %s frees\n", format_count(a, t->frees));
	vec_for_each (&r->candidates->heap_evidence.list, text) {
		text_key(out, "");
		strbuf_printf(out, "%s\n", *text);
	}
}

static void add_next(struct strbuf *out, const struct leaks_report *r)
{
	uint64_t seconds = r->run->duration_ns / NSEC_PER_SEC;
	char who[TEXT_TARGET_LEN];

	if (r->run->target.gone) {
		text_next_when_gone(out, r->run);
		return;
	}
	text_target(who, &r->run->target, r->heap->traced);
	text_key(out, "NEXT");
	if (!r->heap->traced)
		strbuf_printf(out, "perftrace probes %s    what can be traced there\n", who);
	else if (r->candidates->list.len)
		strbuf_printf(out,
			      "perftrace leaks %s -d %" PRIu64 " --older %" PRIu64
			      "s    only what stays\n",
			      who, seconds < 10 ? 30 : seconds * 2,
			      seconds < 10 ? 10 : seconds / 2);
	else
		strbuf_printf(out, "perftrace leaks %s -d %" PRIu64 "    look longer\n", who,
			      seconds < 10 ? 60 : seconds * 4);
}

int leaks_text(struct strbuf *out, const struct leaks_report *r, const struct text_style *style)
{
	const struct candidate *c;

	add_answer(out, r);
	vec_for_each (&r->candidates->list, c)
		add_candidate(out, style, c, r->heap->by_process);
	strbuf_putc(out, '\n');
	add_numbers(out, r);
	text_data(out, style, r->run, r->heap, r->ledger);
	text_cost(out, r->run);
	text_notes(out, style, r->run);
	add_next(out, r);
	return strbuf_error(out);
}

int leaks_text__top(struct strbuf *out, const struct run_info *run,
		    const struct heap_snapshot *heap, const struct candidates *candidates,
		    const struct text_style *style)
{
	char a[FORMAT_LEN], b[FORMAT_LEN], clock[FORMAT_LEN];
	uint64_t now = clock_to_realtime_ns(&run->offset, heap->taken_ns);
	const struct candidate *c;

	strbuf_printf(out, "%s  %s live in %s blocks\n", format_clock(clock, now, run->utc),
		      format_bytes(a, heap->total.live_bytes),
		      format_count(b, heap->total.live_blocks));
	vec_for_each (&candidates->list, c) {
		strbuf_printf(out, "  %10s %8s  ", format_bytes(a, c->live_bytes),
			      format_count(b, c->live_blocks));
		stack_text__line(out, c->site, text_width(style) - 22);
		strbuf_putc(out, '\n');
	}
	return strbuf_error(out);
}
