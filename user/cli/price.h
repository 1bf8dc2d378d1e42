/* SPDX-License-Identifier: BSD-2-Clause */
/* What a plan costs, in sentences. */
#ifndef PERFTRACE_CLI_PRICE_H
#define PERFTRACE_CLI_PRICE_H

#include "cli/options.h"
#include "probe/plan.h"
#include "target/process.h"

/*
 * Both measure, if this machine was not measured before. What others pay for -a or --inode-wide:
 * before anything is linked.
 */
void price__tell_others(const struct plan *plan, const struct process *root,
			const struct options *options);
/* Probes that the kernel has to single-step: those cost tens of times as much as the rest. */
void price__tell_stepped(const struct plan *plan);

#endif
