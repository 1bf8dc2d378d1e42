// SPDX-License-Identifier: BSD-2-Clause
#include "cli/shared_price.h"

#include <math.h>
#include <stdio.h>

#include "abi/heap.h"
#include "base/notice.h"
#include "output/format.h"
#include "probe/costs.h"
#include "target/everybody.h"

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

void shared_price__tell(const struct plan *plan, const struct process *root,
			const struct options *options)
{
	const char *who =
		everybody__is(root) ? "every program" : "every program with these libraries";
	struct link_support support;
	struct probe_costs costs;
	char text[FORMAT_LEN];
	double ns;

	if (!everybody__is(root) && !options->inode_wide)
		return;
	if (!plan__count(plan, PLAN_ALLOC)) {
		notice(NOTICE_INFO, "%s pays for the probes it runs into", who);
		return;
	}
	ns = link_support__detect(&support, NULL) || probe_costs__get(&support, &costs)
		     ? NAN
		     : malloc_and_free_ns(plan, &costs, &support);
	if (isnan(ns))
		notice(NOTICE_WARNING, "%s pays for every malloc and free while this runs", who);
	else
		notice(NOTICE_WARNING, "%s pays %s more per malloc and free while this runs", who,
		       format_duration(text, ns));
}
