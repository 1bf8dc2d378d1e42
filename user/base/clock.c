// SPDX-License-Identifier: BSD-2-Clause
#include "base/clock.h"

#define SANDWICHES 16

static uint64_t read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

void clock_offset_refresh(struct clock_offset *o, uint64_t max_age_ns)
{
	uint64_t narrowest = UINT64_MAX;

	if (o->measured_at_ns && clock_monotonic_ns() - o->measured_at_ns < max_age_ns)
		return;
	for (int i = 0; i < SANDWICHES; i++) {
		uint64_t before = read_ns(CLOCK_MONOTONIC);
		uint64_t wall = read_ns(CLOCK_REALTIME);
		uint64_t after = read_ns(CLOCK_MONOTONIC);

		if (after - before < narrowest) {
			narrowest = after - before;
			o->realtime_minus_monotonic_ns = (int64_t)(wall - (before + narrowest / 2));
			o->measured_at_ns = after;
		}
	}
}

uint64_t clock_to_realtime_ns(const struct clock_offset *o, uint64_t monotonic_ns)
{
	return monotonic_ns + (uint64_t)o->realtime_minus_monotonic_ns;
}
