// SPDX-License-Identifier: BSD-2-Clause
#include "cli/plan_listing.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output/probes_report.h"
#include "output/sink.h"
#include "probe/costs.h"

/* What this kernel makes of a plan. */
struct prices {
	bool known_methods;
	struct link_support support;
	struct probe_costs costs;
	struct error why; /* no methods, or no costs */
};

static void find_prices(struct prices *p)
{
	int ret;

	for (size_t i = 0; i < PROBE_COSTS; i++)
		p->costs.ns[i] = NAN;
	p->known_methods = !link_support__detect(&p->support, &p->why);
	if (!p->known_methods)
		return;
	ret = probe_costs__get(&p->support, &p->costs);
	if (ret)
		error_set(&p->why, EXIT_FAILED, ret, "probes cannot be tried out: %s",
			  strerror(-ret));
}

static bool is_set(const struct plan_probe *probe)
{
	return !probe->refused && probe->kind != PLAN_USDT;
}

static double price_of(const struct prices *p, const struct plan_probe *probe)
{
	return is_set(probe) ? probe_costs__of(&p->costs, &p->support, probe) : NAN;
}

static const char *kind_name(enum plan_kind kind)
{
	static const char *const names[] = {
		[PLAN_ALLOC] = "alloc", [PLAN_TOLD] = "alloc",	      [PLAN_SPAN] = "span",
		[PLAN_MARK] = "mark",	[PLAN_FUNCTION] = "function", [PLAN_LOADER] = "loader",
		[PLAN_USDT] = "usdt",
	};

	return names[kind];
}

/* The rows of the report, borrowed from the plan. */
static int list_rows(const struct plan_listing *l, const struct prices *p,
		     struct probes_report *report)
{
	const struct plan_probe *probe;

	vec_for_each (&l->plan->probes, probe) {
		struct probe_row *row;

		if ((l->glob && fnmatch(l->glob, probe->symbol, 0)) ||
		    (l->dry_run && probe->kind == PLAN_USDT))
			continue;
		row = vec_push(&report->rows);
		if (!row)
			return -ENOMEM;
		*row = (struct probe_row){
			.kind = kind_name(probe->kind),
			.object = l->plan->objects.data[probe->object].path,
			.symbol = probe->symbol,
			.offset = probe->offset,
			.site_offset = probe->site_offset,
			.instruction = probe->instruction[0] ? probe->instruction : NULL,
			.method =
				p->known_methods && is_set(probe)
					? link_method_name(probe_costs__method(&p->support, probe))
					: NULL,
			.expected_ns = price_of(p, probe),
			.why = probe->why,
			.refused = probe->refused,
		};
	}
	return 0;
}

static double heap_price(const struct plan_listing *l, const struct prices *p)
{
	const struct plan_allocator *allocator = plan__allocator(l->plan, l->target);
	double malloc_ns = NAN, free_ns = NAN;
	const struct plan_probe *probe;

	vec_for_each (&l->plan->probes, probe) {
		if (!allocator || probe->kind != PLAN_ALLOC ||
		    !plan_allocator__serves(allocator, probe->object))
			continue;
		if (!strcmp(probe->symbol, "malloc"))
			malloc_ns = price_of(p, probe);
		else if (!strcmp(probe->symbol, "free"))
			free_ns = price_of(p, probe);
	}
	return malloc_ns + free_ns;
}

/* The dearest start and end of one pair. */
struct pair_price {
	double start_ns, end_ns;
};

/* A span by the return of its function has no end of its own. */
static int price_spans(const struct plan_listing *l, const struct prices *p,
		       struct probe_totals *totals)
{
	const struct plan *plan = l->plan;
	struct pair_price *pairs = calloc(plan->pairs.len + 1, sizeof(*pairs));
	const struct plan_probe *probe;

	if (!pairs)
		return -ENOMEM;
	vec_for_each (&plan->probes, probe) {
		const struct span_site *site;
		double *most;

		if ((probe->kind != PLAN_SPAN && probe->kind != PLAN_FUNCTION) || probe->refused)
			continue;
		site = &plan->sites.data[probe->cookie];
		most = site->role == SITE_END ? &pairs[site->pair].end_ns
					      : &pairs[site->pair].start_ns;
		if (price_of(p, probe) > *most)
			*most = price_of(p, probe);
	}
	for (size_t i = 0; i < plan->pairs.len; i++) {
		double ns = pairs[i].start_ns + pairs[i].end_ns;

		if (!(ns > 0))
			continue;
		if (!(ns >= totals->span_min_ns))
			totals->span_min_ns = ns;
		if (!(ns <= totals->span_max_ns))
			totals->span_max_ns = ns;
	}
	free(pairs);
	return 0;
}

static int find_totals(const struct plan_listing *l, const struct prices *p,
		       struct probe_totals *totals)
{
	const struct plan_probe *probe;

	vec_for_each (&l->plan->probes, probe) {
		if (probe->kind == PLAN_USDT)
			continue;
		if (probe->refused)
			totals->refused++;
		else
			totals->probes++;
	}
	totals->span_min_ns = totals->span_max_ns = NAN;
	totals->malloc_free_ns = heap_price(l, p);
	return price_spans(l, p, totals);
}

static int write_report(const struct options *options, const struct probes_report *report,
			struct error *err)
{
	struct text_style style = tracing__style(options);
	struct sink *out = sink__open(options->output, SINK_DOCUMENT, err, NULL);
	struct strbuf text = {0};
	int ret;

	if (!out)
		return -EIO;
	ret = options->json ? probes_json(&text, report) : probes_text(&text, report, &style);
	if (ret) {
		sink__discard(out);
	} else {
		sink__write(out, text.data, text.len);
		ret = sink__close(out, err);
	}
	strbuf_free(&text);
	return ret == -EPIPE ? 0 : ret;
}

int plan_listing__write(const struct plan_listing *l, const struct options *options,
			struct error *err)
{
	const struct plan_allocator *allocator = plan__allocator(l->plan, l->target);
	struct probes_report report = {
		.target =
			{
				.pid = l->target->pid,
				.comm = l->target->comm,
				.exe = l->target->exe,
				.allocator =
					allocator && allocator->found ? allocator->label : NULL,
				.started_ns = l->target->started_realtime_ns,
			},
		.command = l->command,
		.heap = l->heap,
		.spans = l->spans,
		.cpu_hz = l->cpu_hz,
		.span_pairs = plan__span_pairs(l->plan),
		.functions = plan__function_spans(l->plan),
		.own_macros = plan__has_own_macros(l->plan),
	};
	struct prices prices = {0};
	int ret;

	if (!l->cpu_hz) /* there is nothing to price */
		find_prices(&prices);
	if (prices.why.exit_code)
		report.costs_missing = prices.why.text;
	ret = list_rows(l, &prices, &report);
	if (!ret)
		ret = find_totals(l, &prices, &report.totals);
	if (!ret)
		ret = write_report(options, &report, err);
	vec_free(&report.rows);
	return ret;
}

int plan_listing__dry_run(const char *command, const struct options *options,
			  const struct tracing_wants *wants, struct error *err)
{
	struct session_observer nobody = {0};
	struct tracing tracing;
	int ret = tracing__prepare(&tracing, options, wants, &nobody, err);

	if (!ret) {
		struct plan_listing listing = {
			.plan = session__plan(tracing.session),
			.target = session__root(tracing.session),
			.command = command,
			.heap = wants->heap,
			.spans = wants->spans,
			.cpu_hz = wants->cpu_hz,
			.dry_run = true,
		};

		ret = plan_listing__write(&listing, options, err);
	}
	tracing__free(&tracing);
	if (ret)
		return err->exit_code ? err->exit_code : EXIT_FAILED;
	return EXIT_DONE;
}
