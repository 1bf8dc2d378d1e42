/* SPDX-License-Identifier: BSD-2-Clause */
/* What the writers of a CPU profile read; all borrowed. */
#ifndef PERFTRACE_OUTPUT_PROFILE_REPORT_H
#define PERFTRACE_OUTPUT_PROFILE_REPORT_H

#include "base/strbuf.h"
#include "model/ledger.h"
#include "model/profile.h"
#include "output/run_info.h"

struct profile_report {
	const struct run_info *run;
	const struct profile *profile;
	const struct ledger *ledger;
	size_t top; /* functions in the table */
};

#endif
