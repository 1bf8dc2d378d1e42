// SPDX-License-Identifier: BSD-2-Clause
/* Commands are this program itself, started again with what to do as its argument. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/launch.h"
#include "target/maps.h"

#define WAIT_MS 20000

static char self[4096], directory[] = "/tmp/test_launch.XXXXXX";

/* ---- what the commands do ---- */

static const char *status_line(const char *name, char *line, size_t size)
{
	FILE *status = fopen("/proc/self/status", "re");
	size_t len = strlen(name);

	while (status && fgets(line, (int)size, status) && strncmp(line, name, len) != 0)
		;
	fclose(status);
	return line;
}

static int be_a_command(char **argv)
{
	char line[256];

	if (!strcmp(argv[1], "say")) /* FD CODE: writes a byte, and exits with the code */
		return write(atoi(argv[2]), "x", 1) == 1 ? atoi(argv[3]) : 99;
	if (!strcmp(argv[1], "signals")) { /* FD: how signals stand */
		dprintf(atoi(argv[2]), "%s", status_line("SigBlk:", line, sizeof(line)));
		dprintf(atoi(argv[2]), "%s", status_line("SigIgn:", line, sizeof(line)));
		return 0;
	}
	if (!strcmp(argv[1], "die"))
		raise(SIGKILL);
	if (!strcmp(argv[1], "twice")) { /* FD: is another command */
		execv("/proc/self/exe", (char *[]){argv[0], "say", argv[2], "8", NULL});
		return 98;
	}
	for (;;)
		pause();
}

/* ---- helpers ---- */

static bool is_mapped(pid_t pid, const char *file)
{
	struct maps maps = {0};
	const struct mapping *m;
	bool found = false;

	assert_int_equal(maps__load(pid, &maps), 0);
	vec_for_each (&maps.list, m)
		found |= m->executable && strstr(m->path, file);
	maps__free(&maps);
	return found;
}

static char state_of(pid_t pid)
{
	char path[64], text[512], *paren;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return '-';
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	paren = strrchr(text, ')');
	return paren ? paren[2] : '?';
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

struct say {
	int ends[2];
	char fd[16];
};

static struct say say_pipe(void)
{
	struct say say;

	assert_int_equal(pipe(say.ends), 0);
	snprintf(say.fd, sizeof(say.fd), "%d", say.ends[1]);
	return say;
}

static void close_say(struct say *say)
{
	close(say->ends[0]);
	close(say->ends[1]);
}

static void start(struct launch *l, char *const *argv)
{
	struct launch_options options = {.argv = argv};
	struct error err = {0};

	if (launch__start(&options, l, &err))
		fail_msg("%s", err.text);
}

/* ---- tests ---- */

static void it_is_held_with_all_its_libraries(void **state)
{
	struct say say = say_pipe();
	struct launch l;

	start(&l, (char *[]){self, "say", say.fd, "7", NULL});
	assert_true(l.held);
	assert_false(l.ended);
	assert_null(l.caveat);
	assert_int_equal(state_of(l.pid), 't');
	assert_true(is_mapped(l.pid, "/libc.so.6"));
	assert_true(is_mapped(l.pid, "/libcmocka.so"));
	assert_false(is_readable(say.ends[0], 100));
	assert_int_equal(launch__wait(&l, 0), -ETIMEDOUT);

	launch__release(&l);
	assert_false(l.held);
	assert_int_equal(launch__wait(&l, WAIT_MS), 0);
	assert_true(is_readable(say.ends[0], 0));
	assert_int_equal(launch__exit_code(&l), 7);
	close_say(&say);
}

/* No debug registers: constructors of libraries may have run, main has not. */
static void without_breakpoints_it_is_held_a_little_later(void **state)
{
	struct say say = say_pipe();
	struct launch_options options = {.argv = (char *[]){self, "say", say.fd, "7", NULL},
					 .no_breakpoints = true};
	struct launch l;

	assert_int_equal(launch__start(&options, &l, NULL), 0);
	assert_true(l.held);
	assert_non_null(l.caveat);
	assert_true(is_mapped(l.pid, "/libc.so.6"));
	assert_true(is_mapped(l.pid, "/libcmocka.so"));
	assert_false(is_readable(say.ends[0], 100));
	launch__release(&l);
	assert_int_equal(launch__wait(&l, WAIT_MS), 0);
	assert_int_equal(launch__exit_code(&l), 7);
	close_say(&say);
}

/* Nothing of the breakpoints is left: main and later images run through the same addresses. */
static void it_may_become_another(void **state)
{
	struct say say = say_pipe();
	struct launch l;

	start(&l, (char *[]){self, "twice", say.fd, NULL});
	launch__release(&l);
	assert_int_equal(launch__wait(&l, WAIT_MS), 0);
	assert_int_equal(launch__exit_code(&l), 8);
	close_say(&say);
}

static void its_end_is_told_as_by_a_shell(void **state)
{
	struct launch l;

	start(&l, (char *[]){self, "die", NULL});
	launch__release(&l);
	assert_int_equal(launch__wait(&l, WAIT_MS), 0);
	assert_int_equal(launch__exit_code(&l), 128 + SIGKILL);
	assert_int_equal(launch__wait(&l, 0), 0);
}

static void one_that_is_held_can_be_ended(void **state)
{
	struct say say = say_pipe();
	struct launch l;
	pid_t pid;

	start(&l, (char *[]){self, "say", say.fd, "0", NULL});
	pid = l.pid;
	launch__kill(&l);
	assert_true(l.ended);
	assert_int_equal(state_of(pid), '-');
	assert_false(is_readable(say.ends[0], 0));
	launch__kill(&l); /* harmless */
	close_say(&say);
}

/* It starts as it would have without us, but for SIGPIPE, which perftrace ignores. */
static void it_finds_signals_as_they_were(void **state)
{
	struct say say = say_pipe();
	char got[256] = "", want[256] = "", line[128];
	struct sigaction ignore = {.sa_handler = SIG_IGN}, chld, hup;
	sigset_t usr1, before;
	struct launch l;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigaction(SIGCHLD, &ignore, &chld);
	sigaction(SIGHUP, &ignore, &hup);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	snprintf(want, sizeof(want), "%s", status_line("SigBlk:", line, sizeof(line)));
	strcat(want, status_line("SigIgn:", line, sizeof(line)));
	signal(SIGPIPE, SIG_IGN);
	start(&l, (char *[]){self, "signals", say.fd, NULL});
	signal(SIGPIPE, SIG_DFL);
	sigaction(SIGHUP, &hup, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	launch__release(&l);
	assert_int_equal(launch__wait(&l, WAIT_MS), 0);
	sigaction(SIGCHLD, &chld, NULL);
	assert_int_equal(launch__exit_code(&l), 0);
	assert_true(read(say.ends[0], got, sizeof(got) - 1) > 0);
	assert_string_equal(got, want);
	close_say(&say);
}

static void ld_so_may_end_it(void **state)
{
	struct launch l;

	setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
	start(&l, (char *[]){"/bin/true", NULL});
	unsetenv("LD_TRACE_LOADED_OBJECTS");
	assert_true(l.ended);
	assert_false(l.held);
	assert_int_equal(launch__exit_code(&l), 0);
	launch__release(&l); /* harmless */
	launch__kill(&l);
}

/* A loader that never finishes does not hold us up. */
static void loading_takes_no_longer_than_allowed(void **state)
{
	struct launch_options options = {.argv = (char *[]){"/bin/true", NULL}, .timeout_ms = 200};
	char fifo[sizeof(directory) + 16];
	struct launch l;

	snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	setenv("LD_PRELOAD", fifo, 1);
	assert_int_equal(launch__start(&options, &l, NULL), 0);
	unsetenv("LD_PRELOAD");
	assert_true(l.held);
	assert_non_null(l.caveat);
	launch__release(&l);
	assert_int_equal(launch__wait(&l, 100), -ETIMEDOUT); /* it goes on waiting */
	launch__kill(&l);
	unlink(fifo);
}

static void write_file(const char *name, const char *text, mode_t mode, char *path, size_t size)
{
	int fd;

	snprintf(path, size, "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void assert_refused(char *const *argv, int code, const char *says)
{
	struct launch_options options = {.argv = argv};
	struct error err = {0};
	struct launch l;

	assert_true(launch__start(&options, &l, &err) < 0);
	assert_int_equal(err.exit_code, code);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void what_cannot_be_started_is_refused(void **state)
{
	char path[128];

	assert_refused((char *[]){"no-such-command-here", NULL}, EXIT_NO_TARGET, "in PATH");
	assert_refused((char *[]){"/no/such/file", NULL}, EXIT_NO_TARGET, "/no/such/file");
	assert_refused((char *[]){directory, NULL}, EXIT_UNSUPPORTED, "Permission denied");
	write_file("plain", "text", 0600, path, sizeof(path));
	assert_refused((char *[]){path, NULL}, EXIT_UNSUPPORTED, "Permission denied");
	unlink(path);
	write_file("script", "#!/no/such/interpreter\n", 0700, path, sizeof(path));
	assert_refused((char *[]){path, NULL}, EXIT_NO_TARGET, "interpreter");
	unlink(path);
}

static void a_script_is_its_interpreter(void **state)
{
	struct launch l;
	char path[128];

	write_file("script", "#!/bin/sh\nexit 5\n", 0700, path, sizeof(path));
	start(&l, (char *[]){path, NULL});
	assert_true(is_mapped(l.pid, "/libc.so.6"));
	launch__release(&l);
	assert_int_equal(launch__wait(&l, WAIT_MS), 0);
	assert_int_equal(launch__exit_code(&l), 5);
	unlink(path);
}

static void an_unknown_user_is_refused(void **state)
{
	struct launch_options options = {.argv = (char *[]){"true", NULL},
					 .user = "no-such-user-here"};
	struct error err = {0};
	struct launch l;

	assert_true(launch__start(&options, &l, &err) < 0);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_non_null(strstr(err.text, "no-such-user-here"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_held_with_all_its_libraries),
		cmocka_unit_test(without_breakpoints_it_is_held_a_little_later),
		cmocka_unit_test(it_may_become_another),
		cmocka_unit_test(its_end_is_told_as_by_a_shell),
		cmocka_unit_test(one_that_is_held_can_be_ended),
		cmocka_unit_test(it_finds_signals_as_they_were),
		cmocka_unit_test(ld_so_may_end_it),
		cmocka_unit_test(loading_takes_no_longer_than_allowed),
		cmocka_unit_test(what_cannot_be_started_is_refused),
		cmocka_unit_test(a_script_is_its_interpreter),
		cmocka_unit_test(an_unknown_user_is_refused),
	};
	int failed;

	if (argc > 1)
		return be_a_command(argv);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 || !mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
