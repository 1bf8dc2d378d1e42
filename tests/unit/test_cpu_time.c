// SPDX-License-Identifier: BSD-2-Clause
/* The CPU time of processes, against a child that uses as much as it says. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "session/cpu_time.h"

#define USED_NS 50000000LL

static int tell; /* the child writes a byte when it has used its time */

static void child(int go, int done)
{
	struct timespec begin, now;
	char byte;

	/* Whatever becomes of the test. */
	alarm(20);
	if (write(done, "r", 1) != 1 || read(go, &byte, 1) != 1)
		_exit(1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000000000LL + now.tv_nsec - begin.tv_nsec < USED_NS);
	if (write(done, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* A child that waits to be told. */
static pid_t start_child(int *done)
{
	int there[2], back[2];
	pid_t pid;

	assert_int_equal(pipe(there), 0);
	assert_int_equal(pipe(back), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		child(there[0], back[1]);
	close(there[0]);
	close(back[1]);
	tell = there[1];
	*done = back[0];
	return pid;
}

static void a_childs_time(void **state)
{
	struct roster roster = {0};
	struct cpu_time t = {0};
	struct process *p;
	int done;
	pid_t pid = start_child(&done);
	char byte;

	assert_int_equal(read(done, &byte, 1), 1); /* it has run */
	p = vec_push(&roster.roots);
	assert_int_equal(process__open(pid, p, NULL), 0);
	cpu_time__look(&t, &roster);
	assert_int_equal(t.list.len, 1);
	assert_int_equal(cpu_time__used_ns(&t), 0);
	assert_int_equal(write(tell, "x", 1), 1);
	assert_int_equal(read(done, &byte, 1), 1);
	cpu_time__look(&t, &roster);
	assert_int_equal(t.list.len, 1);
	assert_in_range(cpu_time__used_ns(&t), USED_NS, USED_NS + 20000000);

	/* What it used stands when it is gone, and nothing is taken from whoever comes after it. */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	cpu_time__look(&t, &roster);
	assert_in_range(cpu_time__used_ns(&t), USED_NS, USED_NS + 20000000);
	p->pid = 1; /* another process, by its start */
	cpu_time__look(&t, &roster);
	assert_int_equal(t.list.len, 1);
	vec_free(&t.list);
	process__close(p);
	vec_free(&roster.roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_childs_time)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
