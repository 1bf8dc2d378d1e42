/* SPDX-License-Identifier: BSD-2-Clause */
/* All processes of the machine as one target. */
#ifndef PERFTRACE_TARGET_EVERYBODY_H
#define PERFTRACE_TARGET_EVERYBODY_H

#include <stdbool.h>

#include "target/process.h"

/* What stands for all of them where a process is expected: PID 0, no pidfd, always alive. */
void everybody__open(struct process *p);
bool everybody__is(const struct process *p);

/* PIDs of all programs that run, without kernel threads, zombies and this process. */
int everybody__pids(pid_list *out);
/*
 * Sizes summed over all programs: pages that several of them share count as often. Reads a file
 * per process: some ms on a large machine.
 */
int everybody__memory(struct process_memory *m);

#endif
