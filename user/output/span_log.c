// SPDX-License-Identifier: BSD-2-Clause
#include "output/span_log.h"

#include <inttypes.h>

#include "output/format.h"
#include "output/vis.h"

static const char *const endings[] = {
	[SPAN_OK] = "",
	[SPAN_WAS_UNWOUND] = " (unwound)",
	[SPAN_UNFINISHED] = " (unfinished)",
	[SPAN_OPEN] = " (open)",
};

void span_log__header(struct strbuf *out, const struct run_info *run)
{
	char date[FORMAT_LEN];

	strbuf_printf(out, "# perftrace %s  %s", run->version ? run->version : "",
		      format_date(date, run->begin_ns, run->utc));
	if (run->host) {
		strbuf_puts(out, "  host ");
		vis(out, run->host, VIS_NAME_MAX);
	}
	if (!run->target.comm)
		return;
	strbuf_puts(out, "  target ");
	if (run->target.pid)
		strbuf_printf(out, "%" PRIu32 " ", run->target.pid);
	vis(out, run->target.exe ? run->target.exe : run->target.comm, VIS_CONTEXT_MAX);
}

static void add_head(struct strbuf *out, const struct run_info *run, uint64_t time_ns, uint32_t tid,
		     const char *comm)
{
	char time[FORMAT_LEN];
	uint64_t wall = clock_to_realtime_ns(&run->offset, time_ns);

	strbuf_printf(out, "[%s] [ThreadId(%" PRIu32 ")", format_time(time, wall, run->utc), tid);
	if (comm[0]) {
		strbuf_putc(out, '/');
		vis_comm(out, comm, COMM_LEN);
	}
	strbuf_puts(out, "] ");
}

static void add_indent(struct strbuf *out, const struct span *span)
{
	/* An unscoped span is a root, whatever was open around it. */
	uint32_t depth = span->unscoped ? 0 : span->depth;

	if (depth > SPAN_DEPTH_MAX)
		depth = SPAN_DEPTH_MAX;
	while (depth--)
		strbuf_puts(out, "  ");
}

void span_log__span(struct strbuf *out, const struct run_info *run, const struct span *span,
		    enum span_order order)
{
	char duration[FORMAT_LEN];
	uint64_t stamp = order == SPAN_ORDER_END && span->end_ns ? span->end_ns : span->start_ns;

	add_head(out, run, stamp, span->tid, span->comm);
	add_indent(out, span);
	vis(out, span->name, VIS_NAME_MAX);
	strbuf_putc(out, ':');
	if (span->end_ns)
		strbuf_printf(out, " %s", format_duration(duration, span_duration_ns(span)));
	strbuf_puts(out, endings[span->status]);
	if (span->context && span->context[0]) {
		strbuf_puts(out, " (");
		vis(out, span->context, VIS_CONTEXT_MAX);
		strbuf_putc(out, ')');
	}
}

static void add_growth(struct strbuf *out, const struct mark *mark)
{
	uint64_t growth_bytes = (uint64_t)mark->growth_bytes;
	uint64_t size = mark->growth_bytes < 0 ? -growth_bytes : growth_bytes;
	char growth[FORMAT_LEN];

	if (!mark->growth_known || size <= mark->growth_error_bytes || !mark->since)
		return;
	strbuf_printf(out, " (%s since ", format_mb_growth(growth, mark->growth_bytes));
	vis(out, mark->since, VIS_NAME_MAX);
	strbuf_putc(out, ')');
}

static void add_checkpoint(struct strbuf *out, const struct mark *mark)
{
	char memory[FORMAT_LEN];

	if (mark->rss_bytes)
		strbuf_printf(out, "[mem: %s] ", format_mb(memory, mark->rss_bytes));
	strbuf_puts(out, "CHECKPOINT: ");
	vis(out, mark->name, VIS_NAME_MAX);
	if (mark->context && mark->context[0]) {
		strbuf_puts(out, " - ");
		vis(out, mark->context, VIS_CONTEXT_MAX);
	}
	add_growth(out, mark);
}

void span_log__mark(struct strbuf *out, const struct run_info *run, const struct mark *mark)
{
	add_head(out, run, mark->time_ns, mark->tid, mark->comm);
	if (mark->kind == MARK_CHECKPOINT) {
		add_checkpoint(out, mark);
		return;
	}
	strbuf_putc(out, '[');
	vis(out, mark->name, VIS_NAME_MAX);
	strbuf_puts(out, "]");
	if (mark->context && mark->context[0]) {
		strbuf_putc(out, ' ');
		vis(out, mark->context, VIS_CONTEXT_MAX);
	}
}

void span_log__line(struct strbuf *out, const struct run_info *run, const struct span_line *line,
		    enum span_order order)
{
	if (line->span)
		span_log__span(out, run, line->span, order);
	else
		span_log__mark(out, run, line->mark);
}
