// SPDX-License-Identifier: BSD-2-Clause
#include "output/profile_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "output/format.h"
#include "output/stack_text.h"
#include "output/utf8.h"
#include "output/vis.h"

#define NUMBERS_WIDTH  42 /* of a row's columns before the function */
#define FUNCTION_WIDTH 24 /* at least */
#define MODULE_WIDTH   20 /* at most */

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* The answer first: how much, where, of what. */
static void add_answer(struct strbuf *out, const struct profile_report *r)
{
	const struct profile *p = r->profile;
	char used[FORMAT_LEN], time[FORMAT_LEN], count[FORMAT_LEN], share[FORMAT_LEN];
	uint64_t ns = profile__time_ns(p, p->samples), cpus;

	if (!p->sampled) {
		strbuf_puts(out, "the CPU samples could not be read, so nothing is known\n");
		return;
	}
	format_seconds(time, r->run->duration_ns);
	if (!p->samples) {
		strbuf_printf(out,
			      "no sample in %s at %" PRIu32 " Hz: the process was never found on a "
			      "CPU; it waits for something, or works too briefly for this rate\n",
			      time, p->hz);
		return;
	}
	cpus = r->run->duration_ns ? (uint64_t)(100.0 * ns / r->run->duration_ns + 0.5) : 0;
	strbuf_printf(out,
		      "%s of CPU time in %s (%" PRIu64 ".%02" PRIu64
		      " CPUs), %s of it in the kernel; ",
		      format_duration_short(used, ns), time, cpus / 100, cpus % 100,
		      format_percent(share, percent(p->in_kernel, p->samples)));
	strbuf_printf(out, "%s sample%s at %" PRIu32 " Hz\n", format_count(count, p->samples),
		      p->samples == 1 ? "" : "s", p->hz);
}

/* Times of samples: whoever has none used nothing. */
static const char *short_time(char *buf, uint64_t ns)
{
	return ns ? format_duration_short(buf, ns) : "0s";
}

static void add_number(struct strbuf *out, const char *text, size_t width)
{
	for (size_t have = utf8_columns(text); have < width; have++)
		strbuf_putc(out, ' ');
	strbuf_puts(out, text);
}

static void add_function(struct strbuf *out, const struct profile_function *f)
{
	if (f->function)
		vis(out, f->function, VIS_NAME_MAX);
	else if (f->unnamed_start) /* its module stands beside it */
		strbuf_printf(out, "+0x%" PRIx64, f->unnamed_start);
	else
		strbuf_puts(out, f->module ? "(no symbol)" : "(no stack)");
	if (f->inlined)
		strbuf_puts(out, " (inlined)");
}

static void add_module(struct strbuf *out, const char *module)
{
	const char *slash = module ? strrchr(module, '/') : NULL;

	vis(out, slash ? slash + 1 : module, VIS_NAME_MAX);
}

static void add_row(struct strbuf *out, const struct profile *p, const struct profile_function *f,
		    uint64_t sum, size_t width)
{
	char text[FORMAT_LEN];
	struct strbuf function = {0}, module = {0}, cut = {0};

	add_number(out, short_time(text, profile__time_ns(p, f->flat)), 8);
	add_number(out, format_percent(text, percent(f->flat, p->samples)), 8);
	add_number(out, format_percent(text, percent(sum, p->samples)), 8);
	add_number(out, format_duration_short(text, profile__time_ns(p, f->cum)), 8);
	add_number(out, format_percent(text, percent(f->cum, p->samples)), 8);
	strbuf_puts(out, "  ");
	add_function(&function, f);
	add_module(&module, f->module);
	text_cut_middle(&cut, strbuf_str(&function), width);
	text_pad(out, strbuf_str(&cut), width);
	strbuf_puts(out, module.len ? "  " : "");
	text_cut_middle(out, strbuf_str(&module), MODULE_WIDTH);
	strbuf_putc(out, '\n');
	out->failed |= function.failed || module.failed || cut.failed;
	strbuf_free(&function);
	strbuf_free(&module);
	strbuf_free(&cut);
}

static void add_table(struct strbuf *out, const struct profile_report *r, size_t columns)
{
	const struct profile *p = r->profile;
	size_t width = columns > NUMBERS_WIDTH + FUNCTION_WIDTH + 2 + MODULE_WIDTH
			       ? columns - NUMBERS_WIDTH - 2 - MODULE_WIDTH
			       : FUNCTION_WIDTH;
	char text[FORMAT_LEN];
	uint64_t sum = 0;
	size_t i;

	strbuf_puts(out, "\n    flat   flat%    sum%     cum    cum%  ");
	text_pad(out, "function", width);
	strbuf_puts(out, "  module\n");
	for (i = 0; i < p->functions.len && i < r->top; i++) {
		sum += p->functions.data[i].flat;
		add_row(out, p, &p->functions.data[i], sum, width);
	}
	if (i < p->functions.len)
		strbuf_printf(out, "%42s%s more function%s with %s; --top N lists more\n", "",
			      format_count(text, p->functions.len - i),
			      p->functions.len - i == 1 ? "" : "s",
			      format_percent((char[FORMAT_LEN]){0},
					     percent(p->samples - sum, p->samples)));
}

static void add_cost(struct strbuf *out, const struct profile_report *r)
{
	const struct run_overhead *o = &r->run->overhead;
	const struct profile *p = r->profile;
	char target[FORMAT_LEN], each[FORMAT_LEN], own[FORMAT_LEN], rss[FORMAT_LEN];
	uint64_t taken = p->samples + p->lost;

	text_key(out, "COST");
	strbuf_printf(out, "%s of the target (%s a sample), %s CPU and %s here\n",
		      format_percent(target, o->estimated_percent),
		      taken ? format_duration_short(each, p->cost_ns / taken) : "n/a",
		      format_percent(own, o->tracer_cpu_percent),
		      o->tracer_rss_bytes ? format_bytes(rss, o->tracer_rss_bytes) : "n/a");
}

/* Whether the timer has seen what the kernel says was used. */
static void add_expected(struct strbuf *out, const struct profile *p)
{
	char taken[FORMAT_LEN], count[FORMAT_LEN], used[FORMAT_LEN];
	uint64_t expected = (uint64_t)((double)p->cpu_ns * p->hz / NSEC_PER_SEC + 0.5);

	text_key(out, "");
	strbuf_printf(out, "%s samples", format_count(taken, p->samples + p->lost));
	if (p->cpu_known)
		strbuf_printf(out, ", %s expected of the %s of CPU time that the kernel charged",
			      format_count(count, expected), short_time(used, p->cpu_ns));
	strbuf_putc(out, '\n');
}

static void add_next(struct strbuf *out, const struct profile_report *r)
{
	uint64_t seconds = r->run->duration_ns / NSEC_PER_SEC;
	char who[TEXT_TARGET_LEN];

	if (r->run->target.gone) {
		text_next_when_gone(out, r->run);
		return;
	}
	text_target(who, &r->run->target, false);
	text_key(out, "NEXT");
	if (!r->profile->samples)
		strbuf_printf(out, "perftrace spans %s    what it waits for\n", who);
	else
		strbuf_printf(out,
			      "perftrace cpu %s -d %" PRIu64
			      " --folded -o cpu.folded    for a flame graph\n",
			      who, seconds < 10 ? 10 : seconds);
}

int profile_text(struct strbuf *out, const struct profile_report *r, const struct text_style *style)
{
	static const struct heap_snapshot no_heap;

	add_answer(out, r);
	if (r->profile->samples)
		add_table(out, r, text_width(style));
	strbuf_putc(out, '\n');
	text_data(out, style, r->run, &no_heap, r->ledger);
	add_expected(out, r->profile);
	add_cost(out, r);
	text_notes(out, style, r->run);
	add_next(out, r);
	return strbuf_error(out);
}
