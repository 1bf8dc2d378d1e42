// SPDX-License-Identifier: BSD-2-Clause
#include "cli/function_offer.h"

#include <errno.h>
#include <stdio.h>

#include "target/everybody.h"

static int nothing_found(const struct plan_search *search, const struct function_rule *rule,
			 const struct process *root, struct error *err)
{
	char hint[NEAREST_MAX + 32] = "";

	if (!search->objects)
		return error_set(err, EXIT_UNSUPPORTED, -ENOENT,
				 "no file called '%s' is mapped by %d, or it has no symbols. grep "
				 "xp /proc/%d/maps lists them.",
				 rule->object ? rule->object : root->exe, root->pid, root->pid);
	if (search->nearest.best[0])
		snprintf(hint, sizeof(hint), " Did you mean '%s'?", search->nearest.best);
	return error_set(err, EXIT_UNSUPPORTED, -ENOENT,
			 "no function '%s' in %s of %d.%s perftrace probes -p %d -f '%s%s*' lists "
			 "those with symbols.",
			 rule->name, rule->object ? rule->object : "the executable", root->pid,
			 hint, root->pid, rule->object ? rule->object : "",
			 rule->object ? ":" : "");
}

static const char *first_refusal(const struct plan *plan)
{
	const struct plan_probe *probe;

	vec_for_each (&plan->probes, probe) {
		if (probe->kind == PLAN_FUNCTION && probe->refused)
			return probe->refused;
	}
	return "";
}

int function_offer__check(const struct plan *plan, const function_rule_list *rules,
			  const struct process *root, struct error *err)
{
	bool is_complete = !everybody__is(root);

	for (size_t i = 0; is_complete && i < rules->len; i++) {
		static const struct plan_search nowhere;
		const struct plan_search *search =
			i < plan->searches.len ? &plan->searches.data[i] : &nowhere;

		if (!search->found)
			return nothing_found(search, &rules->data[i], root, err);
	}
	if (plan->functions > PLAN_FUNCTIONS_MAX)
		return error_set(
			err, EXIT_USAGE, -E2BIG,
			"-f chooses %zu functions; %d are traced at most. Narrow the glob.",
			plan->functions, PLAN_FUNCTIONS_MAX);
	if (is_complete && rules->len && !plan__count(plan, PLAN_FUNCTION))
		return error_set(err, EXIT_UNSUPPORTED, -ENOTSUP,
				 "cannot trace the functions of %d that -f chose: %s. perftrace "
				 "probes -p %d lists why.",
				 root->pid, first_refusal(plan), root->pid);
	return 0;
}
