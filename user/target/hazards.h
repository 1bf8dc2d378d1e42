/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel says about a process that makes probing its returns dangerous. */
#ifndef PERFTRACE_TARGET_HAZARDS_H
#define PERFTRACE_TARGET_HAZARDS_H

#include <stdbool.h>
#include <sys/types.h>

struct hazards {
	/*
	 * Its system calls are filtered or confined. Return probes end in a system call of the
	 * kernel's own making, which Linux 6.11 to 6.12.13, 6.13.0 to 6.13.2 let the filter kill
	 * the process for (CVE-2025-21834).
	 */
	bool seccomp;
	/*
	 * The processor keeps a second copy of the return addresses (Intel CET, "shstk"): a return
	 * probe changes only one of the two.
	 */
	bool shadow_stack;
};

/*
 * From /proc/PID/status (proc(5)) and that of each thread, as both properties belong to threads:
 * true if one thread has it. -ESRCH: no such process; or another errno of reading it.
 */
int hazards__read(pid_t pid, struct hazards *out);
/* Adds what the text of one status file says. */
void hazards__parse(const char *status, struct hazards *out);

#endif
