// SPDX-License-Identifier: BSD-2-Clause
/*
 * Starts a command and traces it from its first instruction. Its status becomes ours, like that
 * of env(1) or timeout(1); where it is 0 and the trace has a failure to report, that is told.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "base/notice.h"
#include "cli/cli.h"
#include "cli/launched.h"
#include "cli/live.h"

/* It did not come as far as its own code: ld.so has said why. */
static int ended_early(const struct launched *l)
{
	notice(NOTICE_WARNING, "%s ended while it was being loaded: nothing to trace", l->name);
	return launch__exit_code(&l->launch);
}

static int trace(struct launched *l, const struct options *options, struct error *err)
{
	struct tracing_wants wants = {.heap = true, .spans = true, .launched = l};
	struct options o = *options;
	pid_t pid = l->launch.pid;
	int code, status;

	o.pids.data = &pid;
	o.pids.len = 1;
	if (!o.interval_set)
		o.interval_ns = LIVE_INTERVAL_NS;
	code = live__run(&o, &wants, true, err);
	if (code == EXIT_INCOMPLETE)
		error_set(err, EXIT_INCOMPLETE, 0, INCOMPLETE_TEXT);
	else if (code != EXIT_DONE)
		error_set(err, EXIT_FAILED, -ENOMEM, "not enough memory");
	if (l->launch.held) {
		/* Not a single instruction has been run: as if it had never been started. */
		launch__kill(&l->launch);
		return code;
	}
	status = launched__wait(l);
	return status ? status : code;
}

int command_run(const struct options *options, struct error *err)
{
	struct launched l;
	int ret;

	if (!options->command) {
		error_set(err, EXIT_USAGE, -EINVAL,
			  "run what? perftrace run [OPTIONS] -- COMMAND [ARGS]");
		return EXIT_USAGE;
	}
	ret = tracing__check_permissions("start a command", err);
	if (!ret)
		ret = launched__start(&l, options, err);
	if (ret)
		return err->exit_code ? err->exit_code : EXIT_FAILED;
	return l.launch.ended ? ended_early(&l) : trace(&l, options, err);
}
