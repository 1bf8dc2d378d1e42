// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/hazards.h"

static void status_text(void **state)
{
	static const struct {
		const char *text;
		bool seccomp, shadow_stack;
	} all[] = {
		{"", false, false},
		{"Name:\tsh\nSeccomp:\t0\nSeccomp_filters:\t0\n", false, false},
		{"Name:\tsh\nSeccomp:\t2\nSeccomp_filters:\t1\n", true, false},
		{"Name:\tsh\nSeccomp:\t1\n", true, false},
		{"Name:\tsh\nx86_Thread_features:\tshstk wrss \nx86_Thread_features_locked:\t\n",
		 false, true},
		{"Name:\tsh\nx86_Thread_features:\t\nx86_Thread_features_locked:\tshstk wrss \n",
		 false, false},
		{"Name:\tsh\nx86_Thread_features:\tshstk", false, true},
		/* A name cannot pretend: the kernel writes its newline as \n. */
		{"Name:\t\\nSeccomp:\t2\nSeccomp:\t0\n", false, false},
		{"Name:\tshstk\nSeccomp:\t0\n", false, false},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct hazards h = {0};

		hazards__parse(all[i].text, &h);
		assert_int_equal(h.seccomp, all[i].seccomp);
		assert_int_equal(h.shadow_stack, all[i].shadow_stack);
	}
}

static void no_process(void **state)
{
	struct hazards h;

	assert_int_equal(hazards__read(0x7ffffff0, &h), -ESRCH);
}

static void this_process(void **state)
{
	struct hazards h;

	assert_int_equal(hazards__read(getpid(), &h), 0);
	assert_int_equal(h.seccomp, prctl(PR_GET_SECCOMP) != 0);
}

/* Strict mode allows read, write and exit. */
static void *confined(void *ready)
{
	char byte = 0;

	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	if (write(*(int *)ready, &byte, 1) != 1)
		syscall(SYS_exit, 1);
	for (;;)
		if (read(-1, &byte, 1) == 0)
			syscall(SYS_exit, 0);
	return NULL;
}

/* One confined thread is enough, whichever it is. */
static void a_thread_with_seccomp(void **state)
{
	int ready[2];
	struct hazards h;
	pid_t pid;
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		pthread_t thread;

		pthread_create(&thread, NULL, confined, &ready[1]);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(hazards__read(pid, &h), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(h.seccomp);
	assert_false(h.shadow_stack);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_text),
		cmocka_unit_test(no_process),
		cmocka_unit_test(this_process),
		cmocka_unit_test(a_thread_with_seccomp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
