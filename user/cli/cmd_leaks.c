// SPDX-License-Identifier: BSD-2-Clause
/* The one-shot leak scan: trace the heap for a while, then say which call sites hold memory. */
#include <errno.h>
#include <string.h>

#include "base/notice.h"
#include "cli/cli.h"
#include "cli/plan_listing.h"
#include "cli/shown_stacks.h"
#include "cli/tracing.h"
#include "insight/candidates.h"
#include "output/leaks_json.h"
#include "output/leaks_text.h"
#include "output/sink.h"

#define DURATION_DEFAULT_NS (30 * NSEC_PER_SEC)

struct scan {
	const struct options *options;
	struct tracing tracing;
	struct sink *out;
};

static struct candidate_options limits_of(const struct options *o)
{
	return (struct candidate_options){
		.limits = LEAK_LIMITS_DEFAULT,
		.min_bytes = o->min_size,
		.top = o->top,
	};
}

/* The ranking as it stands, between the attach and the final report. */
static void on_tick(void *arg, const struct memory_sample *sample)
{
	struct scan *s = arg;
	struct candidate_options limits = limits_of(s->options);
	struct text_style style = tracing__style(s->options);
	struct heap_snapshot heap = {0};
	struct candidates candidates = {0};
	struct strbuf text = {0};

	if (!s->options->json && !session__heap_now(s->tracing.session, &heap) &&
	    !candidates__find(&candidates, &heap, &limits) &&
	    !leaks_text__top(&text, tracing__run_info(&s->tracing), &heap, &candidates, &style))
		sink__write(s->out, text.data, text.len);
	strbuf_free(&text);
	candidates__free(&candidates);
	heap_snapshot__free(&heap);
}

static int on_poll(void *arg)
{
	struct scan *s = arg;

	return sink__error(s->out);
}

static int report(struct scan *s)
{
	struct session_results *r = &s->tracing.results;
	struct candidate_options limits = limits_of(s->options);
	struct text_style style = tracing__style(s->options);
	struct candidates candidates = {0};
	struct leaks_report facts = {&s->tracing.run, &r->heap, &candidates, &r->growth,
				     &r->ledger};
	struct strbuf text = {0};
	int ret = candidates__find(&candidates, &r->heap, &limits);

	if (!ret)
		ret = shown_stacks__candidates(&s->tracing, &candidates);
	if (!ret)
		ret = s->options->json ? leaks_json(&text, &facts)
				       : leaks_text(&text, &facts, &style);
	if (!ret)
		sink__write(s->out, text.data, text.len);
	strbuf_free(&text);
	candidates__free(&candidates);
	return ret;
}

int command_leaks(const struct options *options, struct error *err)
{
	struct tracing_wants wants = {.heap = true, .needs_heap = true};
	struct options o = *options;
	struct scan s = {.options = &o};
	struct session_observer observer = {.tick = on_tick, .poll = on_poll, .arg = &s};
	int ret, code = EXIT_FAILED;

	if (o.dry_run)
		return plan_listing__dry_run("leaks -p", options, &wants, err);
	if (!o.duration_set)
		o.duration_ns = DURATION_DEFAULT_NS;
	ret = tracing__prepare(&s.tracing, &o, &wants, &observer, err);
	if (!ret) {
		s.out = sink__open(o.output, SINK_DOCUMENT, err, &ret);
		if (s.out)
			ret = tracing__attach(&s.tracing, err);
	}
	if (!ret) {
		tracing__run(&s.tracing);
		ret = report(&s);
		code = tracing__exit_code(&s.tracing);
	}
	if (ret) {
		sink__discard(s.out);
	} else {
		ret = sink__close(s.out, err);
		if (ret == -EPIPE)
			ret = 0;
	}
	tracing__free(&s.tracing);
	if (ret)
		return err->exit_code ? err->exit_code : EXIT_FAILED;
	return code;
}
