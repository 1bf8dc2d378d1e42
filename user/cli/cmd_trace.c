// SPDX-License-Identifier: BSD-2-Clause
/* Bare `perftrace -p PID` traces spans and heap; `perftrace spans` only spans. */
#include "cli/cli.h"
#include "cli/live.h"

int command_trace(const struct options *options, struct error *err)
{
	struct options o = *options;
	struct tracing_wants wants = {.heap = true, .spans = true};

	if (!o.interval_set)
		o.interval_ns = LIVE_INTERVAL_NS;
	return live__run(&o, &wants, true, err);
}

int command_spans(const struct options *options, struct error *err)
{
	struct tracing_wants wants = {.spans = true, .needs_spans = true};

	return live__run(options, &wants, false, err);
}
