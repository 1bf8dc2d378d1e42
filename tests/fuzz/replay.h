/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A corpus as unit test: included behind a fuzz target, with CORPUS, its directory seen from the
 * top of the tree, and SEEDS, the least number of files in it. Arguments are files to try instead.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOWEST_SECONDS 2 /* for one small file, sanitized */

static void replay_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct timespec before, after;
	struct stat st;
	uint8_t *data;

	if (fd < 0 || fstat(fd, &st))
		fail_msg("%s: %s", path, strerror(errno));
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	/* The last words, should it be the end of the process. */
	fprintf(stderr, "%s\n", path);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(LLVMFuzzerTestOneInput(data, (size_t)st.st_size), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	if (after.tv_sec - before.tv_sec > SLOWEST_SECONDS)
		fail_msg("%s takes %ld s", path, (long)(after.tv_sec - before.tv_sec));
	free(data);
}

static void corpus(void **state)
{
	DIR *dir = opendir(CORPUS);
	struct dirent *entry;
	size_t files = 0;

	if (!dir)
		fail_msg(CORPUS ": %s; run from the top of the tree", strerror(errno));
	while ((entry = readdir(dir))) {
		char path[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", CORPUS, entry->d_name);
		replay_file(path);
		files++;
	}
	closedir(dir);
	assert_true(files >= SEEDS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(corpus)};

	if (argc == 1)
		return cmocka_run_group_tests(tests, NULL, NULL);
	while (*++argv)
		replay_file(*argv);
	return 0;
}
