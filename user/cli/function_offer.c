// SPDX-License-Identifier: BSD-2-Clause
#include "cli/function_offer.h"

#include <errno.h>
#include <stdio.h>

static int nothing_found(const struct plan_search *search, const struct function_rule *rule,
			 const struct process *root, struct error *err)
{
	char hint[NEAREST_MAX + 32] = "";

	if (!search->objects)
		return error_set(err, EXIT_UNSUPPORTED, -ENOENT,
				 "no file called '%s' is mapped by %d, or it has no symbols. grep "
				 "xp /proc/%d/maps lists them.",
				 rule->object ? rule->object : root->exe, root->pid, root->pid);
	if (!search->names)
		return error_set(err, EXIT_UNSUPPORTED, -ENOENT,
				 "%s of %d names no functions: it is stripped. Trace a build with "
				 "symbols, or functions of its libraries (-f 'LIB:GLOB').",
				 rule->object ? rule->object : "the executable", root->pid);
	if (search->nearest.best[0])
		snprintf(hint, sizeof(hint), " Did you mean '%s'?", search->nearest.best);
	return error_set(err, EXIT_UNSUPPORTED, -ENOENT,
			 "no function '%s' in %s of %d.%s perftrace probes -p %d -f '%s%s*' lists "
			 "those with symbols.",
			 rule->name, rule->object ? rule->object : "the executable", root->pid,
			 hint, root->pid, rule->object ? rule->object : "",
			 rule->object ? ":" : "");
}

static const struct plan_probe *first_refused(const struct plan *plan)
{
	const struct plan_probe *probe;

	vec_for_each (&plan->probes, probe) {
		if (probe->kind == PLAN_FUNCTION && probe->refused)
			return probe;
	}
	return NULL;
}

int function_offer__found(const struct plan *plan, const function_rule_list *rules,
			  const struct process *root, struct error *err)
{
	for (size_t i = 0; i < rules->len; i++) {
		static const struct plan_search nowhere;
		const struct plan_search *search =
			i < plan->searches.len ? &plan->searches.data[i] : &nowhere;

		if (!search->found)
			return nothing_found(search, &rules->data[i], root, err);
	}
	return 0;
}

int function_offer__check(const struct plan *plan, const function_rule_list *rules,
			  const struct process *root, struct error *err)
{
	const struct plan_probe *refused;
	int ret = function_offer__found(plan, rules, root, err);

	if (ret)
		return ret;
	if (plan->functions > PLAN_FUNCTIONS_MAX)
		return error_set(
			err, EXIT_USAGE, -E2BIG,
			"-f chooses %zu functions; %d are traced at most. Narrow the glob.",
			plan->functions, PLAN_FUNCTIONS_MAX);
	refused = first_refused(plan);
	if (refused && !plan__count(plan, PLAN_FUNCTION))
		return error_set(err, EXIT_UNSUPPORTED, -ENOTSUP,
				 "cannot trace %s of %d: %s. perftrace probes -p %d -f GLOB lists "
				 "what can be traced.",
				 refused->symbol, root->pid, refused->refused, root->pid);
	return 0;
}
