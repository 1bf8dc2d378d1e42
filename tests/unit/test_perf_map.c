// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "stack/perf_map.h"
#include "stack/symbolize.h"

static int file_with(const char *text, size_t len)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	return fd;
}

static struct perf_map *map_with(const char *text)
{
	struct perf_map *map = perf_map__new_of_file(file_with(text, strlen(text)), geteuid());

	assert_int_equal(perf_map__state(map), PERF_MAP_READ);
	return map;
}

/* `name` NULL: unknown. */
static void expect(struct perf_map *map, uint64_t address, const char *name, uint64_t start)
{
	struct perf_map_entry entry;
	int ret = perf_map__find(map, address, &entry);

	if (!name) {
		assert_int_equal(ret, -ENOENT);
		return;
	}
	if (ret)
		fail_msg("%lx is unknown, not %s", (unsigned long)address, name);
	assert_string_equal(entry.name, name);
	assert_int_equal(entry.name_len, strlen(name));
	assert_int_equal(entry.start, start);
}

static void lines(void **state)
{
	struct perf_map *map = map_with("7f0000001000 40 LazyCompile:*add /src/a.js:3:5\n"
					"0x7f0000002000 0x10 Lorg/Main;::run\r\n"
					"7F0000003000 1 x\n");

	expect(map, 0x7f0000000fff, NULL, 0);
	expect(map, 0x7f0000001000, "LazyCompile:*add /src/a.js:3:5", 0x7f0000001000);
	expect(map, 0x7f000000103f, "LazyCompile:*add /src/a.js:3:5", 0x7f0000001000);
	expect(map, 0x7f0000001040, NULL, 0);
	expect(map, 0x7f000000200f, "Lorg/Main;::run", 0x7f0000002000);
	expect(map, 0x7f0000003000, "x", 0x7f0000003000);
	expect(map, 0x7f0000003001, NULL, 0);
	expect(map, 0, NULL, 0);
	expect(map, UINT64_MAX, NULL, 0);
	perf_map__free(map);
}

static void the_newest_wins(void **state)
{
	struct perf_map *map = map_with("1000 100 old\n"
					"1040 20 inside\n"
					"2000 100 whole\n"
					"1f80 100 over_its_beginning\n"
					"20f0 20 over_its_end\n"
					"3000 10 first\n3000 10 second\n"
					"4000 10 hidden\n3ff0 100 covers\n");

	expect(map, 0x103f, "old", 0x1000);
	expect(map, 0x1040, "inside", 0x1040);
	expect(map, 0x105f, "inside", 0x1040);
	expect(map, 0x1060, "old", 0x1000);
	expect(map, 0x10ff, "old", 0x1000);
	expect(map, 0x1f80, "over_its_beginning", 0x1f80);
	expect(map, 0x207f, "over_its_beginning", 0x1f80);
	expect(map, 0x2080, "whole", 0x2000);
	expect(map, 0x20f0, "over_its_end", 0x20f0);
	expect(map, 0x300f, "second", 0x3000);
	expect(map, 0x4008, "covers", 0x3ff0);
	perf_map__free(map);
}

/* Against the obvious search: the last line that holds the address. */
static void random_overlaps(void **state)
{
	struct {
		uint64_t start, size;
	} lines[400];
	char *text = malloc(400 * 40), *at = text, name[16];
	struct perf_map *map;

	srand(7);
	for (int i = 0; i < 400; i++) {
		lines[i].start = 1 + (uint64_t)rand() % 3000;
		lines[i].size = 1 + (uint64_t)rand() % (i % 7 ? 60 : 900);
		at += sprintf(at, "%lx %lx f%d\n", (unsigned long)lines[i].start,
			      (unsigned long)lines[i].size, i);
	}
	map = map_with(text);
	for (uint64_t a = 0; a < 4100; a++) {
		int last = -1;

		for (int i = 0; i < 400; i++)
			if (a >= lines[i].start && a - lines[i].start < lines[i].size)
				last = i;
		snprintf(name, sizeof(name), "f%d", last);
		expect(map, a, last < 0 ? NULL : name, last < 0 ? 0 : lines[last].start);
	}
	perf_map__free(map);
	free(text);
}

static void junk_is_skipped(void **state)
{
	static const char text[] = "1000 10 good\n"
				   "\n"
				   "no numbers here\n"
				   "2000\n"
				   "2000 10\n"
				   "2000 10 \n"
				   "2000 0 empty\n"
				   "ffffffffffffffff 10 wraps\n"
				   "12345678901234567 10 too_long_a_number\n"
				   "-2000 10 negative\n"
				   "2000 10 with\0a nul\n"
				   "\xff\xfe\x00\x01 10 binary\n"
				   "3000 10 \x1b[31mred\n"
				   "4000 10 unfini";
	int fd = file_with(text, sizeof(text) - 1);
	struct perf_map *map = perf_map__new_of_file(fd, geteuid());
	char *long_name = malloc(2000000);

	expect(map, 0x1000, "good", 0x1000);
	expect(map, 0x2000, NULL, 0);
	expect(map, 0x2005, NULL, 0);
	/* Escapes are for whoever prints it. */
	expect(map, 0x3000, "\x1b[31mred", 0x3000);
	/* Its writer is still at it. */
	expect(map, 0x4000, NULL, 0);
	perf_map__free(map);
	strcpy(long_name, "1000 10 ");
	memset(long_name + 8, 'n', 1000000);
	strcpy(long_name + 1000008, "\n2000 10 next\n");
	map = map_with(long_name);
	expect(map, 0x2000, "next", 0x2000);
	memset(long_name, 'n', PERF_MAP_NAME_MAX);
	long_name[PERF_MAP_NAME_MAX] = '\0';
	expect(map, 0x1000, long_name, 0x1000);
	perf_map__free(map);
	free(long_name);
	map = map_with("");
	expect(map, 1, NULL, 0);
	perf_map__free(map);
}

static void it_grows(void **state)
{
	int fd = file_with("1000 10 one\n2000 1", 18), writer = dup(fd);
	struct perf_map *map = perf_map__new_of_file(fd, geteuid());
	uint64_t until = clock_monotonic_ns() + 2 * NSEC_PER_SEC;
	struct perf_map_entry entry;

	expect(map, 0x1000, "one", 0x1000);
	expect(map, 0x2000, NULL, 0);
	assert_int_equal(pwrite(writer, "0 two\n1000 10 newer\n", 20, 18), 20);
	/* It was read a moment ago: it will be again, but not at once. */
	while (perf_map__find(map, 0x2000, &entry) && clock_monotonic_ns() < until)
		usleep(1000);
	expect(map, 0x2000, "two", 0x2000);
	expect(map, 0x1000, "newer", 0x1000);
	/* Code that is replaced is noticed, too, without an unknown address. */
	assert_int_equal(pwrite(writer, "1000 10 newest\n", 15, 38), 15);
	usleep(150000);
	expect(map, 0x1000, "newest", 0x1000);
	close(writer);
	perf_map__free(map);
}

/* 2 GiB, of which only the end is there. */
static void gigabytes(void **state)
{
	int fd = file_with("1000 10 beginning\n", 18);
	struct perf_map *map;
	uint64_t before;

	assert_int_equal(ftruncate(fd, 2LL << 30), 0);
	assert_int_equal(pwrite(fd, "\n3000 10 end\n", 13, (2LL << 30) - 1), 13);
	before = clock_monotonic_ns();
	map = perf_map__new_of_file(fd, geteuid());
	expect(map, 0x1000, NULL, 0); /* of a file that large the newest part is read */
	expect(map, 0x3000, "end", 0x3000);
	expect(map, 0x1000, NULL, 0);
	assert_true(clock_monotonic_ns() - before < 3 * NSEC_PER_SEC);
	perf_map__free(map);
	/* Nothing but zeros: no line at all. */
	fd = file_with("", 0);
	assert_int_equal(ftruncate(fd, 2LL << 30), 0);
	map = perf_map__new_of_file(fd, geteuid());
	expect(map, 0x1000, NULL, 0);
	perf_map__free(map);
}

/* The first line that is read whole is not the rest of one that was cut. */
static void cut_lines(void **state)
{
	static const char line[] = "7f0000001234 10 name\n"; /* 21 bytes */
	size_t n = PERF_MAP_BYTES_MAX / (sizeof(line) - 1) + 10;
	char *text = malloc(n * (sizeof(line) - 1));
	struct perf_map *map;

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * (sizeof(line) - 1), line, sizeof(line) - 1);
	map = perf_map__new_of_file(file_with(text, n * (sizeof(line) - 1)), geteuid());
	expect(map, 0x7f0000001234, "name", 0x7f0000001234);
	for (uint64_t mask = 0xf; mask < 0x7f0000001234; mask = mask << 4 | 0xf)
		expect(map, 0x7f0000001234 & mask, NULL, 0);
	perf_map__free(map);
	free(text);
}

/* ---- found by process ---- */

static pid_t child;
static char path[64];

static int start_child(void **state)
{
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", child);
	unlink(path);
	return child < 0;
}

static int stop_child(void **state)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(path);
	return 0;
}

static void write_map(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void of_a_process(void **state)
{
	struct perf_map *map = perf_map__new(child);

	assert_int_equal(perf_map__state(map), PERF_MAP_NONE);
	expect(map, 0x1000, NULL, 0);
	/* It comes later, and outlives its process and its name. */
	write_map("1000 10 jitted\n");
	expect(map, 0x1000, "jitted", 0x1000);
	assert_int_equal(perf_map__state(map), PERF_MAP_READ);
	unlink(path);
	perf_map__free(map);
	write_map("1000 10 jitted\n");
	map = perf_map__new(child);
	unlink(path);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	expect(map, 0x1000, "jitted", 0x1000);
	perf_map__free(map);
	map = perf_map__new(child);
	expect(map, 0x1000, NULL, 0);
	perf_map__free(map);
}

static void evil_files(void **state)
{
	struct perf_map *map;

	assert_int_equal(symlink("/etc/shadow", path), 0);
	map = perf_map__new(child);
	assert_int_equal(perf_map__state(map), PERF_MAP_NOT_REGULAR);
	expect(map, 0, NULL, 0);
	perf_map__free(map);
	unlink(path);
	assert_int_equal(mkfifo(path, 0666), 0);
	alarm(10);
	map = perf_map__new(child);
	alarm(0);
	assert_int_equal(perf_map__state(map), PERF_MAP_NOT_REGULAR);
	perf_map__free(map);
	unlink(path);
	assert_int_equal(mkdir(path, 0755), 0);
	map = perf_map__new(child);
	assert_int_equal(perf_map__state(map), PERF_MAP_NOT_REGULAR);
	perf_map__free(map);
	rmdir(path);
	write_map("1000 10 not_mine\n");
	if (geteuid()) {
		print_message("not root: no file of another user is tried\n");
		return;
	}
	assert_int_equal(chown(path, 65534, 65534), 0);
	map = perf_map__new(child);
	assert_int_equal(perf_map__state(map), PERF_MAP_FOREIGN);
	expect(map, 0x1000, NULL, 0);
	perf_map__free(map);
}

/* Through the symbolizer: code without a file has a name, and keeps it. */
static void through_the_symbolizer(void **state)
{
	char anonymous[] = "";
	struct mapping m = {
		.start = 0x10000, .end = 0x20000, .executable = true, .path = anonymous};
	struct maps maps = {.list = {&m, 1, 1}};
	struct symbolizer *sym = symbolizer__new();
	struct symbolizer_facts facts;
	struct frame frame;

	assert_int_equal(symbolizer__add_layout(sym, 9, child, &maps), 0);
	write_map("10100 40 LazyCompile:~handler server.js:7\n30000 10 later\n");
	/* Seen at the next look at the mappings; then the process may go. */
	assert_int_equal(symbolizer__add_layout(sym, 9, child, &maps), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(path);
	assert_int_equal(symbolizer__resolve(sym, 9, 0x10120, true, &frame), 0);
	assert_string_equal(frame.function, "LazyCompile:~handler server.js:7");
	assert_string_equal(frame.module, "[jit]");
	assert_int_equal(frame.function_offset, 0x20);
	assert_int_equal(frame.file_vaddr_offset, 0x10120);
	assert_null(frame.path);
	/* A return address is one behind its call. */
	assert_int_equal(symbolizer__resolve(sym, 9, 0x10140, true, &frame), 0);
	assert_non_null(frame.function);
	assert_int_equal(symbolizer__resolve(sym, 9, 0x10140, false, &frame), 0);
	assert_null(frame.function);
	assert_string_equal(frame.module, "[anon]");
	/* Mapped after the layout was looked at. */
	assert_int_equal(symbolizer__resolve(sym, 9, 0x30008, false, &frame), 0);
	assert_string_equal(frame.function, "later");
	assert_true(frame.executable_mapping);
	assert_int_equal(symbolizer__resolve(sym, 9, 0x40000, false, &frame), -ENOENT);
	symbolizer__facts(sym, &facts);
	assert_int_equal(facts.perf_maps, 1);
	assert_int_equal(facts.foreign_perf_maps + facts.odd_perf_maps, 0);
	symbolizer__free(sym);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(the_newest_wins),
		cmocka_unit_test(random_overlaps),
		cmocka_unit_test(junk_is_skipped),
		cmocka_unit_test(it_grows),
		cmocka_unit_test(gigabytes),
		cmocka_unit_test(cut_lines),
		cmocka_unit_test_setup_teardown(of_a_process, start_child, stop_child),
		cmocka_unit_test_setup_teardown(evil_files, start_child, stop_child),
		cmocka_unit_test_setup_teardown(through_the_symbolizer, start_child, stop_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
