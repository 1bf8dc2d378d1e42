// SPDX-License-Identifier: BSD-2-Clause
/*
 * burner [THREADS [MS [HOW]]]: each thread uses MS of CPU time, three parts of four in burn_three()
 * and one in burn_one(), which is called through a recursion. HOW "kernel": all of it in read(2);
 * "exit": ends afterwards by itself, with status 3.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "common.h"

#define ROUNDS	  20000
#define RECURSION 5

static long milliseconds;
static int in_kernel;
static volatile uint64_t result;

/* The loops are the same, so their shares are those of their rounds, whoever is preempted when. */
#define SPIN(rounds)                           \
	uint64_t state = 88172645463325252ULL; \
                                               \
	for (long i = 0; i < (rounds); i++)    \
		next_random(&state);           \
	result = state

NOINLINE void burn_three(void)
{
	SPIN(3 * ROUNDS);
}

NOINLINE void burn_one(void)
{
	SPIN(ROUNDS);
}

NOINLINE void recurse(int depth)
{
	if (depth)
		recurse(depth - 1);
	else
		burn_one();
	__asm__ volatile(""); /* no tail call */
}

NOINLINE void burn_kernel(void)
{
	static char buffer[1 << 20];
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/urandom", O_RDONLY);
	if (read(fd, buffer, sizeof(buffer)) < 0)
		abort();
}

static long long used_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

NOINLINE void work(void)
{
	while (used_ns(CLOCK_THREAD_CPUTIME_ID) < milliseconds * 1000000LL) {
		for (int i = 0; i < 20 && !in_kernel; i++) {
			burn_three();
			recurse(RECURSION);
		}
		if (in_kernel)
			burn_kernel();
	}
}

static void *thread(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "burner-%ld", (long)(intptr_t)arg);
	prctl(PR_SET_NAME, name);
	work();
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = number_arg(argc, argv, 1, 1);
	const char *how = argc > 3 ? argv[3] : "";
	long long before;

	milliseconds = number_arg(argc, argv, 2, 500);
	in_kernel = !strcmp(how, "kernel");
	target_start();
	target_ready();
	target_wait_go();
	before = used_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (long i = 1; i <= threads; i++) {
		static pthread_t ids[64];

		if (threads > 64 || pthread_create(&ids[i - 1], NULL, thread, (void *)(intptr_t)i))
			abort();
		if (i < threads)
			continue;
		for (long j = 0; j < threads; j++)
			pthread_join(ids[j], NULL);
	}
	target_truth("{\"threads\":%ld,\"cpu_ns\":%lld}", threads,
		     used_ns(CLOCK_PROCESS_CPUTIME_ID) - before);
	if (!strcmp(how, "exit"))
		return 3;
	target_idle();
}
