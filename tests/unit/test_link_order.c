// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/link_order.h"

struct names {
	ino_t inodes[64];
	size_t n;
};

/* What the dynamic linker itself says, in its own order. */
static int note_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct names *names = arg;
	struct stat st;

	if (!names->n)
		assert_int_equal(stat("/proc/self/exe", &st), 0);
	else if (!info->dlpi_name[0] || stat(info->dlpi_name, &st))
		return 0; /* the vdso */
	if (names->n < 64)
		names->inodes[names->n++] = st.st_ino;
	return 0;
}

static void our_own(void **state)
{
	struct maps maps = {0};
	link_order order = {0};
	struct names want = {0};

	/* One that comes last, as if loaded late. */
	assert_non_null(dlopen("libBrokenLocale.so.1", RTLD_NOW));
	dl_iterate_phdr(note_object, &want);
	assert_true(want.n >= 4);
	assert_int_equal(maps__load(getpid(), &maps), 0);
	assert_int_equal(link_order__load(getpid(), &maps, &order), 0);
	assert_int_equal(order.len, want.n);
	for (size_t i = 0; i < want.n; i++)
		assert_int_equal(order.data[i]->inode, want.inodes[i]);
	assert_non_null(strstr(order.data[order.len - 1]->path, "BrokenLocale"));
	vec_free(&order);
	maps__free(&maps);
}

/* The list of one process, the mappings of none: nothing of it lies in a file. */
static void nothing_mapped(void **state)
{
	struct maps maps = {0};
	link_order order = {0};

	assert_int_equal(link_order__load(getpid(), &maps, &order), 0);
	assert_int_equal(order.len, 0);
	vec_free(&order);
}

static void no_process(void **state)
{
	struct maps maps = {0};
	link_order order = {0};
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(link_order__load(pid, &maps, &order) < 0);
	assert_int_equal(order.len, 0);
}

/* A list that runs in a circle ends all the same. */
static void a_circle(void **state)
{
	struct link_map *last = _r_debug.r_map;
	struct maps maps = {0};
	link_order order = {0};
	pid_t pid;
	int go[2];
	char byte;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (!pid) {
		while (last->l_next)
			last = last->l_next;
		last->l_next = _r_debug.r_map;
		close(go[1]);
		pause();
	}
	close(go[1]);
	assert_int_equal(read(go[0], &byte, 1), 0); /* the end: the circle is closed */
	assert_int_equal(maps__load(pid, &maps), 0);
	assert_int_equal(link_order__load(pid, &maps, &order), 0);
	assert_true(order.len >= 4 && order.len < 64);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(go[0]);
	vec_free(&order);
	maps__free(&maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own),
		cmocka_unit_test(nothing_mapped),
		cmocka_unit_test(no_process),
		cmocka_unit_test(a_circle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
