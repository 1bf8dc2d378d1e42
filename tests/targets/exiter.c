// SPDX-License-Identifier: BSD-2-Clause
/*
 * exiter MS [code N | signal N | threads N]
 *
 * Ends MS milliseconds after "ready", without being asked: with exit code N (default 0), killed
 * by signal N, or with exit code N from one of 64 threads while the others allocate and trace
 * spans. Until then a span "exiter.life" is open and never ends, and one block of 64 bytes
 * per millisecond stays live.
 */
#include <perftrace.h>

#include <pthread.h>

#include "common.h"

#define THREADS 64

static void *busy(void *arg)
{
	for (;;) {
		PERF_START("exiter.busy");
		free(opaque(malloc(100)));
		sleep_ns(200000);
		PERF_END("exiter.busy");
	}
	return arg;
}

static void *last(void *arg)
{
	exit((int)(intptr_t)arg);
}

static void live(long ms)
{
	uint64_t end = now_ns() + ms * 1000000ULL;

	PERF_START("exiter.life");
	while (now_ns() < end) {
		opaque(malloc(64));
		sleep_ms(1);
	}
}

int main(int argc, char **argv)
{
	long ms = number_arg(argc, argv, 1, 1000), n = number_arg(argc, argv, 3, 0);
	const char *how = argc > 2 ? argv[2] : "code";
	pthread_t thread;

	if (!strcmp(how, "threads"))
		for (int i = 0; i < THREADS - 1; i++)
			if (pthread_create(&thread, NULL, busy, NULL))
				return 1;
	target_ready();
	live(ms);
	if (!strcmp(how, "signal")) {
		signal(n, SIG_DFL);
		raise(n);
	}
	if (!strcmp(how, "threads")) {
		if (pthread_create(&thread, NULL, last, (void *)(intptr_t)n))
			return 1;
		for (;;)
			pause();
	}
	return n;
}
