/* SPDX-License-Identifier: BSD-2-Clause */
/* What a leak report is made of, as JSON or as text. Everything is borrowed. */
#ifndef PERFTRACE_OUTPUT_LEAKS_REPORT_H
#define PERFTRACE_OUTPUT_LEAKS_REPORT_H

#include "insight/candidates.h"
#include "model/heap.h"
#include "model/ledger.h"
#include "model/memory.h"
#include "output/run_info.h"

struct leaks_report {
	const struct run_info *run;
	const struct heap_snapshot *heap;
	const struct candidates *candidates;
	const struct memory_growth *rss;
	const struct ledger *ledger;
};

#endif
