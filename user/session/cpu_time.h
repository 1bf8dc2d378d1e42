/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much CPU time processes use while they are traced, by the clock that the kernel keeps for
 * each (clock_getcpuclockid(3)): exact, all threads together, those that ended included.
 */
#ifndef PERFTRACE_SESSION_CPU_TIME_H
#define PERFTRACE_SESSION_CPU_TIME_H

#include <stdint.h>

#include "base/vec.h"
#include "session/roster.h"

struct cpu_usage {
	pid_t pid;
	uint64_t first_ns, last_ns; /* when it was first and last looked at */
};

/* Zero-initialise; vec_free() the list. */
struct cpu_time {
	VEC(struct cpu_usage) list;
};

/* Looks at all processes of the roster: those that are new begin now. To be called now and then,
 * as of one that has ended the last look is all there is. */
void cpu_time__look(struct cpu_time *t, const struct roster *roster);
/* What they have used since they were first looked at. */
uint64_t cpu_time__used_ns(const struct cpu_time *t);

#endif
