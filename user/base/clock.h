/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel side stamps events with CLOCK_MONOTONIC nanoseconds; people read wall-clock time.
 * The offset between the two moves when the wall clock is set or slewed, so it is measured again
 * now and then (clock_offset_refresh), not once.
 */
#ifndef PERFTRACE_BASE_CLOCK_H
#define PERFTRACE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

uint64_t clock_monotonic_ns(void);

struct clock_offset {
	int64_t realtime_minus_monotonic_ns;
	uint64_t measured_at_ns; /* CLOCK_MONOTONIC; 0 = never */
};

/*
 * Measures the offset if the last measurement is older than `max_age_ns`. Takes the narrowest of
 * several monotonic-realtime-monotonic sandwiches, so that a preemption between the two clock
 * reads does not show up as an offset.
 */
void clock_offset_refresh(struct clock_offset *o, uint64_t max_age_ns);
/* Wall-clock nanoseconds since the epoch of a CLOCK_MONOTONIC stamp. */
uint64_t clock_to_realtime_ns(const struct clock_offset *o, uint64_t monotonic_ns);

#endif
