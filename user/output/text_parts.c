// SPDX-License-Identifier: BSD-2-Clause
#include "output/text_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "output/format.h"
#include "output/stack_text.h"
#include "output/utf8.h"
#include "output/vis.h"

#define COLOR_OFF "\x1b[0m"

static const char *const colors[] = {
	[TEXT_PLAIN] = "",
	[TEXT_WARNING] = "\x1b[33m",
	[TEXT_ALARM] = "\x1b[31m",
};

void text_severe(struct strbuf *out, const struct text_style *style, enum text_severity severity,
		 const char *text)
{
	bool color = style->color && severity != TEXT_PLAIN;

	if (color)
		strbuf_puts(out, colors[severity]);
	strbuf_puts(out, text);
	if (color)
		strbuf_puts(out, COLOR_OFF);
}

size_t text_width(const struct text_style *style)
{
	size_t width = style->width ? style->width : TEXT_WIDTH;

	return width > TEXT_WIDTH_MIN ? width : TEXT_WIDTH_MIN;
}

void text_key(struct strbuf *out, const char *key)
{
	text_pad(out, key, TEXT_KEY_WIDTH);
}

/* Half the width of the slope's interval in percent of it; NAN when that says nothing. */
static double slope_error_percent(const struct memory_growth *g)
{
	double half = (g->slope_high - g->slope_low) / 2;

	if (fabs(g->slope_bytes_per_hour) < 1 || half <= 0)
		return NAN;
	return half / fabs(g->slope_bytes_per_hour) * 100;
}

void text_rss(struct strbuf *out, const struct memory_growth *g)
{
	char a[FORMAT_LEN], b[FORMAT_LEN];
	double error = slope_error_percent(g);

	if (!g->known) {
		strbuf_puts(out, "RSS n/a (the target's memory could not be read)");
		return;
	}
	strbuf_printf(out, "RSS %s -> %s", format_bytes(a, g->start_bytes),
		      format_bytes(b, g->end_bytes));
	/* What the kernel's counters cannot tell from noise is not growth. */
	if ((double)g->error_bytes >= fabs((double)g->growth_bytes) && g->error_bytes)
		strbuf_printf(out, "  (unchanged within %s", format_bytes(a, g->error_bytes));
	else
		strbuf_printf(out, "  (%s", format_bytes_growth(a, (double)g->growth_bytes));
	if (g->slope_known)
		strbuf_printf(out, ", %s/h", format_bytes_growth(a, g->slope_bytes_per_hour));
	if (g->slope_known && isfinite(error) && error < 1000)
		strbuf_printf(out, " \xc2\xb1 %s", format_percent(a, error));
	strbuf_putc(out, ')');
}

#define STACKS_FINE 0.99 /* complete: what cut the others needs no lines of its own */

static bool is_about_stacks(enum counter counter)
{
	return counter >= unwind_stop_counter(0) &&
	       counter <= unwind_stop_counter(UNWIND_STOPS - 1);
}

static void add_incidents(struct strbuf *out, const struct text_style *style,
			  const struct ledger *l)
{
	char count[FORMAT_LEN];

	for (int i = 0; i < COUNTER_COUNT; i++) {
		bool lost = counter_kind(i) == COUNTER_KIND_LOST;

		if (!l->counters[i] || counter_kind(i) == COUNTER_KIND_SEEN)
			continue;
		if (is_about_stacks(i) && ledger__complete_stacks(l) >= STACKS_FINE)
			continue;
		text_key(out, "");
		text_severe(out, style, lost ? TEXT_WARNING : TEXT_PLAIN,
			    format_count(count, l->counters[i]));
		strbuf_printf(out, " %s\n", counter_sentence(i));
	}
}

static void add_residuals(struct strbuf *out, const struct text_style *style,
			  const struct ledger *l)
{
	char text[160];

	if (l->spans.residual) {
		snprintf(text, sizeof(text),
			 "%" PRId64 " spans unaccounted for: %" PRIu64 " starts, %" PRIu64 " ends",
			 l->spans.residual, l->spans.starts, l->spans.ends);
		text_key(out, "");
		text_severe(out, style, TEXT_ALARM, text);
		strbuf_putc(out, '\n');
	}
	if (l->heap.residual) {
		snprintf(text, sizeof(text),
			 "%" PRId64 " blocks unaccounted for: %" PRIu64 " allocations, %" PRIu64
			 " frees, %" PRIu64 " live",
			 l->heap.residual, l->heap.allocs, l->heap.frees, l->heap.live);
		text_key(out, "");
		text_severe(out, style, TEXT_ALARM, text);
		strbuf_putc(out, '\n');
	}
}

static void add_children(struct strbuf *out, const struct ledger *l)
{
	char count[FORMAT_LEN], gap[FORMAT_LEN];

	if (!l->children.followed)
		return;
	text_key(out, "");
	strbuf_printf(out, "%s children followed", format_count(count, l->children.followed));
	if (l->children.gap_ns_max)
		strbuf_printf(out, ", each unseen for at most %s after its fork",
			      format_duration(gap, l->children.gap_ns_max));
	else if (!l->children.never_linked)
		strbuf_puts(out, " from their first instruction");
	if (l->children.never_linked)
		strbuf_printf(out, "; %s never had probes of their own",
			      format_count(count, l->children.never_linked));
	strbuf_putc(out, '\n');
}

/* Rounded down: 100 % are all of them. */
static void add_stack_quality(struct strbuf *out, const struct text_style *style,
			      const struct ledger *l)
{
	double share = ledger__complete_stacks(l);
	char text[FORMAT_LEN];

	if (!l->stacks.captured)
		return;
	format_percent(text, floor(share * 1000) / 10);
	strbuf_puts(out, ", ");
	text_severe(out, style, share < STACKS_FINE ? TEXT_WARNING : TEXT_PLAIN, text);
	strbuf_puts(out, " complete stacks");
}

void text_data(struct strbuf *out, const struct text_style *style, const struct run_info *run,
	       const struct heap_snapshot *heap, const struct ledger *l)
{
	char text[FORMAT_LEN];

	text_key(out, "DATA");
	strbuf_printf(out, "%s events, ", format_count(text, l->seen));
	format_count(text, l->lost);
	text_severe(out, style, l->lost ? TEXT_WARNING : TEXT_PLAIN, text);
	strbuf_puts(out, " lost, ");
	if (l->balanced)
		strbuf_puts(out, "books balanced");
	else
		text_severe(out, style, TEXT_ALARM, "books do not balance");
	add_stack_quality(out, style, l);
	strbuf_putc(out, '\n');
	add_residuals(out, style, l);
	add_incidents(out, style, l);
	add_children(out, l);
	if (heap->traced && !run->target.from_start) {
		text_key(out, "");
		strbuf_printf(out, "memory from before %s not traced\n",
			      format_clock(text, run->begin_ns, run->utc));
	}
}

void text_cost(struct strbuf *out, const struct run_info *run)
{
	const struct run_overhead *o = &run->overhead;
	char target[FORMAT_LEN], own[FORMAT_LEN], rss[FORMAT_LEN], hits[FORMAT_LEN];

	text_key(out, "COST");
	strbuf_printf(out, "%s of the target (%s hits), %s CPU and %s here\n",
		      format_percent(target, o->estimated_percent),
		      format_count(hits, o->probe_hits), format_percent(own, o->tracer_cpu_percent),
		      o->tracer_rss_bytes ? format_bytes(rss, o->tracer_rss_bytes) : "n/a");
}

void text_next_when_gone(struct strbuf *out, const struct run_info *run)
{
	text_key(out, "NEXT");
	strbuf_puts(out, "perftrace -n ");
	vis(out, run->target.comm, VIS_NAME_MAX);
	strbuf_puts(out, "    when it runs again\n");
}

/* Bytes of `text` that fit into `columns`, broken at a space if there is one. */
static size_t line_length(const char *text, size_t columns)
{
	size_t len = utf8_prefix(text, columns), broken = len;

	if (!text[len])
		return len;
	while (broken && text[broken] != ' ')
		broken--;
	return broken ? broken : len;
}

static void add_wrapped(struct strbuf *out, const char *key, const char *text, size_t width)
{
	while (*text) {
		size_t len = line_length(text, width - TEXT_KEY_WIDTH);

		text_key(out, key);
		strbuf_add(out, text, len);
		strbuf_putc(out, '\n');
		text += len;
		text += *text == ' ';
		key = "";
	}
}

void text_notes(struct strbuf *out, const struct text_style *style, const struct run_info *run)
{
	struct strbuf note = {0};

	for (size_t i = 0; i < run->note_count; i++) {
		strbuf_reset(&note);
		vis(&note, run->notes[i], VIS_CONTEXT_MAX);
		add_wrapped(out, "NOTE", strbuf_str(&note), text_width(style));
	}
	if (strbuf_error(&note))
		out->failed = true;
	strbuf_free(&note);
}

const char *text_target(char buf[TEXT_TARGET_LEN], const struct run_target *target, bool heap)
{
	if (target->pid)
		snprintf(buf, TEXT_TARGET_LEN, "-p %" PRIu32, target->pid);
	else
		snprintf(buf, TEXT_TARGET_LEN, "-a%s", heap ? " --mode exact" : "");
	return buf;
}
