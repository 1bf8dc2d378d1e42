// SPDX-License-Identifier: BSD-2-Clause
#include "cli/launched.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/notice.h"

#define LOOK_MS 50

int launched__start(struct launched *l, const struct options *options, struct error *err)
{
	struct launch_options launch = {.argv = options->command, .user = options->user};

	memset(l, 0, sizeof(*l));
	l->signal_fd = -1;
	l->name = options->command[0];
	return launch__start(&launch, &l->launch, err);
}

void launched__heed(struct launched *l, int signal_fd)
{
	l->signal_fd = signal_fd;
}

void launched__look(struct launched *l)
{
	struct signalfd_siginfo info;

	while (l->signal_fd >= 0 && read(l->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGINT) {
			/* The terminal's own (a hang-up) it has got already. */
			if (info.ssi_code <= 0 && !l->launch.ended)
				kill(l->launch.pid, (int)info.ssi_signo);
		} else if (l->interrupts++) {
			_exit(EXIT_INTERRUPTED);
		} else {
			notice(NOTICE_INFO,
			       "the report follows when %s has ended; another Ctrl-C "
			       "leaves it alone",
			       l->name);
		}
	}
}

void launched__release(struct launched *l)
{
	launch__release(&l->launch);
}

int launched__wait(struct launched *l)
{
	while (launch__wait(&l->launch, LOOK_MS) == -ETIMEDOUT)
		launched__look(l);
	return launch__exit_code(&l->launch);
}
