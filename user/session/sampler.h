/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timers behind CPU samples: one cpu-clock event (perf_event_open(2)) per CPU that is online,
 * each with the kernel side's sampler linked to it. CPUs that come later are not sampled.
 */
#ifndef PERFTRACE_SESSION_SAMPLER_H
#define PERFTRACE_SESSION_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SAMPLER_HZ_MAX 10000 /* the kernel's own limit: a sample every 100 us */

struct sampler;

/* Starts `hz` samples a second, 1 to SAMPLER_HZ_MAX, of the BPF program `program_fd`. */
int sampler__start(int program_fd, uint32_t hz, struct sampler **out, struct error *err);
/* How many CPUs are sampled. */
size_t sampler__cpus(const struct sampler *s);
/* Stops. NULL is allowed. */
void sampler__stop(struct sampler *s);

#endif
