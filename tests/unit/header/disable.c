// SPDX-License-Identifier: BSD-2-Clause
/*
 * One source in two spellings, for C and C++: with the macros, and (BARE) as if nobody had ever
 * heard of them. With -DPERFTRACE_DISABLE both must give the same object code.
 */
#ifdef BARE
#define PROBE(...)
#define BLOCK(name)
#define TIMED(expr, ...) expr
#else
#include <perftrace.h>
#define PROBE(...)	 __VA_ARGS__
#define BLOCK(name)	 PERF_TIMED_BLOCK(name)
#define TIMED(expr, ...) PERF_TIMED(__VA_ARGS__, expr)
#endif

#ifdef __cplusplus
extern "C" {
#endif
int work(int n);
const char *describe(int n);
int traced(int n, const char *region);
#ifdef __cplusplus
}
#endif

int traced(int n, const char *region)
{
	int sum = 0;
	(void)region;
	PROBE(PERF_GUARD("traced", region);)
	PROBE(PERF_GUARD("traced", PERF_FMT("%d of %s", n, region));)
	PROBE(PERF_START("loop");)
	for (int i = 0; i < n; i++) {
		PROBE(PERF_CHECKPOINT("round");)
		PROBE(PERF_CHECKPOINT("round", describe(i));)
		if (i == 5)
			break;
		sum += TIMED(work(i), "work", PERF_FMT("%d", i));
		TIMED((void)work(i), "void");
		BLOCK("block")
		{
			sum += work(sum);
			if (sum > 1000)
				return sum;
		}
	}
	PROBE(PERF_END("loop");)
	PROBE(PERF_END("loop", describe(sum));)
	PROBE(PERF_EVENT("CACHE", PERF_FMT("GET_HIT %d", sum));)
	return sum;
}
