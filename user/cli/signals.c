// SPDX-License-Identifier: BSD-2-Clause
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"

static sigset_t stop_signals;
static int fd = -1;

int signals__begin(void)
{
	sigemptyset(&stop_signals);
	sigaddset(&stop_signals, SIGINT);
	sigaddset(&stop_signals, SIGTERM);
	sigaddset(&stop_signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &stop_signals, NULL))
		return -errno;
	fd = signalfd(-1, &stop_signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static void end_now(int signal_number)
{
	_exit(EXIT_INTERRUPTED);
}

void signals__leave(void)
{
	struct signalfd_siginfo first;

	/* The one that stopped the run has done its work; another that waits already counts. */
	if (fd >= 0 && read(fd, &first, sizeof(first)) < 0)
		first.ssi_signo = 0;
	signal(SIGINT, end_now);
	signal(SIGTERM, end_now);
	signal(SIGHUP, end_now);
	sigprocmask(SIG_UNBLOCK, &stop_signals, NULL);
}
