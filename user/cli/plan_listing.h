/* SPDX-License-Identifier: BSD-2-Clause */
/* A plan as a report: "perftrace probes", and --dry-run of the commands that trace. */
#ifndef PERFTRACE_CLI_PLAN_LISTING_H
#define PERFTRACE_CLI_PLAN_LISTING_H

#include "cli/options.h"
#include "cli/tracing.h"
#include "probe/plan.h"
#include "target/process.h"

struct plan_listing {
	const struct plan *plan;
	const struct process *target;
	const char *command; /* what NEXT suggests: "-p", "leaks -p" */
	uint32_t cpu_hz;     /* 0 = no samples are taken */
	bool heap, spans;    /* what was planned */
	bool dry_run;	     /* without probes that this version never sets */
	const char *glob;    /* only symbols that match; NULL = all */
};

/* Measures what probes cost (or remembers), and writes the report where options->output says. */
int plan_listing__write(const struct plan_listing *listing, const struct options *options,
			struct error *err);
/* --dry-run: plans as `command` would, writes that, attaches nothing. Returns an exit code. */
int plan_listing__dry_run(const char *command, const struct options *options,
			  const struct tracing_wants *wants, struct error *err);

#endif
