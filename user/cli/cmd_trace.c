// SPDX-License-Identifier: BSD-2-Clause
/* Bare `perftrace -p PID` traces spans and heap; `perftrace spans` only spans. */
#include "cli/cli.h"
#include "cli/live.h"
#include "cli/plan_listing.h"

int command_trace(const struct options *options, struct error *err)
{
	struct options o = *options;
	struct tracing_wants wants = {.heap = true, .spans = true};

	if (o.dry_run)
		return plan_listing__dry_run("-p", options, &wants, err);
	if (!o.interval_set)
		o.interval_ns = LIVE_INTERVAL_NS;
	return live__run(&o, &wants, true, err);
}

int command_spans(const struct options *options, struct error *err)
{
	struct tracing_wants wants = {.spans = true, .needs_spans = true};

	if (options->dry_run)
		return plan_listing__dry_run("spans -p", options, &wants, err);
	return live__run(options, &wants, false, err);
}
