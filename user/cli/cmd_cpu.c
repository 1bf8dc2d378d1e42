// SPDX-License-Identifier: BSD-2-Clause
/* The CPU profile: sample for a while, then say in which functions the time went. */
#include <errno.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/plan_listing.h"
#include "cli/shown_stacks.h"
#include "cli/tracing.h"
#include "output/folded.h"
#include "output/profile_json.h"
#include "output/profile_text.h"
#include "output/sink.h"

struct profiling {
	const struct options *options;
	struct tracing tracing;
	struct sink *out;
};

static int on_poll(void *arg)
{
	struct profiling *p = arg;

	return sink__error(p->out);
}

/* Functions that were inlined are functions of their own. */
static int add_lines(struct profiling *p)
{
	struct profile *profile = &p->tracing.results.profile;
	struct call_lines_stack *stacks =
		calloc(profile->stacks.len ? profile->stacks.len : 1, sizeof(*stacks));
	struct profile_stack *stack;
	size_t n = 0;
	int ret;

	if (!stacks)
		return -ENOMEM;
	vec_for_each (&profile->stacks, stack)
		stacks[n++] = (struct call_lines_stack){&stack->frames, &stack->depth};
	ret = shown_stacks__add_lines(&p->tracing, stacks, n);
	free(stacks);
	return ret ? ret : profile__settle(profile);
}

static int report(struct profiling *p)
{
	struct text_style style = tracing__style(p->options);
	struct profile_report facts = {
		.run = &p->tracing.run,
		.profile = &p->tracing.results.profile,
		.ledger = &p->tracing.results.ledger,
		.top = p->options->top,
	};
	struct strbuf text = {0};
	int ret = add_lines(p);

	if (ret)
		return ret;
	if (p->options->folded)
		ret = folded(&text, facts.profile);
	else if (p->options->json)
		ret = profile_json(&text, &facts);
	else
		ret = profile_text(&text, &facts, &style);
	if (!ret)
		sink__write(p->out, text.data, text.len);
	strbuf_free(&text);
	return ret;
}

static int profile(struct profiling *p, const struct tracing_wants *wants, int *code,
		   struct error *err)
{
	struct session_observer observer = {.poll = on_poll, .arg = p};
	int ret = tracing__prepare(&p->tracing, p->options, wants, &observer, err);

	if (ret)
		return ret;
	p->out = sink__open(p->options->output, SINK_DOCUMENT, err, &ret);
	if (!p->out)
		return ret;
	ret = tracing__attach(&p->tracing, err);
	if (!ret) {
		tracing__run(&p->tracing);
		ret = report(p);
		*code = tracing__exit_code(&p->tracing);
	}
	if (ret) {
		sink__discard(p->out);
		return ret;
	}
	ret = sink__close(p->out, err);
	return ret == -EPIPE ? 0 : ret;
}

int command_cpu(const struct options *options, struct error *err)
{
	struct tracing_wants wants = {.cpu_hz = options->cpu_hz};
	struct profiling p = {.options = options};
	int code = EXIT_FAILED, ret;

	if (options->folded && options->json) {
		error_set(err, EXIT_USAGE, -EINVAL,
			  "--folded and --json are two forms of one result: choose one");
		return EXIT_USAGE;
	}
	if (options->dry_run)
		return plan_listing__dry_run("cpu -p", options, &wants, err);
	ret = profile(&p, &wants, &code, err);
	tracing__free(&p.tracing);
	if (ret)
		return err->exit_code ? err->exit_code : EXIT_FAILED;
	return code;
}
