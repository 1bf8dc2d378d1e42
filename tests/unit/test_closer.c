// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probe/closer.h"

#define FDS 500

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static size_t threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void closes_what_it_is_given(void **state)
{
	struct closer *c = closer__new();
	int fds[FDS], kept = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_non_null(c);
	for (int i = 0; i < FDS; i++) {
		fds[i] = fcntl(kept, F_DUPFD_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
	}
	for (int i = 0; i < FDS; i++)
		closer__close(c, fds[i]);
	closer__wait(c);
	for (int i = 0; i < FDS; i++)
		assert_false(is_open(fds[i]));
	assert_true(is_open(kept));
	closer__wait(c); /* nothing to wait for: returns */
	/* It is still of use. */
	fds[0] = fcntl(kept, F_DUPFD_CLOEXEC, 0);
	closer__close(c, fds[0]);
	closer__wait(c);
	assert_false(is_open(fds[0]));
	closer__free(c);
	assert_true(is_open(kept));
	close(kept);
}

static void free_waits_too(void **state)
{
	struct closer *c = closer__new();
	int fds[FDS];

	for (int i = 0; i < FDS; i++) {
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		closer__close(c, fds[i]);
	}
	closer__free(c);
	for (int i = 0; i < FDS; i++)
		assert_false(is_open(fds[i]));
	closer__free(NULL);
	closer__free(closer__new());
	/* A joined thread may be listed a moment longer. */
	for (int i = 0; i < 1000 && threads() > 1; i++)
		usleep(1000);
	assert_int_equal(threads(), 1);
}

/*
 * Closing a probe link takes long. No other file does, so close(2) is our own here: descriptors
 * from SLOW on are none, and take a while.
 */
#define SLOW	100000
#define SLOW_NS 20000000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int slow_now, slow_most, slow_done;

int close(int fd)
{
	const struct timespec a_while = {.tv_nsec = SLOW_NS};

	if (fd < SLOW)
		return syscall(SYS_close, fd);
	pthread_mutex_lock(&lock);
	if (++slow_now > slow_most)
		slow_most = slow_now;
	pthread_mutex_unlock(&lock);
	nanosleep(&a_while, NULL);
	pthread_mutex_lock(&lock);
	slow_now--;
	slow_done++;
	pthread_mutex_unlock(&lock);
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void slow_closes_run_side_by_side(void **state)
{
	struct closer *c = closer__new();
	uint64_t start = now_ns(), handed_over;

	slow_most = slow_done = 0;
	for (int i = 0; i < 40; i++)
		closer__close(c, SLOW + i);
	handed_over = now_ns() - start;
	closer__wait(c);
	/* All are done, not merely taken off the queue. */
	assert_int_equal(slow_done, 40);
	assert_int_equal(slow_now, 0);
	assert_true(slow_most >= 2);
	/* The caller was not held up, and waiting took less than one after the other. */
	assert_true(handed_over < 40ULL * SLOW_NS / 2);
	assert_true(now_ns() - start < 40ULL * SLOW_NS);
	closer__close(c, SLOW);
	closer__free(c);
	assert_int_equal(slow_done, 41);
}

/* Ctrl-C is the main thread's; a closer that took it would leave the session waiting. */
static volatile sig_atomic_t signalled_tid;

static void note_thread(int sig)
{
	signalled_tid = syscall(SYS_gettid);
}

static void signals_are_not_for_its_threads(void **state)
{
	struct closer *c = closer__new();
	struct sigaction action = {.sa_handler = note_thread}, old;
	sigset_t interrupt, before;

	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	assert_int_equal(sigaction(SIGINT, &action, &old), 0);
	/* Blocked here, it would go to any thread that has it open. */
	pthread_sigmask(SIG_BLOCK, &interrupt, &before);
	kill(getpid(), SIGINT);
	usleep(20000);
	assert_int_equal(signalled_tid, 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(signalled_tid, getpid());
	sigaction(SIGINT, &old, NULL);
	closer__free(c);
}

/* Making one leaves the caller's own signal mask as it was. */
static void the_callers_mask_stays(void **state)
{
	sigset_t before, after;
	struct closer *c;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	c = closer__new();
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int sig = 1; sig < 32; sig++)
		assert_int_equal(sigismember(&before, sig), sigismember(&after, sig));
	closer__free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closes_what_it_is_given),
		cmocka_unit_test(free_waits_too),
		cmocka_unit_test(slow_closes_run_side_by_side),
		cmocka_unit_test(signals_are_not_for_its_threads),
		cmocka_unit_test(the_callers_mask_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
