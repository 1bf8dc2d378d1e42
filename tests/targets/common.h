/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the target programs share. A target sets itself up, prints "ready PID", does its work on
 * SIGUSR1 (so that a tracer can attach first), prints "truth {json}" and idles until SIGTERM.
 *
 * SIGUSR1 and SIGTERM are blocked from the start and waited for: a signal that comes early is not
 * lost, and a SIGTERM in the middle of the work waits for its end. The mask is inherited by
 * threads and children. stdout has a static buffer, so printing does not allocate.
 */
#ifndef PERFTRACE_TARGETS_COMMON_H
#define PERFTRACE_TARGETS_COMMON_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define HELPER	 static __attribute__((unused))

HELPER long number_arg(int argc, char **argv, int i, long fallback)
{
	return argc > i ? strtol(argv[i], NULL, 10) : fallback;
}

/* Returns the signal that came, or 0 after `timeout_ms` (negative = none). */
HELPER int target_wait(int a, int b, long timeout_ms)
{
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, a);
	if (b)
		sigaddset(&set, b);
	do {
		got = timeout_ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &timeout);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? 0 : got;
}

/* First thing in main. */
HELPER void target_start(void)
{
	static char buffer[1 << 16];
	sigset_t set;

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

HELPER void target_ready(void)
{
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
}

/* Waits for SIGUSR1; a SIGTERM instead ends the program. */
HELPER void target_wait_go(void)
{
	if (target_wait(SIGUSR1, SIGTERM, -1) == SIGTERM)
		_exit(0);
}

__attribute__((format(printf, 1, 2))) HELPER void target_truth(const char *format, ...)
{
	va_list args;

	printf("truth ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/* Last thing in main. */
HELPER void target_idle(void)
{
	target_wait(SIGTERM, 0, -1);
	exit(0);
}

HELPER void sleep_ns(long long ns)
{
	struct timespec left = {ns / 1000000000, ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

HELPER void sleep_ms(long ms)
{
	sleep_ns(ms * 1000000LL);
}

HELPER uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Pointers go through here, or the compiler would drop allocations that nobody uses. */
HELPER void *opaque(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

/* xorshift64: the same numbers in every run. */
HELPER uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/*
 * The books a tracer must arrive at. Bytes are requested bytes; a successful realloc is one free
 * and one allocation; a failed call counts in `failed` only; a free of a block from before
 * SIGUSR1 counts in `unknown_frees` only; free(NULL) counts nowhere.
 */
struct tally {
	long long allocs, frees, alloc_bytes, freed_bytes, failed, unknown_frees;
};

HELPER void tally_alloc(struct tally *t, long long bytes)
{
	t->allocs++;
	t->alloc_bytes += bytes;
}

HELPER void tally_free(struct tally *t, long long bytes)
{
	t->frees++;
	t->freed_bytes += bytes;
}

/* The fields of a tally inside a truth object: printf(TALLY_FORMAT, TALLY_VALUES(t)). */
#define TALLY_FORMAT                                                                \
	"\"allocs\":%lld,\"frees\":%lld,\"alloc_bytes\":%lld,\"freed_bytes\":%lld," \
	"\"live_blocks\":%lld,\"live_bytes\":%lld,\"failed\":%lld,\"unknown_frees\":%lld"
#define TALLY_VALUES(t)                                                                        \
	(t)->allocs, (t)->frees, (t)->alloc_bytes, (t)->freed_bytes, (t)->allocs - (t)->frees, \
		(t)->alloc_bytes - (t)->freed_bytes, (t)->failed, (t)->unknown_frees

#endif
