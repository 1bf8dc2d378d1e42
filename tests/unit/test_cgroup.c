// SPDX-License-Identifier: BSD-2-Clause
/* Trees of directories stand for mounted hierarchies: what is read from them is all that counts. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/suggest.h"
#include "target/cgroup.h"

static char top[] = "/tmp/test_cgroup.XXXXXX";

/* ---- trees ---- */

static void make_directory(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s/%s", top, path);
	for (char *at = full + strlen(top) + 1; (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		mkdir(full, 0755);
	}
	assert_true(!mkdir(full, 0755) || errno == EEXIST);
}

/* A group with the content of its cgroup.procs; NULL = it has no such file. */
static void make_group(const char *path, const char *procs)
{
	char full[PATH_MAX];
	int fd;

	make_directory(path);
	if (!procs)
		return;
	snprintf(full, sizeof(full), "%s/%s/cgroup.procs", top, path);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, procs, strlen(procs)), strlen(procs));
	close(fd);
}

static void remove_tree(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s/*", top);
	assert_int_equal(system(command), 0);
}

static int clean_up(void **state)
{
	remove_tree();
	return 0;
}

static void add_mount(struct cgroup_mounts *mounts, const char *directory, const char *root,
		      bool has_units)
{
	struct cgroup_mount *m = vec_push(&mounts->list);
	char full[PATH_MAX];

	make_directory(directory);
	snprintf(full, sizeof(full), "%s/%s", top, directory);
	m->directory = strdup(full);
	m->root = strdup(root);
	m->has_units = has_units;
}

static void assert_found(const struct cgroup_list *groups, size_t i, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s/%s", top, path);
	assert_true(groups->dirs.len > i);
	assert_string_equal(groups->dirs.data[i], full);
}

static void assert_path(const struct cgroup_mounts *mounts, const char *wanted, const char *found)
{
	struct cgroup_list groups = {0};
	struct error err = {0};
	int ret = cgroup__find_path(mounts, wanted, &groups, &err);

	if (found) {
		if (ret)
			fail_msg("%s: %s", wanted, err.text);
		assert_int_equal(groups.dirs.len, 1);
		assert_found(&groups, 0, found);
	} else {
		assert_true(ret < 0);
		assert_int_equal(err.exit_code, EXIT_NO_TARGET);
		assert_non_null(strstr(err.text, wanted));
		assert_int_equal(groups.dirs.len, 0);
	}
	cgroup_list__free(&groups);
}

/* ---- mounts ---- */

static void mounts_are_read_from_mountinfo(void **state)
{
	static const char text[] =
		"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
		"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup "
		"rw,memory\n"
		"40 31 0:37 /docker/ab /sys/fs/cgroup/systemd rw - cgroup cgroup "
		"rw,xattr,name=systemd\n"
		"a line of another form\n"
		"41 31 0:38 / /odd\\040place/unified rw shared:1 master:2 - cgroup2 none rw\n"
		"42 31 0:39 /\n"
		"43 31 0:40 / /short rw - cgroup";
	struct cgroup_mounts mounts = {0};

	assert_int_equal(cgroup_mounts__parse(text, sizeof(text) - 1, &mounts), 0);
	assert_int_equal(mounts.list.len, 3);
	assert_string_equal(mounts.list.data[0].directory, "/odd place/unified");
	assert_true(mounts.list.data[0].has_units);
	assert_string_equal(mounts.list.data[1].directory, "/sys/fs/cgroup/memory");
	assert_false(mounts.list.data[1].has_units);
	assert_string_equal(mounts.list.data[2].directory, "/sys/fs/cgroup/systemd");
	assert_string_equal(mounts.list.data[2].root, "/docker/ab");
	assert_true(mounts.list.data[2].has_units);
	cgroup_mounts__free(&mounts);
}

static void our_own_mountinfo_can_be_read(void **state)
{
	struct cgroup_mounts mounts = {0};

	assert_int_equal(cgroup_mounts__load(&mounts), 0);
	cgroup_mounts__free(&mounts);
}

/* ---- paths ---- */

static void groups_are_found_by_path(void **state)
{
	struct cgroup_mounts mounts = {0};
	char full[PATH_MAX];

	add_mount(&mounts, "unified", "/", true);
	add_mount(&mounts, "memory", "/", false);
	make_group("unified/both", "");
	make_group("memory/both", "");
	make_group("memory/only/here", "");
	make_group("elsewhere/x", "");
	assert_path(&mounts, "both", "unified/both");
	assert_path(&mounts, "/both", "unified/both");
	assert_path(&mounts, "/only/here/", "memory/only/here");
	assert_path(&mounts, "only/here", "memory/only/here");
	snprintf(full, sizeof(full), "%s/memory/both", top);
	assert_path(&mounts, full, "memory/both");
	assert_path(&mounts, "/", "unified");
	assert_path(&mounts, "only/there", NULL);
	/* What is no control group is none, however it is spelled. */
	assert_path(&mounts, "../elsewhere/x", NULL);
	assert_path(&mounts, "/tmp", NULL);
	assert_path(&mounts, "both/cgroup.procs", NULL);
	cgroup_mounts__free(&mounts);
	assert_path(&mounts, "both", NULL);
}

/* /proc/PID/cgroup tells the whole path also where only a part of the hierarchy is mounted. */
static void a_part_of_a_hierarchy_is_enough(void **state)
{
	struct cgroup_mounts mounts = {0};

	add_mount(&mounts, "unified", "/docker/ab", true);
	make_group("unified/web", "");
	assert_path(&mounts, "/docker/ab/web", "unified/web");
	assert_path(&mounts, "web", "unified/web");
	assert_path(&mounts, "/docker/abweb", NULL);
	cgroup_mounts__free(&mounts);
}

/* ---- units ---- */

static void assert_unit(const struct cgroup_mounts *mounts, const char *unit, const char *found)
{
	struct cgroup_list groups = {0};
	struct error err = {0};
	int ret = cgroup__find_unit(mounts, unit, &groups, &err);

	if (ret)
		fail_msg("%s: %s", unit, err.text);
	assert_int_equal(groups.dirs.len, 1);
	assert_found(&groups, 0, found);
	cgroup_list__free(&groups);
}

static void assert_no_unit(const struct cgroup_mounts *mounts, const char *unit, const char *says)
{
	struct cgroup_list groups = {0};
	struct error err = {0};

	assert_true(cgroup__find_unit(mounts, unit, &groups, &err) < 0);
	assert_int_equal(err.exit_code, EXIT_NO_TARGET);
	if (!strstr(err.text, unit) || !strstr(err.text, says))
		fail_msg("%s: '%s' does not say '%s'", unit, err.text, says);
	assert_int_equal(groups.dirs.len, 0);
}

static void units_are_found_by_name(void **state)
{
	struct cgroup_mounts mounts = {0};

	add_mount(&mounts, "memory", "/", false);
	add_mount(&mounts, "systemd", "/", true);
	make_group("memory/wrong.service", "");
	make_group("systemd/system.slice/redis-server.service", "");
	make_group("systemd/system.slice/system-postgresql.slice/postgresql@15-main.service", "");
	make_group("systemd/user.slice/user-1000.slice/user@1000.service/app.slice/mine.service",
		   "");
	make_group("systemd/machine.slice/docker-0123.scope", "");
	make_group("systemd/both.slice/both.service", "");
	assert_unit(&mounts, "redis-server", "systemd/system.slice/redis-server.service");
	assert_unit(&mounts, "redis-server.service", "systemd/system.slice/redis-server.service");
	assert_unit(&mounts, "postgresql@15-main",
		    "systemd/system.slice/system-postgresql.slice/postgresql@15-main.service");
	assert_unit(&mounts, "mine",
		    "systemd/user.slice/user-1000.slice/user@1000.service/app.slice/mine.service");
	assert_unit(&mounts, "docker-0123", "systemd/machine.slice/docker-0123.scope");
	assert_unit(&mounts, "both", "systemd/both.slice/both.service");
	assert_unit(&mounts, "both.slice", "systemd/both.slice");
	assert_no_unit(&mounts, "redsi-server", "Did you mean redis-server.service?");
	assert_no_unit(&mounts, "redis", "Did you mean redis-server.service?");
	assert_no_unit(&mounts, "redis.service", "Did you mean");
	assert_no_unit(&mounts, "completely-different", "systemctl");
	assert_no_unit(&mounts, "wrong", "no running unit");
	cgroup_mounts__free(&mounts);
	assert_no_unit(&mounts, "redis-server", "not mounted");
}

/* Two users, each with a manager of their own that runs it. */
static void a_unit_may_run_more_than_once(void **state)
{
	struct cgroup_mounts mounts = {0};
	struct cgroup_list groups = {0};
	pid_list pids = {0};

	add_mount(&mounts, "unified", "/", true);
	make_group("unified/user.slice/user@1.service/same.service", "11\n");
	make_group("unified/user.slice/user@2.service/same.service", "12\n");
	assert_int_equal(cgroup__find_unit(&mounts, "same", &groups, NULL), 0);
	assert_int_equal(groups.dirs.len, 2);
	assert_int_equal(cgroup__pids(&groups, &pids), 0);
	assert_int_equal(pids.len, 2);
	vec_free(&pids);
	cgroup_list__free(&groups);
	cgroup_mounts__free(&mounts);
}

/* ---- processes ---- */

static struct cgroup_list group_at(const char *path)
{
	struct cgroup_list groups = {0};
	char full[PATH_MAX], **slot = vec_push(&groups.dirs);

	snprintf(full, sizeof(full), "%s/%s", top, path);
	*slot = strdup(full);
	return groups;
}

static void assert_pids(const char *path, const pid_t *want, size_t n)
{
	struct cgroup_list groups = group_at(path);
	pid_list pids = {0};

	assert_int_equal(cgroup__pids(&groups, &pids), 0);
	assert_int_equal(pids.len, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pids.data[i], want[i]);
	vec_free(&pids);
	cgroup_list__free(&groups);
}

static void processes_are_those_of_the_whole_subtree(void **state)
{
	make_group("g", "30\n10\n");
	make_group("g/a", "20\n0\n10\n"); /* 0: of another PID namespace; 10: listed twice */
	make_group("g/a/deep/er", "40\n");
	make_group("g/empty", "");
	make_group("g/none", NULL);
	make_group("other", "99\n");
	assert_pids("g", (pid_t[]){10, 20, 30, 40}, 4);
	assert_pids("g/a", (pid_t[]){10, 20, 40}, 3);
	assert_pids("g/empty", NULL, 0);
	assert_pids("g/none", NULL, 0);
	assert_pids("not/there", NULL, 0);
}

static void nonsense_is_no_pid(void **state)
{
	make_group("g", "10\n-5\n30\nx\n20\n");
	assert_pids("g", (pid_t[]){10, 30}, 2);
}

/* Links lead nowhere, and what is deeper than any real hierarchy is not followed. */
static void strange_trees_come_to_an_end(void **state)
{
	char path[1024] = "g", from[PATH_MAX];

	make_group("g", "1\n");
	make_group("outside", "666\n");
	snprintf(from, sizeof(from), "%s/g/link", top);
	assert_int_equal(symlink("../outside", from), 0);
	snprintf(from, sizeof(from), "%s/g/loop", top);
	assert_int_equal(symlink(".", from), 0);
	for (int i = 0; i < 100; i++)
		strcat(path, "/d");
	make_group(path, "777\n");
	assert_pids("g", (pid_t[]){1}, 1);
}

static void mistyped_names_are_recognised(void **state)
{
	char *names[] = {"leaks", "spans", "postgresql@15-main.service", ""};
	char long_name[1000];

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_string_equal(suggest("leeks", names, 4), "leaks");
	assert_string_equal(suggest("spans", names, 4), "spans");
	assert_string_equal(suggest("span", names, 4), "spans");
	assert_string_equal(suggest("postgresql", names, 4), "postgresql@15-main.service");
	assert_null(suggest("nonsense", names, 4));
	assert_null(suggest(long_name, names, 4));
	assert_null(suggest("x", names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mounts_are_read_from_mountinfo),
		cmocka_unit_test(our_own_mountinfo_can_be_read),
		cmocka_unit_test_teardown(groups_are_found_by_path, clean_up),
		cmocka_unit_test_teardown(a_part_of_a_hierarchy_is_enough, clean_up),
		cmocka_unit_test_teardown(units_are_found_by_name, clean_up),
		cmocka_unit_test_teardown(a_unit_may_run_more_than_once, clean_up),
		cmocka_unit_test_teardown(processes_are_those_of_the_whole_subtree, clean_up),
		cmocka_unit_test_teardown(nonsense_is_no_pid, clean_up),
		cmocka_unit_test_teardown(strange_trees_come_to_an_end, clean_up),
		cmocka_unit_test(mistyped_names_are_recognised),
	};
	int failed;

	if (!mkdtemp(top))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_tree();
	rmdir(top);
	return failed;
}
