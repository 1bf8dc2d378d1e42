// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target/process.h"

#define TOUCHED_BYTES (8 << 20)

static char own_exe[4096];

static void at_fork_in_child(const char *comm, int ready, size_t touch)
{
	char *memory;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (comm)
		prctl(PR_SET_NAME, comm);
	if (touch) {
		memory = mmap(NULL, touch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
		for (size_t i = 0; i < touch; i += 4096)
			memory[i] = 1;
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* A child that waits for ever, once it is ready: named `comm`, with `touch` bytes resident. */
static pid_t start_child(const char *comm, size_t touch)
{
	int ends[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		at_fork_in_child(comm, ends[1], touch);
	assert_int_equal(read(ends[0], &c, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static void end_child(pid_t pid)
{
	assert_true(pid > 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool has_pid(const pid_list *list, pid_t pid)
{
	const pid_t *p;
	int n = 0;

	vec_for_each (list, p)
		n += *p == pid;
	assert_true(n <= 1);
	return n;
}

static void a_child_is_opened(void **state)
{
	pid_t pid = start_child("a traced child", 0);
	struct error err = {0};
	struct timespec now;
	struct process p;
	struct stat st;

	assert_int_equal(process__open(pid, &p, &err), 0);
	assert_int_equal(err.exit_code, 0);
	assert_int_equal(p.pid, pid);
	assert_true(p.pidfd >= 0);
	assert_true(fcntl(p.pidfd, F_GETFD) & FD_CLOEXEC);
	assert_string_equal(p.comm, "a traced child");
	assert_string_equal(p.exe, own_exe);
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	assert_int_equal(p.exe_dev, st.st_dev);
	assert_int_equal(p.exe_inode, st.st_ino);
	/* It was started just now: ticks are 10 ms. */
	clock_gettime(CLOCK_REALTIME, &now);
	assert_true(p.started_realtime_ns / 1000000000 + 5 >= (uint64_t)now.tv_sec);
	assert_true(p.started_realtime_ns / 1000000000 <= (uint64_t)now.tv_sec + 1);
	assert_true(process__is_alive(&p));
	assert_true(process__is_same(&p));
	end_child(pid);
	process__close(&p);
	assert_int_equal(p.pidfd, -1);
	process__close(&p); /* harmless */
}

/* Dead but not reaped, then reaped: nothing of it can be traced, whatever /proc still shows. */
static void it_dies(void **state)
{
	pid_t pid = start_child(NULL, 0);
	struct error err = {0};
	struct process p, again;
	struct pollfd fd;

	assert_int_equal(process__open(pid, &p, &err), 0);
	kill(pid, SIGKILL);
	fd = (struct pollfd){.fd = p.pidfd, .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 10000), 1);
	assert_false(process__is_alive(&p));
	assert_true(process__is_same(&p)); /* its entry in /proc still is its own */

	assert_int_not_equal(process__open(pid, &again, &err), 0);
	assert_int_equal(err.exit_code, EXIT_UNSUPPORTED);
	assert_non_null(strstr(err.text, "zombie"));
	assert_int_equal(again.pidfd, -1);

	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(process__is_alive(&p));
	assert_false(process__is_same(&p));
	process__close(&p);
	assert_false(process__is_alive(&p));
}

/* The same PID with another start is another process. */
static void a_reused_pid_is_another(void **state)
{
	pid_t pid = start_child(NULL, 0);
	struct process p;

	assert_int_equal(process__open(pid, &p, NULL), 0);
	p.start_ticks--;
	assert_false(process__is_same(&p));
	p.start_ticks++;
	assert_true(process__is_same(&p));
	end_child(pid);
	process__close(&p);
}

static void assert_refused(pid_t pid, int exit_code, const char *wanted)
{
	struct error err = {0};
	struct process p;

	assert_true(process__open(pid, &p, &err) < 0);
	if (err.exit_code != exit_code || !strstr(err.text, wanted))
		fail_msg("%d: exit %d, %s", pid, err.exit_code, err.text);
	assert_int_equal(p.pidfd, -1);
	assert_true(process__open(pid, &p, NULL) < 0);
}

static pid_t unused_pid(void)
{
	pid_t pid = 4000000;

	while (kill(pid, 0) == 0 || errno != ESRCH)
		pid--;
	return pid;
}

static void nobody_is_refused(void **state)
{
	pid_t pid = unused_pid();
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "no process %d. Find it with pgrep", pid);
	assert_refused(pid, EXIT_NO_TARGET, wanted);
	assert_refused(INT32_MAX, EXIT_NO_TARGET, "no process");
	assert_refused(0, EXIT_NO_TARGET, "no process 0");
	assert_refused(-1, EXIT_NO_TARGET, "no process -1");
}

static void we_ourselves_are_refused(void **state)
{
	assert_refused(getpid(), EXIT_USAGE, "itself");
}

static void kernel_threads_are_refused(void **state)
{
	char comm[32] = "";
	FILE *f = fopen("/proc/2/comm", "r");

	if (f && fgets(comm, sizeof(comm), f) && !strcmp(comm, "kthreadd\n")) {
		fclose(f);
		assert_refused(2, EXIT_UNSUPPORTED, "kernel thread");
		return;
	}
	if (f)
		fclose(f);
	skip();
}

struct thread {
	pthread_t thread;
	pid_t tid;
	pthread_barrier_t started, finish;
};

static void *wait_in_thread(void *arg)
{
	struct thread *t = arg;

	t->tid = syscall(SYS_gettid);
	pthread_barrier_wait(&t->started);
	pthread_barrier_wait(&t->finish);
	return NULL;
}

static void threads_are_refused(void **state)
{
	struct thread t;
	char wanted[64];

	pthread_barrier_init(&t.started, NULL, 2);
	pthread_barrier_init(&t.finish, NULL, 2);
	assert_int_equal(pthread_create(&t.thread, NULL, wait_in_thread, &t), 0);
	pthread_barrier_wait(&t.started);
	snprintf(wanted, sizeof(wanted), "%d is a thread, not a process", t.tid);
	assert_refused(t.tid, EXIT_NO_TARGET, wanted);
	pthread_barrier_wait(&t.finish);
	pthread_join(t.thread, NULL);
	pthread_barrier_destroy(&t.started);
	pthread_barrier_destroy(&t.finish);
}

/* comm may hold anything; the fields behind it are found all the same. */
static void odd_names(void **state)
{
	static const char *const names[] = {") R 1 2 3",      "(((",	     "a b) S 0 0",
					    "\033]52;c;\a",   "line\nbreak", "\xff\xfe",
					    "fifteen letters"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pid_t pid = start_child(names[i], 0);
		pid_list found = {0};
		struct process p;

		assert_int_equal(process__open(pid, &p, NULL), 0);
		assert_string_equal(p.comm, names[i]);
		assert_true(process__is_same(&p));
		assert_int_equal(process__find_by_name(names[i], &found), 0);
		assert_int_equal(found.len, 1);
		assert_int_equal(found.data[0], pid);
		vec_free(&found);
		end_child(pid);
		process__close(&p);
	}
}

static void found_by_name(void **state)
{
	const char *base = strrchr(own_exe, '/') + 1;
	pid_t one = start_child("perftrace-ut-x", 0), two = start_child("perftrace-ut-x", 0);
	pid_t zombie = start_child("perftrace-ut-x", 0);
	pid_list found = {0};
	siginfo_t info;

	kill(zombie, SIGKILL);
	assert_int_equal(waitid(P_PID, zombie, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process__find_by_name("perftrace-ut-x", &found), 0);
	assert_int_equal(found.len, 2);
	assert_true(has_pid(&found, one) && has_pid(&found, two));
	found.len = 0;
	/* By the executable, too; never this process, which runs the same. */
	assert_int_equal(process__find_by_name(base, &found), 0);
	assert_true(has_pid(&found, one) && has_pid(&found, two));
	assert_false(has_pid(&found, zombie));
	assert_false(has_pid(&found, getpid()));
	found.len = 0;
	/* The whole name, not a part of it. */
	assert_int_equal(process__find_by_name("perftrace-ut", &found), 0);
	assert_int_equal(process__find_by_name("perftrace-ut-xy", &found), 0);
	assert_int_equal(found.len, 0);
	vec_free(&found);
	end_child(one);
	end_child(two);
	end_child(zombie);
}

static void add_pid(pid_list *pids, pid_t pid)
{
	*vec_push(pids) = pid;
}

static void programs_are_kept_oldest_first(void **state)
{
	pid_t zombie = start_child(NULL, 0), gone = start_child(NULL, 0), old, young;
	pid_list pids = {0};
	siginfo_t info;

	kill(zombie, SIGKILL);
	assert_int_equal(waitid(P_PID, zombie, &info, WEXITED | WNOWAIT), 0);
	old = start_child(NULL, 0);
	usleep(30000); /* start times are counted in 10 ms */
	young = start_child(NULL, 0);
	end_child(gone);
	add_pid(&pids, young);
	add_pid(&pids, getpid());
	add_pid(&pids, 2); /* kthreadd */
	add_pid(&pids, zombie);
	add_pid(&pids, old);
	add_pid(&pids, gone);
	assert_int_equal(process__keep_programs(&pids), 0);
	assert_int_equal(pids.len, 2);
	assert_int_equal(pids.data[0], old);
	assert_int_equal(pids.data[1], young);
	pids.len = 0;
	assert_int_equal(process__keep_programs(&pids), 0);
	assert_int_equal(pids.len, 0);
	vec_free(&pids);
	end_child(old);
	end_child(young);
	end_child(zombie);
}

static void threads_have_a_process(void **state)
{
	assert_int_equal(process__of_thread((pid_t)syscall(SYS_gettid)), getpid());
	assert_int_equal(process__of_thread(getppid()), getppid());
	assert_int_equal(process__of_thread(0x7fffffff), 0);
}

/* Runs a copy of a program, so that its file can go meanwhile. */
static pid_t start_copy(const char *path)
{
	char command[PATH_MAX + 64], target[PATH_MAX], link[64];
	pid_t pid;

	snprintf(command, sizeof(command), "cp /bin/sleep '%s'", path);
	assert_int_equal(system(command), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, path, "1000", NULL);
		_exit(127);
	}
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	for (int i = 0; i < 1000; i++) {
		ssize_t n = readlink(link, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		if (!strcmp(target, path))
			return pid;
		usleep(10000);
	}
	fail_msg("%s does not start", path);
	return -1;
}

/* The kernel marks the name of a deleted file; the program is still called what it was. */
static void a_deleted_executable_keeps_its_name(void **state)
{
	static const char *const names[] = {"perftrace-ut-long-name", "perftrace-ut (deleted)"};
	char directory[] = "/tmp/test_process.XXXXXX", path[PATH_MAX];

	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pid_list found = {0};
		struct process p;
		pid_t pid;

		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		pid = start_copy(path);
		for (int deleted = 0; deleted <= 1; deleted++) {
			assert_int_equal(process__open(pid, &p, NULL), 0);
			assert_string_equal(p.exe, path);
			assert_int_equal(p.exe_deleted, deleted);
			process__close(&p);
			found.len = 0;
			assert_int_equal(process__find_by_name(names[i], &found), 0);
			assert_true(has_pid(&found, pid));
			if (!deleted)
				unlink(path);
		}
		vec_free(&found);
		end_child(pid);
	}
	rmdir(directory);
}

/* Set up by start_family(): a child with two children, one of which has a child, all shared. */
struct family {
	pid_t child, grandchild, other_program, great_grandchild;
};

static void great_grandchild_main(struct family *f)
{
	f->great_grandchild = getpid();
	for (;;)
		pause();
}

static void family_main(struct family *f, int ready)
{
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			great_grandchild_main(f);
		}
		for (;;)
			pause();
	}
	f->grandchild = pid;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(1);
	}
	f->other_program = pid;
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static bool runs_sleep(pid_t pid)
{
	char path[64], exe[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink(path, exe, sizeof(exe) - 1) > 0 && strcmp(exe, own_exe);
}

static struct family *start_family(void)
{
	struct family *f =
		mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ends[2];
	pid_t pid;
	char c;

	assert_ptr_not_equal(f, MAP_FAILED);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		family_main(f, ends[1]);
	f->child = pid;
	assert_int_equal(read(ends[0], &c, 1), 1);
	close(ends[0]);
	close(ends[1]);
	while (!*(volatile pid_t *)&f->great_grandchild || !runs_sleep(f->other_program))
		usleep(1000);
	return f;
}

static void end_family(struct family *f)
{
	kill(f->great_grandchild, SIGKILL);
	kill(f->grandchild, SIGKILL);
	kill(f->other_program, SIGKILL);
	end_child(f->child);
	/* Its children are ours now, see main(). */
	while (wait(NULL) > 0)
		;
	munmap(f, sizeof(*f));
}

static void descendants(void **state)
{
	struct family *f = start_family();
	pid_list found = {0};

	assert_int_equal(process__descendants(f->child, &found), 0);
	assert_int_equal(found.len, 3);
	assert_true(has_pid(&found, f->grandchild) && has_pid(&found, f->other_program) &&
		    has_pid(&found, f->great_grandchild));
	/* What the list held before is not taken for a parent. */
	found.len = 0;
	*vec_push(&found) = f->child;
	assert_int_equal(process__descendants(f->great_grandchild, &found), 0);
	assert_int_equal(found.len, 1);
	found.len = 0;
	assert_int_equal(process__descendants(unused_pid(), &found), 0);
	assert_int_equal(found.len, 0);
	vec_free(&found);
	end_family(f);
}

static void siblings_in_trade(void **state)
{
	struct family *f = start_family();
	pid_list found = {0};
	struct process p;

	assert_int_equal(process__open(f->child, &p, NULL), 0);
	assert_int_equal(process__siblings_in_trade(&p, &found), 0);
	/* Direct children that run the same file: not the sleep, not the grandchild's. */
	assert_int_equal(found.len, 1);
	assert_int_equal(found.data[0], f->grandchild);
	process__close(&p);
	vec_free(&found);
	end_family(f);
}

static void memory(void **state)
{
	pid_t small = start_child(NULL, 0), big = start_child(NULL, TOUCHED_BYTES);
	struct process_memory a, b;
	siginfo_t info;

	assert_int_equal(process__memory(small, &a), 0);
	assert_int_equal(process__memory(big, &b), 0);
	assert_true(a.resident_bytes > 0);
	assert_int_equal(a.resident_bytes % sysconf(_SC_PAGESIZE), 0);
	assert_true(a.virtual_bytes > a.resident_bytes);
	assert_true(a.shared_bytes <= a.resident_bytes);
	assert_true(a.text_bytes > 0 && a.text_bytes < a.virtual_bytes);
	assert_true(a.data_bytes > 0 && a.data_bytes < a.virtual_bytes);
	assert_true(a.stack_bytes >= 4096 && a.stack_bytes < 64 << 20);
	/* Exact: the second child differs by what it touched, give or take a few pages of luck. */
	assert_true(b.resident_bytes >= a.resident_bytes + TOUCHED_BYTES - (512 << 10));
	assert_true(b.resident_bytes <= a.resident_bytes + TOUCHED_BYTES + (512 << 10));
	assert_true(b.virtual_bytes >= a.virtual_bytes + TOUCHED_BYTES);

	kill(small, SIGKILL);
	assert_int_equal(waitid(P_PID, small, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process__memory(small, &a), -ESRCH); /* a zombie has no size, not size 0 */
	end_child(small);
	assert_true(process__memory(small, &a) < 0);
	assert_int_equal(a.resident_bytes, 0);
	end_child(big);
}

static void missing_capabilities(void **state)
{
	char text[64] = "x", small[6];

	process__missing_capabilities(text, sizeof(text));
	if (geteuid() == 0 && *text)
		skip(); /* a root of fewer rights */
	if (geteuid() == 0)
		assert_string_equal(text, "");
	memset(small, 'x', sizeof(small));
	process__missing_capabilities(small, sizeof(small));
	assert_true(memchr(small, '\0', sizeof(small)) != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_is_opened),
		cmocka_unit_test(it_dies),
		cmocka_unit_test(a_reused_pid_is_another),
		cmocka_unit_test(nobody_is_refused),
		cmocka_unit_test(we_ourselves_are_refused),
		cmocka_unit_test(kernel_threads_are_refused),
		cmocka_unit_test(threads_are_refused),
		cmocka_unit_test(odd_names),
		cmocka_unit_test(found_by_name),
		cmocka_unit_test(programs_are_kept_oldest_first),
		cmocka_unit_test(threads_have_a_process),
		cmocka_unit_test(a_deleted_executable_keeps_its_name),
		cmocka_unit_test(descendants),
		cmocka_unit_test(siblings_in_trade),
		cmocka_unit_test(memory),
		cmocka_unit_test(missing_capabilities),
	};

	/* Not every init reaps orphans. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (readlink("/proc/self/exe", own_exe, sizeof(own_exe) - 1) <= 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
