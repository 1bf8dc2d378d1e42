// SPDX-License-Identifier: BSD-2-Clause
/*
 * thrower [TIMES=100]
 *
 * On SIGUSR1 calls between() TIMES times, which calls sometimes(): every fourth time, from the
 * first on, that throws, through between() into main. No probes of its own: for functions as spans.
 */
#include <stdexcept>

#include "common.h"

NOINLINE int sometimes(int i);
NOINLINE int between(int i);

NOINLINE int sometimes(int i)
{
	sleep_ns(20000);
	if (i % 4 == 0)
		throw std::runtime_error("now and then");
	return i + 1;
}

NOINLINE int between(int i)
{
	return sometimes(i) * 2;
}

int main(int argc, char **argv)
{
	long times = number_arg(argc, argv, 1, 100), caught = 0;
	volatile long sum = 0;

	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < times; i++) {
		try {
			sum = sum + between(i);
		} catch (const std::runtime_error &) {
			caught++;
		}
	}
	target_truth("{\"times\":%ld,\"returned\":%ld,\"thrown\":%ld}", times, times - caught,
		     caught);
	target_idle();
}
