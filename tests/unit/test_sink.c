// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/log_path.h"
#include "output/sink.h"

static char directory[64], file[96], other[96];
static struct error err;

static int start(void **state)
{
	strcpy(directory, "/tmp/perftrace-sink-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/out", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	memset(&err, 0, sizeof(err));
	unsetenv("SUDO_UID");
	unsetenv("SUDO_GID");
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int stop(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void holds(const char *path, const char *wanted)
{
	char text[256];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	assert_string_equal(text, wanted);
}

static int files_in_directory(void)
{
	DIR *d = opendir(directory);
	int n = -2; /* . and .. */

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static struct sink *open_ok(const char *path, enum sink_kind kind)
{
	struct sink *s = sink__open(path, kind, &err, NULL);

	assert_non_null(s);
	return s;
}

static void refused(const char *path, enum sink_kind kind, int wanted)
{
	int ret = 0;

	memset(&err, 0, sizeof(err));
	assert_null(sink__open(path, kind, &err, &ret));
	assert_int_equal(ret, wanted);
	assert_int_equal(err.exit_code, EXIT_FAILED);
	assert_non_null(strstr(err.text, path));
}

static void logs_are_appended_to(void **state)
{
	struct sink *s;
	struct stat st;

	for (int i = 0; i < 2; i++) {
		s = open_ok(file, SINK_LOG);
		assert_int_equal(sink__line(s, "one", 3), 0);
		assert_int_equal(sink__close(s, &err), 0);
	}
	holds(file, "one\none\n");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void documents_replace_when_complete(void **state)
{
	struct sink *s;
	struct stat st;

	put(file, "old");
	assert_int_equal(chmod(file, 0644), 0);
	s = open_ok(file, SINK_DOCUMENT);
	assert_int_equal(sink__write(s, "new", 3), 0);
	holds(file, "old");
	assert_int_equal(sink__close(s, &err), 0);
	holds(file, "new");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(files_in_directory(), 1);
}

static void thrown_away_documents_leave_nothing(void **state)
{
	struct sink *s;

	put(file, "old");
	s = open_ok(file, SINK_DOCUMENT);
	sink__write(s, "half", 4);
	sink__discard(s);
	holds(file, "old");
	assert_int_equal(files_in_directory(), 1);
}

/* A write that fails leaves the old document and no half of the new one. */
static void failed_documents_leave_the_old_one(void **state)
{
	struct rlimit limit = {.rlim_cur = 2}, before;
	struct sink *s;

	put(file, "old");
	s = open_ok(file, SINK_DOCUMENT);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	sink__write(s, "new document", 12);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(sink__close(s, &err), -EFBIG);
	holds(file, "old");
	assert_int_equal(files_in_directory(), 1);
}

static void links_and_directories_are_refused(void **state)
{
	char missing[128];

	put(other, "precious");
	assert_int_equal(symlink(other, file), 0);
	refused(file, SINK_LOG, -ELOOP);
	assert_non_null(strstr(err.text, "symbolic link"));
	refused(file, SINK_DOCUMENT, -ELOOP);
	holds(other, "precious");
	refused(directory, SINK_LOG, -EISDIR);
	refused(directory, SINK_DOCUMENT, -EISDIR);
	snprintf(missing, sizeof(missing), "%s/none/x", directory);
	refused(missing, SINK_LOG, -ENOENT);
	assert_int_equal(files_in_directory(), 2);
}

static void an_exposed_directory_is_refused(void **state)
{
	assert_int_equal(chmod(directory, 0777), 0);
	refused(file, SINK_LOG, -ESTALE);
	assert_non_null(strstr(err.text, "unsafe directory"));
	assert_int_equal(chmod(directory, 01777), 0);
	sink__discard(open_ok(file, SINK_LOG));
}

static void a_full_disk_has_a_sentence(void **state)
{
	struct sink *s = open_ok("/dev/full", SINK_LOG);

	assert_int_equal(sink__line(s, "x", 1), 0);
	assert_int_equal(sink__flush(s), -ENOSPC);
	assert_int_equal(sink__line(s, "y", 1), -ENOSPC);
	assert_int_equal(sink__error(s), -ENOSPC);
	assert_int_equal(sink__close(s, &err), -ENOSPC);
	assert_string_equal(err.text, "cannot write /dev/full: No space left on device. "
				      "Free some space, or choose another file with -o.");

	memset(&err, 0, sizeof(err));
	s = open_ok("/dev/full", SINK_DOCUMENT);
	sink__write(s, "x", 1);
	assert_int_equal(sink__close(s, &err), -ENOSPC);
	assert_int_equal(err.exit_code, EXIT_FAILED);
}

static void a_reader_that_left_is_no_error_to_report(void **state)
{
	struct sink *s;
	int reader;

	assert_int_equal(mkfifo(file, 0600), 0);
	reader = open(file, O_RDONLY | O_NONBLOCK);
	s = open_ok(file, SINK_LOG);
	sink__line(s, "x", 1);
	assert_int_equal(sink__flush(s), 0);
	close(reader);
	sink__line(s, "x", 1);
	assert_int_equal(sink__flush(s), -EPIPE);
	assert_int_equal(sink__close(s, &err), -EPIPE);
	assert_int_equal(err.exit_code, 0);
}

/* Many lines leave without being asked for, and never half a line. */
static void lines_leave_whole(void **state)
{
	struct sink *s;
	char buf[1 << 17];
	ssize_t n;
	int reader;

	assert_int_equal(mkfifo(file, 0600), 0);
	reader = open(file, O_RDONLY | O_NONBLOCK);
	fcntl(reader, F_SETPIPE_SZ, sizeof(buf));
	s = open_ok(file, SINK_LOG);
	sink__line(s, "kept", 4);
	assert_int_equal(read(reader, buf, sizeof(buf)), -1);
	for (int i = 0; i < 10000; i++)
		sink__line(s, "123456789", 9);
	n = read(reader, buf, sizeof(buf));
	assert_true(n > 5);
	assert_memory_equal(buf, "kept\n", 5);
	assert_int_equal((n - 5) % 10, 0);
	assert_int_equal(buf[n - 1], '\n');
	assert_int_equal(sink__close(s, &err), 0);
	close(reader);
}

static void stdout_has_several_names(void **state)
{
	static const char *const names[] = {NULL, "-", "/dev/stdout"};

	for (int i = 0; i < 3; i++) {
		struct sink *s = open_ok(names[i], SINK_DOCUMENT);

		assert_true(sink__is_stdout(s));
		assert_string_equal(sink__name(s), "standard output");
		assert_int_equal(sink__close(s, &err), 0);
	}
	assert_true(fcntl(STDOUT_FILENO, F_GETFD) >= 0);
}

static void files_belong_to_who_called_sudo(void **state)
{
	struct stat st;

	if (geteuid())
		skip();
	setenv("SUDO_UID", "12345", 1);
	setenv("SUDO_GID", "54321", 1);
	assert_int_equal(sink__close(open_ok(file, SINK_LOG), &err), 0);
	assert_int_equal(sink__close(open_ok(other, SINK_DOCUMENT), &err), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 54321);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_uid, 12345);
	/* A default path is opened with no more rights than theirs: the directory is root's. */
	assert_int_equal(unlink(file), 0);
	assert_null(sink__open_as_invoker(file, SINK_LOG, &err, NULL));
	assert_int_equal(geteuid(), 0);
	assert_int_equal(chown(directory, 12345, 54321), 0);
	sink__discard(sink__open_as_invoker(file, SINK_LOG, NULL, NULL));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_uid, 12345);
}

static void the_default_log_is_the_users(void **state)
{
	char path[256], wanted[256];
	struct stat st;

	setenv("XDG_DATA_HOME", directory, 1);
	assert_int_equal(default_log_path(LOG_PERF_TIMING, path, sizeof(path)), 0);
	snprintf(wanted, sizeof(wanted), "%s/perftrace/logs/perf_timing.log", directory);
	assert_string_equal(path, wanted);
	assert_int_equal(log_path__make_directories(path, &err), 0);
	assert_int_equal(log_path__make_directories(path, &err), 0);
	sink__discard(open_ok(path, SINK_LOG));
	assert_int_equal(stat(path, &st), 0);

	setenv("XDG_DATA_HOME", "relative", 1);
	setenv("HOME", "/home/somebody", 1);
	assert_int_equal(default_log_path(LOG_PERF_TIMING, path, sizeof(path)), 0);
	assert_string_equal(path, "/home/somebody/.local/share/perftrace/logs/perf_timing.log");
	unsetenv("XDG_DATA_HOME");
	assert_int_equal(default_log_path(LOG_PERF_TIMING, path, 10), -ENAMETOOLONG);
	if (!geteuid()) {
		setenv("SUDO_UID", "1", 1); /* daemon, in every Debian */
		setenv("SUDO_GID", "1", 1);
		assert_int_equal(default_log_path(LOG_PERF_TIMING, path, sizeof(path)), 0);
		assert_null(strstr(path, "somebody"));
	}
}

static void directories_that_cannot_be_made_are_named(void **state)
{
	char path[256];

	put(file, "in the way");
	snprintf(path, sizeof(path), "%s/deeper/x.log", file);
	assert_int_equal(log_path__make_directories(path, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "/deeper for the log: Not a directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(logs_are_appended_to, start, stop),
		cmocka_unit_test_setup_teardown(documents_replace_when_complete, start, stop),
		cmocka_unit_test_setup_teardown(thrown_away_documents_leave_nothing, start, stop),
		cmocka_unit_test_setup_teardown(failed_documents_leave_the_old_one, start, stop),
		cmocka_unit_test_setup_teardown(links_and_directories_are_refused, start, stop),
		cmocka_unit_test_setup_teardown(an_exposed_directory_is_refused, start, stop),
		cmocka_unit_test_setup_teardown(a_full_disk_has_a_sentence, start, stop),
		cmocka_unit_test_setup_teardown(a_reader_that_left_is_no_error_to_report, start,
						stop),
		cmocka_unit_test_setup_teardown(lines_leave_whole, start, stop),
		cmocka_unit_test_setup_teardown(stdout_has_several_names, start, stop),
		cmocka_unit_test_setup_teardown(files_belong_to_who_called_sudo, start, stop),
		cmocka_unit_test_setup_teardown(the_default_log_is_the_users, start, stop),
		cmocka_unit_test_setup_teardown(directories_that_cannot_be_made_are_named, start,
						stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
