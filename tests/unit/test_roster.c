// SPDX-License-Identifier: BSD-2-Clause
/* Who is traced: user/session/roster.c, and all processes as one, user/target/everybody.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/notice.h"
#include "session/roster.h"
#include "target/everybody.h"

#define TOUCHED_BYTES (32 << 20)
#define NO_PID	      0x7ffffff0 /* beyond what the kernel hands out */

static void wait_for_ever(int ready)
{
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/*
 * A child that waits for ever, once it and its own `children` do; all go when it does. Its memory
 * is `touch` bytes larger.
 */
static pid_t start_family(int children, size_t touch)
{
	int ends[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < children; i++)
			if (!fork()) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				wait_for_ever(ends[1]);
			}
		if (touch)
			memset(mmap(NULL, touch, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			       1, touch);
		wait_for_ever(ends[1]);
	}
	for (int i = 0; i <= children; i++)
		assert_int_equal(read(ends[0], &c, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static pid_t start_child(void)
{
	return start_family(0, 0);
}

static void end_child(pid_t pid)
{
	assert_true(pid > 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static char heard[1024];

static void hear(enum notice_level level, const char *line)
{
	assert_int_equal(level, NOTICE_WARNING);
	snprintf(heard, sizeof(heard), "%s", line);
}

static int open_roster(struct roster *r, const pid_t *pids, size_t n, size_t named,
		       enum follow_mode mode, struct error *err)
{
	pid_list list = {0};
	int ret;

	for (size_t i = 0; i < n; i++)
		*(pid_t *)vec_push(&list) = pids[i];
	memset(r, 0, sizeof(*r));
	heard[0] = '\0';
	notice_set_sink(hear);
	ret = roster__open(r, &list, named, mode, err);
	notice_set_sink(NULL);
	vec_free(&list);
	return ret;
}

static bool is_process_in(const struct process *data, size_t n, pid_t pid)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += data[i].pid == pid;
	assert_true(found <= 1);
	return found;
}

/* ---- roots ---- */

static void roots(void **state)
{
	pid_t pids[] = {start_child(), start_child()};
	struct roster r;

	assert_int_equal(open_roster(&r, pids, 2, 2, FOLLOW_OFF, NULL), 0);
	assert_int_equal(r.roots.len, 2);
	assert_int_equal(roster__root(&r)->pid, pids[0]);
	assert_int_equal(r.children.len, 0);
	assert_false(r.follow);
	assert_true(roster__any_root_alive(&r));
	end_child(pids[0]);
	assert_true(roster__any_root_alive(&r)); /* one is enough */
	end_child(pids[1]);
	assert_false(roster__any_root_alive(&r));
	roster__close(&r);
	roster__close(&r); /* harmless */
}

static void a_named_root_that_is_gone(void **state)
{
	pid_t pids[] = {start_child(), NO_PID};
	struct error err = {0};
	struct roster r;

	assert_int_equal(open_roster(&r, pids, 2, 2, FOLLOW_OFF, &err), -ESRCH);
	assert_int_equal(err.exit_code, EXIT_NO_TARGET);
	assert_non_null(strstr(err.text, "no process 2147483632"));
	roster__close(&r);
	end_child(pids[0]);
}

/* Found by name: those that are gone again are nobody's concern, others are told of. */
static void found_roots_that_cannot_be_traced(void **state)
{
	pid_t child = start_child(), zombie = fork();
	struct error err = {0};
	struct roster r;

	if (!zombie)
		_exit(0);
	assert_int_equal(waitid(P_PID, zombie, NULL, WEXITED | WNOWAIT), 0);
	assert_int_equal(open_roster(&r, (pid_t[]){NO_PID, child}, 2, 0, FOLLOW_OFF, &err), 0);
	assert_int_equal(r.roots.len, 1);
	assert_int_equal(roster__root(&r)->pid, child);
	assert_string_equal(heard, "");
	roster__close(&r);
	assert_int_equal(open_roster(&r, (pid_t[]){child, zombie}, 2, 1, FOLLOW_OFF, &err), 0);
	assert_int_equal(r.roots.len, 1);
	assert_non_null(strstr(heard, "left out: "));
	assert_int_equal(err.exit_code, 0);
	roster__close(&r);
	/* None is left: why the first one could not be. */
	assert_int_equal(open_roster(&r, (pid_t[]){zombie, NO_PID}, 2, 0, FOLLOW_OFF, &err),
			 -ESRCH);
	assert_true(err.exit_code == EXIT_UNSUPPORTED || err.exit_code == EXIT_NO_TARGET);
	assert_non_null(strstr(err.text, "zombie"));
	roster__close(&r);
	waitpid(zombie, NULL, 0);
	end_child(child);
}

/* ---- children ---- */

static void children_are_followed(void **state)
{
	pid_t parent = start_family(3, 0);
	struct roster r;

	assert_int_equal(open_roster(&r, &parent, 1, 1, FOLLOW_ON, NULL), 0);
	assert_true(r.follow);
	assert_int_equal(r.children.len, 3);
	assert_false(is_process_in(r.children.data, r.children.len, parent));
	assert_int_equal(roster__adopt_children(&r), 0);
	assert_int_equal(r.children.len, 3); /* none twice */
	roster__close(&r);
	/* They run the same program: a postmaster's. */
	assert_int_equal(open_roster(&r, &parent, 1, 1, FOLLOW_AUTO, NULL), 0);
	assert_true(r.follow);
	assert_int_equal(r.children.len, 3);
	roster__close(&r);
	assert_int_equal(open_roster(&r, &parent, 1, 1, FOLLOW_OFF, NULL), 0);
	assert_false(r.follow);
	assert_int_equal(r.children.len, 0);
	assert_int_equal(roster__adopt_children(&r), 0);
	assert_int_equal(r.children.len, 0);
	roster__close(&r);
	end_child(parent);
}

static void no_children_to_follow(void **state)
{
	pid_t pid = start_child();
	struct roster r;

	assert_int_equal(open_roster(&r, &pid, 1, 1, FOLLOW_AUTO, NULL), 0);
	assert_false(r.follow);
	roster__close(&r);
	assert_int_equal(open_roster(&r, &pid, 1, 1, FOLLOW_ON, NULL), 0);
	assert_true(r.follow); /* those to come */
	assert_int_equal(r.children.len, 0);
	roster__close(&r);
	end_child(pid);
}

/* A root that is a root's child is one process. */
static void a_child_that_is_a_root(void **state)
{
	pid_t parent = start_family(2, 0);
	pid_list pids = {0};
	struct roster r;

	assert_int_equal(process__descendants(parent, &pids), 0);
	assert_int_equal(pids.len, 2);
	assert_int_equal(open_roster(&r, (pid_t[]){parent, pids.data[0]}, 2, 2, FOLLOW_ON, NULL),
			 0);
	assert_int_equal(r.roots.len, 2);
	assert_int_equal(r.children.len, 1);
	assert_int_equal(r.children.data[0].pid, pids.data[1]);
	roster__close(&r);
	vec_free(&pids);
	end_child(parent);
}

/* The tracer may be a child of what it traces: a shell, for one. */
static void never_ourselves(void **state)
{
	pid_t other = start_child(), us = getppid();
	struct roster r;

	if (us <= 1)
		us = other; /* nothing above that could be opened */
	assert_int_equal(open_roster(&r, &us, 1, 1, FOLLOW_ON, NULL), 0);
	assert_false(is_process_in(r.children.data, r.children.len, getpid()));
	assert_false(is_process_in(r.roots.data, r.roots.len, getpid()));
	roster__close(&r);
	end_child(other);
}

/* ---- roots that come later ---- */

static void roots_that_join(void **state)
{
	pid_t first = start_child(), second = start_child();
	struct process p = {0};
	struct roster r;
	int pidfd;

	assert_int_equal(open_roster(&r, &first, 1, 1, FOLLOW_OFF, NULL), 0);
	assert_int_equal(process__open(second, &p, NULL), 0);
	pidfd = p.pidfd;
	assert_int_equal(roster__join(&r, &p), 0);
	assert_int_equal(r.joined.len, 1);
	assert_int_equal(r.joined.data[0].pid, second);
	assert_int_equal(r.roots.len, 1);
	assert_int_equal(roster__root(&r)->pid, first);
	end_child(first);
	assert_true(roster__any_root_alive(&r));
	end_child(second);
	assert_false(roster__any_root_alive(&r));
	roster__close(&r); /* with the descriptor, which was handed over */
	assert_int_equal(fcntl(pidfd, F_GETFD), -1);
}

/* Joined before any root's child was looked for: it is not found again as one. */
static void a_child_that_has_joined(void **state)
{
	pid_t parent = start_family(2, 0);
	struct process p = {0};
	pid_list pids = {0};
	struct roster r;

	assert_int_equal(open_roster(&r, &parent, 1, 1, FOLLOW_ON, NULL), 0);
	assert_int_equal(r.children.len, 2);
	assert_int_equal(process__descendants(parent, &pids), 0);
	/* As if it had been born since. */
	for (size_t i = 0; i < r.children.len; i++)
		process__close(&r.children.data[i]);
	r.children.len = 0;
	assert_int_equal(process__open(pids.data[0], &p, NULL), 0);
	assert_int_equal(roster__join(&r, &p), 0);
	assert_int_equal(roster__adopt_children(&r), 0);
	assert_int_equal(r.children.len, 1);
	assert_int_equal(r.children.data[0].pid, pids.data[1]);
	roster__close(&r);
	vec_free(&pids);
	end_child(parent);
}

/* ---- whose executable it is ---- */

/* A program of its own: a copy that nobody else runs. */
static pid_t start_copy(const char *path)
{
	char exe[64], there[256];
	struct stat ours, theirs;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, "sleep", "1000", (char *)NULL);
		_exit(127);
	}
	snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
	assert_int_equal(stat(path, &ours), 0);
	for (int i = 0; i < 5000; i++) {
		if (!stat(exe, &theirs) && theirs.st_ino == ours.st_ino)
			return pid;
		usleep(1000);
	}
	fail_msg("%s is not run", readlink(exe, there, sizeof(there)) > 0 ? there : path);
	return -1;
}

static void who_owns_the_executable(void **state)
{
	char dir[] = "/tmp/perftrace-roster-XXXXXX", path[64], command[128];
	pid_t first, second;
	struct roster r;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sleep", dir);
	snprintf(command, sizeof(command), "cp /bin/sleep %s", path);
	assert_int_equal(system(command), 0);
	first = start_copy(path);
	assert_int_equal(open_roster(&r, &first, 1, 1, FOLLOW_OFF, NULL), 0);
	assert_true(roster__owns_executables(&r));
	second = start_copy(path); /* somebody else's */
	assert_false(roster__owns_executables(&r));
	roster__close(&r);
	assert_int_equal(open_roster(&r, (pid_t[]){first, second}, 2, 2, FOLLOW_OFF, NULL), 0);
	assert_true(roster__owns_executables(&r));
	roster__close(&r);
	end_child(first);
	end_child(second);
	unlink(path);
	rmdir(dir);
}

/* ---- everybody ---- */

static void everybody_is_one_root(void **state)
{
	struct roster r = {0};
	pid_t parent = start_family(1, 0);

	assert_int_equal(roster__open_everybody(&r), 0);
	assert_int_equal(r.roots.len, 1);
	assert_true(everybody__is(roster__root(&r)));
	assert_string_equal(roster__root(&r)->comm, "all processes");
	assert_int_equal(roster__root(&r)->pidfd, -1);
	assert_true(r.follow);
	assert_true(roster__any_root_alive(&r));
	assert_int_equal(roster__adopt_children(&r), 0);
	assert_int_equal(r.children.len, 0); /* all of them are it already */
	roster__close(&r);
	end_child(parent);
}

static void pids_of_everybody(void **state)
{
	pid_t parent = start_family(1, 0), zombie = fork();
	pid_list pids = {0}, children = {0};
	bool has_parent = false, has_child = false;
	const pid_t *pid;

	if (!zombie)
		_exit(0);
	assert_int_equal(waitid(P_PID, zombie, NULL, WEXITED | WNOWAIT), 0);
	assert_int_equal(process__descendants(parent, &children), 0);
	assert_int_equal(children.len, 1);
	assert_int_equal(everybody__pids(&pids), 0);
	vec_for_each (&pids, pid) {
		has_parent |= *pid == parent;
		has_child |= *pid == children.data[0];
		assert_int_not_equal(*pid, getpid());
		assert_int_not_equal(*pid, zombie);
		assert_int_not_equal(*pid, 2); /* kthreadd, or nobody in a container */
	}
	assert_true(has_parent);
	assert_true(has_child);
	waitpid(zombie, NULL, 0);
	vec_free(&pids);
	vec_free(&children);
	end_child(parent);
}

/* A process more is in the sum; other programs come and go meanwhile, but hardly of this size. */
static void memory_of_everybody(void **state)
{
	struct process_memory all, one;
	pid_t pid = start_family(0, TOUCHED_BYTES);

	assert_int_equal(process__memory(pid, &one), 0);
	assert_true(one.resident_bytes >= TOUCHED_BYTES);
	assert_int_equal(everybody__memory(&all), 0);
	assert_true(all.resident_bytes > one.resident_bytes); /* and ours */
	assert_true(all.virtual_bytes > one.virtual_bytes);
	assert_true(all.text_bytes > one.text_bytes);
	assert_true(all.data_bytes > one.data_bytes);
	assert_true(all.stack_bytes > one.stack_bytes);
	assert_true(all.virtual_bytes >= all.resident_bytes);
	end_child(pid);
}

static void a_process_is_not_everybody(void **state)
{
	pid_t pid = start_child();
	struct process p;

	assert_int_equal(process__open(pid, &p, NULL), 0);
	assert_false(everybody__is(&p));
	process__close(&p);
	end_child(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots),
		cmocka_unit_test(a_named_root_that_is_gone),
		cmocka_unit_test(found_roots_that_cannot_be_traced),
		cmocka_unit_test(children_are_followed),
		cmocka_unit_test(no_children_to_follow),
		cmocka_unit_test(a_child_that_is_a_root),
		cmocka_unit_test(never_ourselves),
		cmocka_unit_test(roots_that_join),
		cmocka_unit_test(a_child_that_has_joined),
		cmocka_unit_test(who_owns_the_executable),
		cmocka_unit_test(everybody_is_one_root),
		cmocka_unit_test(pids_of_everybody),
		cmocka_unit_test(memory_of_everybody),
		cmocka_unit_test(a_process_is_not_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
