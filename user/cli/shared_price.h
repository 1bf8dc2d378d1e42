/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes that are linked for everybody slow down programs that nobody looks at: says how much. */
#ifndef PERFTRACE_CLI_SHARED_PRICE_H
#define PERFTRACE_CLI_SHARED_PRICE_H

#include "cli/options.h"
#include "probe/plan.h"
#include "target/process.h"

/* Tells, before anything is linked, what -a or --inode-wide will cost others; else nothing. */
void shared_price__tell(const struct plan *plan, const struct process *root,
			const struct options *options);

#endif
