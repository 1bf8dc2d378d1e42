/* SPDX-License-Identifier: BSD-2-Clause */
/* What a plan costs, in sentences. */
#ifndef PERFTRACE_CLI_PRICE_H
#define PERFTRACE_CLI_PRICE_H

#include "cli/options.h"
#include "probe/costs.h"
#include "probe/plan.h"
#include "target/process.h"

/*
 * Prices of probes as far as one of the sentences below needs them: measured now if this machine
 * was not measured before, which takes a tenth of a second. Before the attach: afterwards it would
 * keep the run from looking at what happens.
 */
void price__get(const struct plan *plan, const struct process *root, const struct options *options,
		const struct link_support *support, struct probe_costs *costs);
/* What others pay for -a or --inode-wide: before anything is linked. */
void price__tell_others(const struct plan *plan, const struct process *root,
			const struct options *options, const struct link_support *support,
			const struct probe_costs *costs);
/* Probes that the kernel has to single-step: those cost tens of times as much as the rest. */
void price__tell_stepped(const struct plan *plan, const struct probe_costs *costs);

#endif
