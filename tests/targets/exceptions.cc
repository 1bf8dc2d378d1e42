// SPDX-License-Identifier: BSD-2-Clause
/*
 * exceptions [TIMES=100]
 *
 * On SIGUSR1, TIMES times: request() > parse() > decode(), all PERF_GUARD spans; decode throws
 * every time, parse passes it on, request catches it and then runs recover(), whose PERF_TIMED
 * throws as well and is caught outside of request. Every span must end, none is unwound, and
 * none nests wrongly afterwards: "after" is at depth 0.
 */
#include <perftrace.h>

#include <stdexcept>

#include "common.h"

namespace
{

NOINLINE void decode(int i)
{
	PERF_GUARD("decode", PERF_FMT("item %d", i));
	throw std::runtime_error("bad item");
}

NOINLINE void parse(int i)
{
	PERF_GUARD("parse");
	decode(i);
}

NOINLINE int recover()
{
	throw std::logic_error("cannot recover");
}

NOINLINE void request(int i)
{
	PERF_GUARD("request", "will fail");
	try {
		parse(i);
	} catch (const std::runtime_error &) {
		PERF_TIMED("recover", recover());
	}
}

} // namespace

int main(int argc, char **argv)
{
	long times = number_arg(argc, argv, 1, 100), caught = 0;

	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < times; i++) {
		try {
			request(i);
		} catch (const std::logic_error &) {
			caught++;
		}
		PERF_TIMED_BLOCK("after")
		{
			sleep_ns(50000);
		}
	}
	if (caught != times)
		return 1;
	target_truth("{\"times\":%ld,\"spans\":{"
		     "\"request\":{\"count\":%ld,\"depth\":0,\"context\":\"will fail\"},"
		     "\"parse\":{\"count\":%ld,\"depth\":1},"
		     "\"decode\":{\"count\":%ld,\"depth\":2},"
		     "\"recover\":{\"count\":%ld,\"depth\":1},"
		     "\"after\":{\"count\":%ld,\"depth\":0}},\"unwound\":{}}",
		     times, times, times, times, times, times);
	target_idle();
}
