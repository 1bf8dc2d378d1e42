// SPDX-License-Identifier: BSD-2-Clause
#include "cli/live.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/notice.h"
#include "cli/shown_stacks.h"
#include "insight/candidates.h"
#include "model/span_stats.h"
#include "model/span_tree.h"
#include "output/format.h"
#include "output/log_path.h"
#include "output/sink.h"
#include "output/span_json.h"
#include "output/span_log.h"
#include "output/summary_text.h"

struct live {
	const struct options *options;
	struct tracing tracing;
	struct sink *out; /* lines: standard output or -o */
	struct sink *log; /* the default log; NULL = none */
	struct span_tree *tree;
	struct span_stats *stats;
	struct strbuf line;
	uint64_t last_tick_rss;
};

static void flush_log(struct live *l)
{
	if (l->log && sink__flush(l->log)) {
		notice(NOTICE_WARNING, "the log %s ends here: %s", sink__name(l->log),
		       strerror(-sink__error(l->log)));
		sink__discard(l->log);
		l->log = NULL;
	}
}

static void write_line(struct live *l)
{
	sink__line(l->out, l->line.data, l->line.len);
	if (l->log)
		sink__line(l->log, l->line.data, l->line.len);
}

/* --min: a parent lasts at least as long as its children, so their ancestors stay, too. */
static bool is_too_short(const struct live *l, const struct span_line *line)
{
	return line->span && line->span->status != SPAN_OPEN &&
	       span_duration_ns(line->span) < l->options->min_ns;
}

static void emit(void *arg, const struct span_line *line)
{
	struct live *l = arg;
	const struct run_info *run = tracing__run_info(&l->tracing);

	if (is_too_short(l, line))
		return;
	strbuf_reset(&l->line);
	if (l->options->json)
		span_json__line(&l->line, run, line);
	else
		span_log__line(&l->line, run, line, SPAN_ORDER_TREE);
	if (!strbuf_error(&l->line))
		write_line(l);
}

static void on_span(void *arg, const struct span *span)
{
	struct live *l = arg;

	span_stats__add(l->stats, span);
	span_tree__add_span(l->tree, span);
}

static size_t open_ancestors(void *arg, uint32_t pid, uint32_t tid, struct span *open,
			     size_t capacity)
{
	struct live *l = arg;

	return session__open_spans(l->tracing.session, pid, tid, open, capacity);
}

static void on_mark(void *arg, const struct mark *mark)
{
	struct live *l = arg;

	span_tree__add_mark(l->tree, mark);
}

/* The interval's memory as a checkpoint line, so that one sort finds the largest of all. */
static void tick_text(struct live *l, const struct memory_sample *sample, uint64_t rss)
{
	const struct process *root = session__root(l->tracing.session);
	struct mark mark = {
		.pid = root->pid,
		.tid = root->pid,
		.kind = MARK_CHECKPOINT,
		.name = "interval",
		.time_ns = sample->time_ns,
		.rss_bytes = rss,
		.growth_known = l->last_tick_rss != 0,
		.growth_bytes = (int64_t)(rss - l->last_tick_rss),
		.since = "last interval",
	};

	memcpy(mark.comm, root->comm, sizeof(mark.comm));
	strbuf_reset(&l->line);
	span_log__mark(&l->line, tracing__run_info(&l->tracing), &mark);
	write_line(l);
	l->last_tick_rss = rss;
}

static void on_tick(void *arg, const struct memory_sample *sample)
{
	struct live *l = arg;
	uint64_t rss;

	if (!memory_sample__get(sample, MEMORY_RSS, &rss))
		return;
	if (!l->options->json) {
		tick_text(l, sample, rss);
		return;
	}
	strbuf_reset(&l->line);
	if (!span_json__sample(&l->line, tracing__run_info(&l->tracing),
			       session__root(l->tracing.session)->pid, sample))
		write_line(l);
}

static int on_poll(void *arg)
{
	struct live *l = arg;

	tracing__look(&l->tracing);
	span_tree__flush_due(l->tree, clock_monotonic_ns());
	flush_log(l);
	return sink__flush(l->out);
}

static void open_default_log(struct live *l)
{
	char path[4096];
	struct error err = {0};

	if (default_log_path(LOG_PERF_TIMING, path, sizeof(path))) {
		notice(NOTICE_WARNING, "no log: there is no home directory");
		return;
	}
	if (!log_path__make_directories(path, &err))
		l->log = sink__open_as_invoker(path, SINK_LOG, &err, NULL);
	if (l->log)
		notice(NOTICE_INFO, "log: %s", path);
	else
		notice(NOTICE_WARNING, "no log: %s", err.text);
}

static int open_rooms(struct live *l, struct error *err)
{
	struct span_tree_options tree = {.emit = emit, .ancestors = open_ancestors, .arg = l};

	l->out = sink__open(l->options->output, SINK_LOG, err, NULL);
	if (!l->out)
		return -EIO;
	l->tree = span_tree__new(&tree);
	l->stats = span_stats__new();
	return l->tree && l->stats ? 0 : -ENOMEM;
}

static void write_header(struct live *l)
{
	if (l->options->json)
		return;
	strbuf_reset(&l->line);
	span_log__header(&l->line, tracing__run_info(&l->tracing));
	write_line(l);
}

static int write_text_summary(struct live *l, struct error *err)
{
	struct text_style style = tracing__style(l->options);
	struct session_results *r = &l->tracing.results;
	struct candidate_options limits = {.limits = LEAK_LIMITS_DEFAULT,
					   .min_bytes = l->options->min_size,
					   .top = l->options->top};
	struct candidates candidates = {0};
	struct summary summary = {
		.facts = {&l->tracing.run, &r->heap, &candidates, &r->growth, &r->ledger},
		.stats = l->stats,
		.max_spans = l->options->top > 15 ? l->options->top : 15,
		.max_candidates = l->options->top,
	};
	struct sink *out = sink__is_stdout(l->out) ? l->out : sink__open(NULL, SINK_LOG, err, NULL);
	struct strbuf text = {0};
	int ret = out ? candidates__find(&candidates, &r->heap, &limits) : -EIO;

	if (out == l->out)
		strbuf_putc(&text, '\n'); /* apart from the lines above */
	if (!ret)
		ret = shown_stacks__candidates(&l->tracing, &candidates);
	if (!ret)
		ret = summary_text(&text, &summary, &style);
	if (!ret)
		sink__write(out, text.data, text.len);
	if (out && out != l->out)
		ret = sink__close(out, err);
	strbuf_free(&text);
	candidates__free(&candidates);
	return ret;
}

static int write_summary(struct live *l, struct error *err)
{
	struct session_results *r = &l->tracing.results;
	int ret;

	if (!l->options->json)
		return write_text_summary(l, err);
	strbuf_reset(&l->line);
	ret = span_json__summary(&l->line, &l->tracing.run, l->stats, &r->growth, &r->ledger);
	if (!ret)
		write_line(l);
	return ret;
}

/* A reader that went away is no failure; a full disk is, and what was collected was reported. */
static int close_rooms(struct live *l, struct error *err)
{
	int ret = l->out ? sink__close(l->out, err) : 0;

	sink__close(l->log, NULL);
	span_tree__free(l->tree);
	span_stats__free(l->stats);
	strbuf_free(&l->line);
	return ret == -EPIPE ? 0 : ret;
}

int live__run(const struct options *options, const struct tracing_wants *wants, bool default_log,
	      struct error *err)
{
	struct live l = {.options = options};
	struct session_observer observer = {on_span, on_mark, on_tick, on_poll, &l};
	int ret = tracing__prepare(&l.tracing, options, wants, &observer, err);
	int code = EXIT_FAILED;

	if (!ret)
		ret = open_rooms(&l, err);
	if (!ret)
		ret = tracing__attach(&l.tracing, err);
	if (!ret) {
		if (default_log && !options->output && !options->no_log && !options->json)
			open_default_log(&l);
		write_header(&l);
		tracing__run(&l.tracing);
		span_tree__flush_all(l.tree);
		ret = write_summary(&l, err);
		code = tracing__exit_code(&l.tracing);
	}
	/* Sinks first: their last words may still fail. */
	if (close_rooms(&l, err) && !ret)
		ret = -EIO;
	tracing__free(&l.tracing);
	if (ret && ret != -EPIPE)
		return err->exit_code ? err->exit_code : EXIT_FAILED;
	return code;
}
