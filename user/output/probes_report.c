// SPDX-License-Identifier: BSD-2-Clause
#include "output/probes_report.h"

#include <inttypes.h>
#include <string.h>

#include "output/json.h"
#include "output/json_parts.h"
#include "output/vis.h"

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
		json_null(&j, "expected_ns");
		json_string(&j, "why", row->why);
		json_string(&j, "refused", row->refused);
		json_close(&j);
	}
	json_close(&j);
	json_array(&j, "notes");
	json_string(&j, NULL, "expected_ns: n/a, probe costs are not calibrated in this version");
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
	if (row->why)
		strbuf_printf(out, "  (%s)", row->why);
	strbuf_putc(out, '\n');
}

int probes_text(struct strbuf *out, const struct probes_report *report,
		const struct text_style *style)
{
	const struct probe_row *row;

	strbuf_printf(out, "%" PRIu32 " ", report->target.pid);
	vis(out, report->target.comm, VIS_NAME_MAX);
	strbuf_printf(out, ": %zu span pairs%s, heap: %s\n\n", report->span_pairs,
		      report->own_macros ? " and perftrace.h spans" : "",
		      report->target.allocator ? report->target.allocator : "no malloc found");
	vec_for_each (&report->rows, row)
		add_row(out, row);
	strbuf_printf(out,
		      "\nalloc: heap   span, mark: traced as spans   usdt: no pair, not traced\n"
		      "NEXT    perftrace -p %" PRIu32 "\n",
		      report->target.pid);
	return strbuf_error(out);
}
