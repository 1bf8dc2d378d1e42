/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts a command and holds it before its first instruction, so that probes can be put in:
 *
 *	launch__start()    it is there, held: its libraries are mapped, none of their code has run
 *	launch__release()  it runs, by itself from now on
 *	launch__wait()     how it ended
 *
 * It stays in our process group and session, so that the terminal's signals reach it as well.
 */
#ifndef PERFTRACE_TARGET_LAUNCH_H
#define PERFTRACE_TARGET_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct launch_options {
	char *const *argv; /* NULL at the end; argv[0] is looked for in PATH */
	const char *user;  /* name or number; NULL = who called us, under sudo the user behind it */
	/* For tests: */
	bool no_breakpoints;	 /* see target/loader_watch.h */
	unsigned int timeout_ms; /* of loading; 0 = half a minute */
};

struct launch {
	pid_t pid;
	bool held;	    /* in our hands, it does nothing */
	bool ended;	    /* and reaped: it has a status */
	int status;	    /* as wait(2) encodes it */
	const char *caveat; /* constant phrase: what of it will not be seen, or NULL */
};

/*
 * After 0 it is held, or it has ended already (its libraries could not be loaded); with an error
 * nothing of it is left. Says in err: no such command (4), not permitted or of a kind that cannot
 * be traced (3), no such user (2).
 *
 * Must be called before this process has other children or threads; while a command is being
 * loaded (milliseconds) it dies with us.
 */
int launch__start(const struct launch_options *options, struct launch *l, struct error *err);
/* Lets go of it. Nothing happens if it is not held. */
void launch__release(struct launch *l);
/* Ends one that is held, and reaps it. */
void launch__kill(struct launch *l);
/* Waits for its end, at most so long (0 = only look). -ETIMEDOUT: it runs. */
int launch__wait(struct launch *l, unsigned int timeout_ms);
/* What a shell would make of its status: the exit code, or 128 and the signal. */
int launch__exit_code(const struct launch *l);

#endif
