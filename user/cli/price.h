/* SPDX-License-Identifier: BSD-2-Clause */
/* What a plan costs, told before anything is linked. */
#ifndef PERFTRACE_CLI_PRICE_H
#define PERFTRACE_CLI_PRICE_H

#include "cli/options.h"
#include "probe/plan.h"
#include "target/process.h"

/*
 * Tells what others pay for -a or --inode-wide, and which probes the kernel has to single-step:
 * those cost tens of times as much as the rest. Measures, if this machine was not measured before.
 */
void price__tell(const struct plan *plan, const struct process *root,
		 const struct options *options);

#endif
