/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A COMMAND that perftrace has started itself. The run lasts as long as it does: Ctrl-C reaches it
 * from the terminal and is its own affair, the first one here only says so, the second one leaves
 * it alone at once (130). SIGTERM and SIGHUP that somebody sends to perftrace are passed on.
 */
#ifndef PERFTRACE_CLI_LAUNCHED_H
#define PERFTRACE_CLI_LAUNCHED_H

#include "cli/options.h"
#include "target/launch.h"

struct launched {
	struct launch launch;
	const char *name; /* COMMAND, as the user wrote it */
	int signal_fd;
	unsigned int interrupts;
};

/* Starts options->command; it is held (or has ended, launch.h). */
int launched__start(struct launched *l, const struct options *options, struct error *err);
/* From here on signals are taken from `signal_fd` of signals__begin(). */
void launched__heed(struct launched *l, int signal_fd);
/* To be called now and then: acts on signals that came. */
void launched__look(struct launched *l);
/* Lets it run. */
void launched__release(struct launched *l);
/* Waits for its end while heeding signals. Returns its exit code, as a shell's. */
int launched__wait(struct launched *l);

#endif
