// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/maps.h"

static struct maps parse(const char *text)
{
	struct maps maps = {0};

	assert_int_equal(maps__parse(text, strlen(text), &maps), 0);
	return maps;
}

static void ordinary_lines(void **state)
{
	struct maps maps = parse(
		"55d0c0000000-55d0c0001000 r-xp 00002000 fe:01 1234                  /usr/bin/a b\n"
		"55d0c0001000-55d0c0002000 rw-s 00000000 00:05 9 /dev/zero (deleted)\n"
		"7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
		"7f0000002000-7f0000003000 rw-p 00000000 00:00 0\n"
		"7ffd00000000-7ffd00001000 rwxp 00000000 00:00 0          [stack]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]");
	struct mapping *m = maps.list.data;

	assert_int_equal(maps.bad_lines, 0);
	assert_int_equal(maps.list.len, 6);
	assert_int_equal(m[0].start, 0x55d0c0000000);
	assert_int_equal(m[0].end, 0x55d0c0001000);
	assert_int_equal(m[0].file_offset, 0x2000);
	assert_int_equal(m[0].dev_major, 0xfe);
	assert_int_equal(m[0].dev_minor, 1);
	assert_int_equal(m[0].inode, 1234);
	assert_true(m[0].readable && !m[0].writable && m[0].executable && !m[0].shared);
	assert_string_equal(m[0].path, "/usr/bin/a b");
	assert_true(m[1].shared && m[1].deleted && !m[0].deleted);
	assert_string_equal(m[1].path, "/dev/zero");
	assert_string_equal(m[2].path, "");
	assert_string_equal(m[3].path, "");
	assert_string_equal(m[4].path, "[stack]");
	assert_string_equal(m[5].path, "[vsyscall]");
	maps__free(&maps);
}

static void escapes_and_long_paths(void **state)
{
	char *text = malloc(6000), *at;
	struct maps maps;

	maps = parse("1000-2000 r--p 0 00:01 1 /a\\012b\\134c\\012\n");
	assert_int_equal(maps.list.len, 1);
	assert_string_equal(maps.list.data[0].path, "/a\nb\\134c\n");
	maps__free(&maps);
	at = text + sprintf(text, "1000-2000 r--p 0 00:01 1 /");
	memset(at, 'p', 4096);
	strcpy(at + 4096, "\n");
	maps = parse(text);
	assert_int_equal(maps.list.len, 1);
	assert_int_equal(strlen(maps.list.data[0].path), 4097);
	maps__free(&maps);
	free(text);
}

static void bad_lines_are_counted(void **state)
{
	static const char *const bad[] = {
		"\n",
		"1000-2000\n",
		"2000-1000 r--p 0 00:01 1 /x\n",
		"1000-1000 r--p 0 00:01 1 /x\n",
		"11111111111111111-22222222222222222 r--p 0 00:01 1 /x\n",
		"1000-2000 r-zp 0 00:01 1 /x\n",
		"1000-2000 r--q 0 00:01 1 /x\n",
		"1000-2000 r--p 0 0001 1 /x\n",
		"1000-2000 r--p 0 00:01 99999999999999999999999 /x\n",
		"1000-2000 r--p 0 00:01 1x /x\n",
		"1000-2000 r--p 0 00:01\n",
		"-2000 r--p 0 00:01 1 /x\n",
		"1000-2000 r--p 0 123456789:01 1 /x\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct maps maps = parse(bad[i]);

		assert_int_equal(maps.bad_lines, 1);
		assert_int_equal(maps.list.len, 0);
		maps__free(&maps);
	}
}

static void overlaps_and_disorder_are_bad(void **state)
{
	struct maps maps = parse("1000-3000 r--p 0 00:01 1 /a\n"
				 "2000-4000 r--p 0 00:01 1 /b\n"
				 "0-1000 r--p 0 00:01 1 /c\n"
				 "3000-4000 r--p 0 00:01 1 /d\n");

	assert_int_equal(maps.bad_lines, 2);
	assert_int_equal(maps.list.len, 2);
	assert_null(maps__find(&maps, 0xfff));
	assert_string_equal(maps__find(&maps, 0x1000)->path, "/a");
	assert_string_equal(maps__find(&maps, 0x2fff)->path, "/a");
	assert_string_equal(maps__find(&maps, 0x3000)->path, "/d");
	assert_null(maps__find(&maps, 0x4000));
	maps__free(&maps);
}

/* Every prefix and every replaced byte of a line: parsed or counted, never more. */
static void mangled_lines(void **state)
{
	static const char line[] =
		"55d0c0000000-55d0c0001000 r-xp 00002000 fe:01 1234      /usr/bin/x (deleted)\n";
	char copy[sizeof(line)];

	for (size_t n = 0; n < sizeof(line); n++) {
		struct maps maps = {0};
		char *exact = malloc(n ? n : 1); /* so that a sanitizer sees a byte too far */

		memcpy(exact, line, n);
		assert_int_equal(maps__parse(exact, n, &maps), 0);
		assert_true(maps.list.len + maps.bad_lines <= 1);
		maps__free(&maps);
		free(exact);
	}
	for (size_t i = 0; i < sizeof(line) - 1; i++) {
		for (int c = 0; c < 256; c++) {
			struct maps maps = {0};

			memcpy(copy, line, sizeof(line));
			copy[i] = (char)c;
			assert_int_equal(maps__parse(copy, sizeof(line) - 1, &maps), 0);
			assert_true(maps.list.len + maps.bad_lines <= 2);
			maps__free(&maps);
		}
	}
}

static void own_mappings(void **state)
{
	struct maps maps = {0};
	const struct mapping *m;
	int on_stack = 0;

	assert_int_equal(maps__load(getpid(), &maps), 0);
	assert_int_equal(maps.bad_lines, 0);
	m = maps__find(&maps, (uint64_t)own_mappings);
	assert_non_null(m);
	assert_true(m->executable);
	assert_true(m->inode != 0);
	m = maps__find(&maps, (uint64_t)&on_stack);
	assert_non_null(m);
	assert_true(m->writable);
	maps__free(&maps);
}

static void no_such_process(void **state)
{
	struct maps maps = {0};

	assert_int_equal(maps__load(0x3fffffff, &maps), -ESRCH);
	maps__free(&maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_lines),
		cmocka_unit_test(escapes_and_long_paths),
		cmocka_unit_test(bad_lines_are_counted),
		cmocka_unit_test(overlaps_and_disorder_are_bad),
		cmocka_unit_test(mangled_lines),
		cmocka_unit_test(own_mappings),
		cmocka_unit_test(no_such_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
