/* SPDX-License-Identifier: BSD-2-Clause */
/* The live view: span lines as they happen, memory every interval, a summary at the end. */
#ifndef PERFTRACE_CLI_LIVE_H
#define PERFTRACE_CLI_LIVE_H

#include "cli/tracing.h"

#define LIVE_INTERVAL_NS (10 * NSEC_PER_SEC) /* of memory, unless the options say otherwise */

/*
 * A whole run. `default_log`: it is also written to the user's log, unless the options say
 * otherwise. Returns the exit code.
 */
int live__run(const struct options *options, const struct tracing_wants *wants, bool default_log,
	      struct error *err);

#endif
