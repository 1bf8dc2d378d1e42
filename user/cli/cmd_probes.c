// SPDX-License-Identifier: BSD-2-Clause
/* What could be traced in a process, where each probe would go, and what it would cost. */
#include <errno.h>
#include <string.h>

#include "base/notice.h"
#include "cli/cli.h"
#include "cli/function_offer.h"
#include "cli/plan_listing.h"
#include "cli/tracing.h"

static int plan_one(struct plan *plan, const struct process *process, const struct options *options,
		    struct error *err)
{
	struct plan_options what = {.heap = true,
				    .spans = true,
				    .rules = &options->rules,
				    .functions = &options->functions,
				    .alloc_rules = &options->alloc_rules};
	struct maps maps = {0};
	int ret = maps__load(process->pid, &maps);

	if (!ret)
		ret = plan__add_process(plan, process, &maps, &what, err);
	maps__free(&maps);
	if (ret == -EACCES || ret == -EPERM)
		return error_set(
			err, EXIT_UNSUPPORTED, ret,
			"cannot read the memory map of %d: not permitted. Run it with sudo.",
			process->pid);
	if (ret)
		return error_set(err, EXIT_FAILED, ret, "cannot read %d: %s", process->pid,
				 strerror(-ret));
	return plan__check_alloc_rules(plan, process->pid, err);
}

int command_probes(const struct options *options, struct error *err)
{
	struct process process = {.pidfd = -1};
	struct plan plan = {0};
	pid_list pids = {0};
	size_t named;
	int ret = tracing__find_pids(options, &pids, &named, err);

	if (!ret)
		ret = process__open(pids.data[0], &process, err);
	if (!ret)
		ret = plan_one(&plan, &process, options, err);
	if (!ret)
		ret = function_offer__found(&plan, &options->functions, &process, err);
	if (!ret && plan.functions > PLAN_FUNCTIONS_MAX)
		notice(NOTICE_WARNING, "-f chooses %zu functions, of which the first %d are listed",
		       plan.functions, PLAN_FUNCTIONS_MAX);
	if (!ret) {
		struct plan_listing listing = {
			.plan = &plan,
			.target = &process,
			.command = "-p",
			.heap = true,
			.spans = true,
			.glob = options->argument,
		};

		ret = plan_listing__write(&listing, options, err);
	}
	plan__free(&plan);
	process__close(&process);
	vec_free(&pids);
	if (ret)
		return err->exit_code ? err->exit_code : EXIT_FAILED;
	return EXIT_DONE;
}
