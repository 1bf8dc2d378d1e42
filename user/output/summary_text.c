// SPDX-License-Identifier: BSD-2-Clause
#include "output/summary_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output/format.h"
#include "output/leaks_text.h"
#include "output/stack_text.h"
#include "output/vis.h"

#define DEFAULT_SPANS	   15
#define DEFAULT_CANDIDATES 5
#define COUNT_WIDTH	   9
#define TIME_WIDTH	   7
#define TIMES		   7 /* columns of durations */
#define NAME_WIDTH_MIN	   12

static size_t name_width(const struct text_style *style)
{
	size_t taken = COUNT_WIDTH + TIMES * TIME_WIDTH, width = text_width(style);

	return width > taken + NAME_WIDTH_MIN ? width - taken : NAME_WIDTH_MIN;
}

static void add_right(struct strbuf *out, const char *text, int width)
{
	strbuf_printf(out, "%*s", width, text);
}

static void add_time(struct strbuf *out, const struct span_stat *s, uint64_t ns)
{
	char text[FORMAT_LEN];

	add_right(out, s->count ? format_duration_short(text, ns) : "-", TIME_WIDTH);
}

/* Spans that did not end as they should stand under their name. */
static void add_irregular(struct strbuf *out, const struct span_stat *s)
{
	char unwound[FORMAT_LEN], unfinished[FORMAT_LEN];

	if (s->unwound && s->unfinished)
		strbuf_printf(out, "  %s left without their end, %s unfinished\n",
			      format_count(unwound, s->unwound),
			      format_count(unfinished, s->unfinished));
	else if (s->unwound)
		strbuf_printf(out, "  %s left without their end\n",
			      format_count(unwound, s->unwound));
	else if (s->unfinished)
		strbuf_printf(out, "  %s unfinished\n", format_count(unfinished, s->unfinished));
}

static void add_row(struct strbuf *out, const struct span_stat *s, size_t width)
{
	struct strbuf name = {0}, cut = {0};
	char count[FORMAT_LEN];

	vis(&name, s->name, VIS_NAME_MAX);
	text_cut_middle(&cut, strbuf_str(&name), width);
	text_pad(out, strbuf_str(&cut), width);
	add_right(out, format_count(count, s->count), COUNT_WIDTH);
	add_time(out, s, s->total_ns);
	add_time(out, s, s->self_ns);
	add_time(out, s, span_stat__average_ns(s));
	add_time(out, s, span_stat__percentile_ns(s, 0.5));
	add_time(out, s, span_stat__percentile_ns(s, 0.95));
	add_time(out, s, span_stat__percentile_ns(s, 0.99));
	add_time(out, s, s->max_ns);
	strbuf_putc(out, '\n');
	add_irregular(out, s);
	if (strbuf_error(&name) || strbuf_error(&cut))
		out->failed = true;
	strbuf_free(&name);
	strbuf_free(&cut);
}

static void add_head(struct strbuf *out, const struct run_info *run, size_t width)
{
	static const char *const titles[TIMES] = {"total", "self", "avg", "p50",
						  "p95",   "p99",  "max"};
	char time[FORMAT_LEN], title[FORMAT_LEN + 16];

	snprintf(title, sizeof(title), "SPANS (%s)", format_seconds(time, run->duration_ns));
	text_pad(out, title, width);
	add_right(out, "count", COUNT_WIDTH);
	for (int i = 0; i < TIMES; i++)
		add_right(out, titles[i], TIME_WIDTH);
	strbuf_putc(out, '\n');
}

static int add_spans(struct strbuf *out, const struct summary *s, const struct text_style *style)
{
	size_t limit = s->max_spans ? s->max_spans : DEFAULT_SPANS, n, shown;
	const struct span_stat **list;

	if (!s->stats)
		return 0;
	list = span_stats__by_total(s->stats, &n);
	if (!list && span_stats__count(s->stats))
		return -ENOMEM;
	if (!n) {
		text_key(out, "SPANS");
		strbuf_puts(out, "none ended while tracing\n");
		return 0;
	}
	add_head(out, s->facts.run, name_width(style));
	shown = n < limit ? n : limit;
	for (size_t i = 0; i < shown; i++)
		add_row(out, list[i], name_width(style));
	if (shown < n)
		strbuf_printf(out, "%zu more names; all of them with perftrace spans --json\n",
			      n - shown);
	free(list);
	return 0;
}

static void add_memory(struct strbuf *out, const struct leaks_report *r)
{
	char bytes[FORMAT_LEN];

	text_key(out, "MEMORY");
	text_rss(out, r->rss);
	strbuf_putc(out, '\n');
	if (!r->heap->traced)
		return;
	text_key(out, "");
	strbuf_printf(out, "live heap %s since the attach",
		      format_bytes_growth(bytes, (double)r->heap->total.live_bytes));
	strbuf_printf(out, ", at most %s\n", format_bytes(bytes, r->heap->total.peak_live_bytes));
}

/* `whose`: several processes were looked at, and kept apart. */
static void add_candidate(struct strbuf *out, const struct text_style *style, const char *key,
			  const struct candidate *c, bool whose)
{
	char bytes[FORMAT_LEN], blocks[FORMAT_LEN], growth[FORMAT_LEN];

	text_key(out, key);
	leaks_text__verdict(out, style, c, false);
	strbuf_printf(out, "  %s in %s block%s", format_bytes(bytes, c->live_bytes),
		      format_count(blocks, c->live_blocks), c->live_blocks == 1 ? "" : "s");
	if (c->growth_known)
		strbuf_printf(out, ", %s/h", format_bytes_growth(growth, c->growth_bytes_per_hour));
	if (whose) {
		strbuf_printf(out, "  of %" PRIu32 " ", c->site->pid);
		vis(out, c->site->comm, VIS_NAME_MAX);
	}
	strbuf_putc(out, '\n');
	text_key(out, "");
	strbuf_puts(out, "  ");
	stack_text__line(out, c->site, text_width(style) - TEXT_KEY_WIDTH - 2);
	strbuf_putc(out, '\n');
}

static void add_leaks(struct strbuf *out, const struct summary *s, const struct text_style *style)
{
	const struct candidates *found = s->facts.candidates;
	size_t limit = s->max_candidates ? s->max_candidates : DEFAULT_CANDIDATES;
	char count[FORMAT_LEN];
	size_t more;

	if (!s->facts.heap->traced)
		return;
	if (!found->list.len) {
		text_key(out, "LEAKS");
		strbuf_puts(out, "no candidates: nothing allocated since the attach is held\n");
		return;
	}
	for (size_t i = 0; i < found->list.len && i < limit; i++)
		add_candidate(out, style, i ? "" : "LEAKS", &found->list.data[i],
			      s->facts.heap->by_process);
	more = found->hidden + (found->list.len > limit ? found->list.len - limit : 0);
	if (!more)
		return;
	text_key(out, "");
	strbuf_printf(out, "%s more call site%s %s memory\n", format_count(count, more),
		      more == 1 ? "" : "s", more == 1 ? "holds" : "hold");
}

static void add_next(struct strbuf *out, const struct summary *s)
{
	char who[TEXT_TARGET_LEN];

	if (s->facts.run->target.gone) {
		text_next_when_gone(out, s->facts.run);
		return;
	}
	text_target(who, &s->facts.run->target, s->facts.heap->traced);
	text_key(out, "NEXT");
	if (s->facts.heap->traced && s->facts.candidates->list.len)
		strbuf_printf(out, "perftrace leaks %s -d 60    look at the sites above\n", who);
	else if (s->stats && span_stats__count(s->stats))
		strbuf_printf(out, "perftrace spans %s --min 10ms    only the slow ones\n", who);
	else if (!s->facts.run->target.pid)
		strbuf_puts(out, "perftrace -a --mode exact -d 5    their heaps, too: everybody "
				 "pays meanwhile\n");
	else
		strbuf_printf(out, "perftrace probes %s    what could be traced there\n", who);
}

int summary_text(struct strbuf *out, const struct summary *s, const struct text_style *style)
{
	const struct leaks_report *r = &s->facts;
	int err = add_spans(out, s, style);

	if (err)
		return err;
	add_memory(out, r);
	add_leaks(out, s, style);
	text_data(out, style, r->run, r->heap, r->ledger);
	text_cost(out, r->run);
	text_notes(out, style, r->run);
	add_next(out, s);
	return strbuf_error(out);
}
