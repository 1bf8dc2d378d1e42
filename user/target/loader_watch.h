/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lets a program that is held at its exec run until its dynamic linker has mapped everything it
 * is linked with, and stops it there again, before the first constructor.
 *
 * The place is _dl_debug_state, the function that glibc's and musl's linkers call for debuggers
 * when their list of libraries is complete (link.h, struct r_debug). It is watched with a hardware
 * breakpoint (ptrace(2), PTRACE_POKEUSER; Intel SDM vol. 3, "Debug registers"), because software
 * breakpoints would write to the program's memory.
 */
#ifndef PERFTRACE_TARGET_LOADER_WATCH_H
#define PERFTRACE_TARGET_LOADER_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum loader_end {
	LOADER_DONE,	/* all is mapped, no constructor has run; or there is no loader at all */
	LOADER_PASSED,	/* all is mapped, constructors of libraries may have run */
	LOADER_TIMEOUT, /* stopped somewhere: it did not come there in time */
	LOADER_EXITED,	/* the program has ended: *status as from wait(2), reaped */
};

struct loader_options {
	uint64_t timeout_ns;
	bool no_breakpoints; /* go by system calls, as where there are no debug registers */
};

/*
 * `pid` is a child of ours, seized by us (PTRACE_SEIZE with PTRACE_O_TRACESYSGOOD and
 * PTRACE_O_TRACEEXEC) and in a stop. Signals that come meanwhile reach it. SIGCHLD must be
 * blocked. Returns enum loader_end, after which it is in a stop again and has no breakpoints (if
 * it has not ended), or a negative errno.
 */
int loader_watch__run(pid_t pid, const struct loader_options *options, int *status);

/*
 * waitpid(2) with a time limit (CLOCK_MONOTONIC): 0, or -ETIMEDOUT, or another negative errno.
 * SIGCHLD must be blocked.
 */
int loader_watch__wait(pid_t pid, uint64_t deadline_ns, int *status);

#endif
