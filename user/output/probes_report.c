// SPDX-License-Identifier: BSD-2-Clause
#include "output/probes_report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "output/format.h"
#include "output/json.h"
#include "output/json_parts.h"
#include "output/vis.h"

static void note_rows(struct json *j, const struct probes_report *report)
{
	if (report->costs_missing) {
		struct strbuf text = {0};

		strbuf_printf(&text,
			      "expected_ns, malloc_free_ns, span_min_ns, span_max_ns: n/a, %s",
			      report->costs_missing);
		json_string(j, NULL, strbuf_str(&text));
		strbuf_free(&text);
		return;
	}
	json_string(
		j, NULL,
		"expected_ns: what the kernel takes for a hit on this machine (entry and return "
		"together where the return is probed), measured on a child of perftrace; what "
		"perftrace does at a hit comes on top; null where no probe would be");
	json_string(
		j, NULL,
		"malloc_free_ns, span_min_ns, span_max_ns: null where there are no such probes");
}

static void write_totals(struct json *j, const struct probe_totals *totals)
{
	json_object(j, "totals");
	json_u64(j, "probes", totals->probes);
	json_u64(j, "refused", totals->refused);
	json_double(j, "malloc_free_ns", totals->malloc_free_ns);
	json_double(j, "span_min_ns", totals->span_min_ns);
	json_double(j, "span_max_ns", totals->span_max_ns);
	json_close(j);
}

static void write_sampler(struct json *j, uint32_t hz)
{
	json_object(j, "sampler");
	json_string(j, "clock", "cpu-clock");
	json_u64(j, "hz", hz);
	json_close(j);
}

int probes_json(struct strbuf *out, const struct probes_report *report)
{
	const struct probe_row *row;
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "schema", "perftrace/probes/1");
	json_target(&j, &report->target);
	json_array(&j, "probes");
	vec_for_each (&report->rows, row) {
		json_object(&j, NULL);
		json_string(&j, "kind", row->kind);
		json_string(&j, "object", row->object);
		json_string(&j, "symbol", row->symbol);
		json_u64(&j, "offset", row->offset);
		json_u64(&j, "site_offset", row->site_offset);
		json_string(&j, "instruction", row->instruction);
		json_string(&j, "method", row->method);
		json_double(&j, "expected_ns", row->expected_ns);
		json_string(&j, "why", row->why);
		json_string(&j, "refused", row->refused);
		json_close(&j);
	}
	json_close(&j);
	write_totals(&j, &report->totals);
	if (report->cpu_hz)
		write_sampler(&j, report->cpu_hz);
	json_array(&j, "notes");
	note_rows(&j, report);
	if (!report->target.allocator)
		json_string(&j, NULL,
			    report->heap ? "allocator: n/a, no malloc was found"
					 : "allocator: n/a, the heap was not asked for");
	json_close(&j);
	json_close(&j);
	strbuf_putc(out, '\n');
	return json_end(&j);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "≈ 860 ns", "≈ 18 700 ns": three digits are what a measurement is good for. */
static void add_price(struct strbuf *out, double ns)
{
	uint64_t unit = 1, value = ns + 0.5;
	char text[FORMAT_LEN];

	while (value / unit >= 1000)
		unit *= 10;
	strbuf_printf(out, "≈ %s ns", format_count(text, (value + unit / 2) / unit * unit));
}

static void add_row(struct strbuf *out, const struct probe_row *row)
{
	strbuf_printf(out, "%-6s ", row->kind);
	vis(out, row->symbol, VIS_NAME_MAX);
	strbuf_puts(out, "  ");
	vis(out, base_name(row->object), VIS_NAME_MAX);
	strbuf_printf(out, "+0x%" PRIx64, row->offset);
	if (row->refused) {
		strbuf_printf(out, "  REFUSED: %s\n", row->refused);
		return;
	}
	if (row->site_offset > row->offset)
		strbuf_printf(out, " +%" PRIu64, row->site_offset - row->offset);
	if (row->instruction) {
		strbuf_puts(out, " at ");
		vis(out, row->instruction, VIS_NAME_MAX);
	}
	if (row->method)
		strbuf_printf(out, "  %s", row->method);
	if (!isnan(row->expected_ns)) {
		strbuf_puts(out, "  ");
		add_price(out, row->expected_ns);
	}
	if (row->why)
		strbuf_printf(out, "  (%s)", row->why);
	strbuf_putc(out, '\n');
}

static void add_head(struct strbuf *out, const struct probes_report *report)
{
	strbuf_printf(out, "%" PRIu32 " ", report->target.pid);
	vis(out, report->target.comm, VIS_NAME_MAX);
	strbuf_puts(out, ": ");
	if (report->spans)
		strbuf_printf(out, "%zu span pair%s%s", report->span_pairs,
			      report->span_pairs == 1 ? "" : "s",
			      report->own_macros ? " and perftrace.h spans" : "");
	if (report->functions)
		strbuf_printf(out, ", %zu function%s", report->functions,
			      report->functions == 1 ? "" : "s");
	if (report->heap)
		strbuf_printf(out, "%sheap: %s", report->spans ? ", " : "",
			      report->target.allocator ? report->target.allocator
						       : "no malloc found");
	if (report->cpu_hz)
		strbuf_printf(out,
			      "CPU samples at %" PRIu32 " Hz by a timer on every CPU, kernel and "
			      "user stacks;\nno probe, nothing is changed in the process",
			      report->cpu_hz);
	strbuf_puts(out, "\n\n");
}

static void add_totals(struct strbuf *out, const struct probes_report *report)
{
	const struct probe_totals *t = &report->totals;
	char count[FORMAT_LEN];

	strbuf_putc(out, '\n');
	text_key(out, "TOTAL");
	strbuf_printf(out, "%s probe%s", format_count(count, t->probes), t->probes == 1 ? "" : "s");
	if (t->refused)
		strbuf_printf(out, " (and %s refused)", format_count(count, t->refused));
	if (!isnan(t->malloc_free_ns)) {
		strbuf_puts(out, ", malloc + free ");
		add_price(out, t->malloc_free_ns);
	}
	if (!isnan(t->span_min_ns)) {
		strbuf_puts(out, ", a span ");
		add_price(out, t->span_min_ns);
		if (t->span_max_ns > t->span_min_ns * 1.1) {
			strbuf_puts(out, " to ");
			add_price(out, t->span_max_ns);
		}
	}
	strbuf_putc(out, '\n');
	text_key(out, "");
	if (report->costs_missing)
		strbuf_printf(out, "costs n/a: %s\n", report->costs_missing);
	else
		strbuf_puts(out, "what the kernel takes, measured here; perftrace's own work comes "
				 "on top\n");
}

int probes_text(struct strbuf *out, const struct probes_report *report,
		const struct text_style *style)
{
	const struct probe_row *row;

	add_head(out, report);
	vec_for_each (&report->rows, row)
		add_row(out, row);
	if (!report->cpu_hz) {
		strbuf_puts(out, "\nalloc: heap   span, mark, function: spans   loader: libraries "
				 "loaded later   usdt: no pair, not traced\n");
		add_totals(out, report);
	}
	text_key(out, "NEXT");
	strbuf_printf(out, "perftrace %s %" PRIu32 "\n", report->command, report->target.pid);
	return strbuf_error(out);
}
