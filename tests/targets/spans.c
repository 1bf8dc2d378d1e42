// SPDX-License-Identifier: BSD-2-Clause
/*
 * spans [ROUNDS=1] [THREADS=1]
 *
 * On SIGUSR1 each of THREADS threads, named worker-1.., makes ROUNDS rounds of this shape (at
 * least the times given; ctx in parentheses):
 *
 *	query_engine.phase1            20 ms (50 queries)
 *	  ec2.describe_instances        8 ms (us-east-1)
 *	  rds.describe_db_instances     5 ms (us-east-1)
 *	CHECKPOINT phase1_complete           (314 resources)
 *	query_engine.phase2            10 ms (45 resources)
 *	  recurse                       5 ms  one in the other, 5 deep, 1 ms each
 *	  abandoned                           left by longjmp: unwound, ends no later than phase2
 *	handover                        2 ms (committed)  begun and ended in different functions
 *	CHECKPOINT phase2_complete           (314 resources) after touching 64 MB more; then given
 *back
 *
 * and four events: PHASE1, CACHE GET_MISS, CACHE GET_HIT, PHASE2.
 */
#include <perftrace.h>

#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>

#include "common.h"

#define THREADS_MAX   64
#define RECURSION     5
#define TOUCHED_BYTES (64UL << 20)

static pthread_barrier_t go, done;
static long rounds;

NOINLINE void phase1(int queries);
NOINLINE void phase2(int resources);
NOINLINE void recurse(int depth);
NOINLINE void abandon(jmp_buf out);
NOINLINE void handover_begin(void);
NOINLINE void handover_end(void);

static int describe(const char *region, long ms)
{
	(void)region;
	sleep_ms(ms);
	return ms;
}

NOINLINE void phase1(int queries)
{
	const char *region = "us-east-1";
	int found;

	PERF_EVENT("PHASE1", PERF_FMT("expecting %d queries", queries));
	PERF_GUARD("query_engine.phase1", PERF_FMT("%d queries", queries));
	found = PERF_TIMED("ec2.describe_instances", region, describe(region, 8));
	PERF_EVENT("CACHE", PERF_FMT("GET_MISS ec2:%s", region));
	found += PERF_TIMED("rds.describe_db_instances", region, describe(region, 5));
	sleep_ms(20 - found);
}

NOINLINE void recurse(int depth)
{
	PERF_TIMED_BLOCK("recurse")
	{
		sleep_ms(1);
		if (depth > 1)
			recurse(depth - 1);
	}
}

NOINLINE void abandon(jmp_buf out)
{
	PERF_START("abandoned");
	sleep_ms(1);
	longjmp(out, 1);
}

NOINLINE void phase2(int resources)
{
	jmp_buf out;

	PERF_EVENT("PHASE2", PERF_FMT("expecting %d queries", resources));
	PERF_START("query_engine.phase2");
	PERF_EVENT("CACHE", "GET_HIT ec2:us-east-1");
	recurse(RECURSION);
	if (!setjmp(out))
		abandon(out);
	sleep_ms(4);
	PERF_END("query_engine.phase2", PERF_FMT("%d resources", resources));
}

NOINLINE void handover_begin(void)
{
	PERF_START("handover");
	sleep_ms(1);
}

NOINLINE void handover_end(void)
{
	sleep_ms(1);
	PERF_END("handover", "committed");
}

static void one_round(void)
{
	char *memory;

	phase1(50);
	PERF_CHECKPOINT("phase1_complete", "314 resources");
	phase2(45);
	handover_begin();
	handover_end();
	memory = mmap(NULL, TOUCHED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED)
		abort();
	memset(memory, 1, TOUCHED_BYTES);
	PERF_CHECKPOINT("phase2_complete", "314 resources");
	munmap(memory, TOUCHED_BYTES);
}

static void *work(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "worker-%d", (int)(intptr_t)arg);
	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&go);
	for (long i = 0; i < rounds; i++)
		one_round();
	pthread_barrier_wait(&done);
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = number_arg(argc, argv, 2, 1), n;

	rounds = number_arg(argc, argv, 1, 1);
	if (rounds < 0 || threads < 1 || threads > THREADS_MAX)
		return 2;
	target_start();
	pthread_barrier_init(&go, NULL, threads + 1);
	pthread_barrier_init(&done, NULL, threads + 1);
	for (long i = 1; i <= threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work, (void *)(intptr_t)i))
			return 1;
	}
	target_ready();
	target_wait_go();
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&done);
	n = rounds * threads;
	target_truth("{\"rounds\":%ld,\"threads\":%ld,\"spans\":{"
		     "\"query_engine.phase1\":{\"count\":%ld,\"min_ns\":20000000,"
		     "\"depth\":0,\"context\":\"50 queries\"},"
		     "\"ec2.describe_instances\":{\"count\":%ld,\"min_ns\":8000000,"
		     "\"depth\":1,\"context\":\"us-east-1\"},"
		     "\"rds.describe_db_instances\":{\"count\":%ld,\"min_ns\":5000000,"
		     "\"depth\":1,\"context\":\"us-east-1\"},"
		     "\"query_engine.phase2\":{\"count\":%ld,\"min_ns\":10000000,"
		     "\"depth\":0,\"context\":\"45 resources\"},"
		     "\"recurse\":{\"count\":%ld,\"min_ns\":1000000,\"deepest\":%d},"
		     "\"handover\":{\"count\":%ld,\"min_ns\":2000000,"
		     "\"depth\":0,\"context\":\"committed\"}},"
		     "\"unwound\":{\"abandoned\":%ld},"
		     "\"checkpoints\":{\"phase1_complete\":%ld,\"phase2_complete\":%ld},"
		     "\"checkpoint_context\":\"314 resources\",\"touched_bytes\":%lu,"
		     "\"events\":{\"PHASE1\":%ld,\"CACHE\":%ld,\"PHASE2\":%ld}}",
		     rounds, threads, n, n, n, n, n * RECURSION, RECURSION, n, n, n, n,
		     TOUCHED_BYTES, n, 2 * n, n);
	target_idle();
}
