/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the kernel side's CPU samples into the model, with names for addresses. */
#ifndef PERFTRACE_SESSION_CPU_FACTS_H
#define PERFTRACE_SESSION_CPU_FACTS_H

#include "model/names.h"
#include "model/profile.h"
#include "session/kernel.h"
#include "stack/symbolize.h"

/*
 * Fills *profile but for what its owner knows: hz, cpus, cpu_ns. Strings of the frames belong to
 * `symbolizer` and `names`. 0 or a negative errno.
 */
int cpu_facts__read(const struct kernel *kernel, struct symbolizer *symbolizer,
		    struct names *names, struct profile *profile);

#endif
