// SPDX-License-Identifier: BSD-2-Clause
#include "cli/price.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "abi/heap.h"
#include "base/notice.h"
#include "base/strbuf.h"
#include "output/format.h"
#include "probe/costs.h"
#include "target/everybody.h"

#define NAMED_MAX 3 /* of the functions that are single-stepped */

/* Of malloc and free as the plan places them; of several the dearest. NAN if there are none. */
static double malloc_and_free_ns(const struct plan *plan, const struct probe_costs *costs,
				 const struct link_support *support)
{
	const struct plan_probe *probe;
	double call = NAN, site = NAN;

	vec_for_each (&plan->probes, probe) {
		double ns;

		if (probe->kind != PLAN_ALLOC || probe->refused)
			continue;
		ns = probe_costs__of(costs, support, probe);
		if (probe->cookie == HEAP_MALLOC)
			call = isnan(call) || ns > call ? ns : call;
		else if (probe->cookie == HEAP_FREE)
			site = isnan(site) || ns > site ? ns : site;
	}
	return call + site;
}

static void tell_others(const struct plan *plan, const struct process *root,
			const struct probe_costs *costs, const struct link_support *support)
{
	const char *who =
		everybody__is(root) ? "every program" : "every program with these libraries";
	double ns = malloc_and_free_ns(plan, costs, support);
	char text[FORMAT_LEN];

	if (!plan__count(plan, PLAN_ALLOC))
		notice(NOTICE_INFO, "%s pays for the probes it runs into", who);
	else if (isnan(ns))
		notice(NOTICE_WARNING, "%s pays for every malloc and free while this runs", who);
	else
		notice(NOTICE_WARNING, "%s pays %s more per malloc and free while this runs", who,
		       format_duration(text, ns));
}

static bool is_stepped(const struct plan_probe *probe)
{
	return !probe->refused && !probe->emulated &&
	       (probe->kind == PLAN_ALLOC || probe->kind == PLAN_FUNCTION);
}

static void tell_stepped(const struct plan *plan, const struct probe_costs *costs)
{
	const struct plan_probe *probe, *last = NULL;
	struct strbuf names = {0};
	char text[FORMAT_LEN];
	size_t n = 0;

	vec_for_each (&plan->probes, probe) {
		if (!is_stepped(probe))
			continue;
		/* Several ways out of one function stand beside each other. */
		if (n < NAMED_MAX && (!last || strcmp(last->symbol, probe->symbol) != 0))
			strbuf_printf(&names, "%s%s", names.len ? ", " : "", probe->symbol);
		last = probe;
		n++;
	}
	if (n)
		notice(NOTICE_INFO, "%zu of the probes %s single-stepped, %s a hit: %s%s", n,
		       n == 1 ? "is" : "are",
		       isnan(costs->ns[COST_SITE_STEPPED])
			       ? "tens of times the price of others"
			       : format_duration(text, costs->ns[COST_SITE_STEPPED]),
		       strbuf_str(&names), n > NAMED_MAX ? ", ..." : "");
	strbuf_free(&names);
}

static bool any_stepped(const struct plan *plan)
{
	const struct plan_probe *probe;

	vec_for_each (&plan->probes, probe) {
		if (is_stepped(probe))
			return true;
	}
	return false;
}

static bool others_pay(const struct process *root, const struct options *options)
{
	return everybody__is(root) || options->inode_wide;
}

void price__get(const struct plan *plan, const struct process *root, const struct options *options,
		const struct link_support *support, struct probe_costs *costs)
{
	if ((others_pay(root, options) || any_stepped(plan)) && !probe_costs__get(support, costs))
		return;
	for (size_t i = 0; i < PROBE_COSTS; i++)
		costs->ns[i] = NAN;
}

void price__tell_others(const struct plan *plan, const struct process *root,
			const struct options *options, const struct link_support *support,
			const struct probe_costs *costs)
{
	if (others_pay(root, options))
		tell_others(plan, root, costs, support);
}

void price__tell_stepped(const struct plan *plan, const struct probe_costs *costs)
{
	if (any_stepped(plan))
		tell_stepped(plan, costs);
}
