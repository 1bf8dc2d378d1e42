// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>

#include "built_object.h"
#include "elf/debug_link.h"
#include "stack/debug_file.h"

#define BUILD_ID "c0ffee00112233445566778899aabbccddeeff00"
#define BY_ID	 "usr/lib/debug/.build-id/c0/ffee00112233445566778899aabbccddeeff00.debug"

/*
 * A root directory of its own with the stripped /app/prog, whose debug information is in
 * ./prog.debug, not in the root. `link` is what .gnu_debuglink is made from, NULL = none.
 */
static void make_root(const char *build_id, const char *link)
{
	write_text("prog.c", "int main(void) { return 0; }\n");
	sh("rm -rf root && mkdir -p root/app/.debug root/usr/lib/debug/app root/etc "
	   "root/usr/lib/debug/.build-id/c0");
	sh("gcc -g prog.c -o whole -Wl,--build-id=%s", build_id);
	sh("objcopy --only-keep-debug whole prog.debug && strip -o root/app/prog whole");
	if (link)
		sh("objcopy --add-gnu-debuglink=%s root/app/prog", link);
}

static char *look(struct debug_file_facts *facts)
{
	struct elf_image *img = open_built("root/app/prog"), *debug;
	int root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[64], target[512];
	struct elf_section sec;
	ssize_t len;

	*facts = (struct debug_file_facts){0};
	if (debug_file__open(img, "/app/prog", root, facts, &debug)) {
		assert_null(debug);
		len = 0;
	} else {
		assert_int_equal(elf_image__section(debug, ".debug_info", &sec), 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", elf_image__fd(debug));
		len = readlink(path, target, sizeof(target) - 1);
		assert_true(len > 0);
	}
	target[len] = '\0';
	elf_image__free(debug);
	elf_image__free(img);
	close(root);
	return strdup(target);
}

/* `suffix` NULL: none is found. */
static struct debug_file_facts expect(const char *suffix)
{
	struct debug_file_facts facts;
	char *found = look(&facts);

	if (suffix ? !found[0] || strcmp(found + strlen(found) - strlen(suffix), suffix)
		   : found[0] != '\0')
		fail_msg("found '%s', wanted '%s'", found, suffix ? suffix : "nothing");
	assert_int_equal(facts.found, suffix != NULL);
	free(found);
	return facts;
}

static void by_build_id(void **state)
{
	struct debug_file_facts facts;

	make_root("0x" BUILD_ID, NULL);
	expect(NULL);
	sh("cp prog.debug root/" BY_ID);
	facts = expect(BY_ID);
	assert_int_equal(facts.other_build_id, 0);
	/* The debug file of another build, in that place. */
	sh("gcc -g prog.c -o other -Wl,--build-id=%s",
	   "0xc0ffee00112233445566778899aabbccddeeff01");
	sh("objcopy --only-keep-debug other root/" BY_ID);
	facts = expect(NULL);
	assert_int_equal(facts.other_build_id, 1);
	write_text("root/" BY_ID,
		   "no ELF file at all, but long enough to be looked at as a header");
	facts = expect(NULL);
	assert_int_equal(facts.unusable, 1);
}

static void never_blocks_and_never_leaves_the_root(void **state)
{
	struct debug_file_facts facts;

	make_root("0x" BUILD_ID, NULL);
	assert_int_equal(mkfifo("root/" BY_ID, 0644), 0);
	alarm(10);
	facts = expect(NULL);
	alarm(0);
	assert_int_equal(facts.unusable, 1);
	sh("mkdir root/outside && cp prog.debug root/outside/d && mkdir -p outside && "
	   "cp prog.debug %s/outside/e",
	   built_dir);
	/* An absolute link means the root of the process, not ours. */
	sh("ln -sf %s/outside/e root/" BY_ID, built_dir);
	expect(NULL);
	sh("ln -sf ../../../../../../../../../../..%s/outside/e root/" BY_ID, built_dir);
	expect(NULL);
	sh("ln -sf /outside/d root/" BY_ID);
	expect("root/outside/d");
}

static void by_link(void **state)
{
	static const char *const places[] = {"root/app/prog.debug", "root/app/.debug/prog.debug",
					     "root/usr/lib/debug/app/prog.debug"};
	struct debug_file_facts facts;

	make_root("0x" BUILD_ID, "prog.debug");
	expect(NULL);
	for (size_t i = 0; i < 3; i++) {
		sh("cp prog.debug %s", places[i]);
		expect(places[i]);
		sh("rm %s", places[i]);
	}
	/* The same build, but not the same file. */
	sh("cp prog.debug root/app/prog.debug && echo >>root/app/prog.debug");
	facts = expect(NULL);
	assert_int_equal(facts.other_crc, 1);
	/* Without build-ids the checksum alone decides. */
	make_root("none", "prog.debug");
	sh("cp prog.debug root/app/prog.debug");
	expect("root/app/prog.debug");
	sh("echo >>root/app/prog.debug");
	assert_int_equal(expect(NULL).other_crc, 1);
	/* The next place is tried, too. */
	sh("cp prog.debug root/app/.debug/prog.debug");
	expect("root/app/.debug/prog.debug");
}

/* Puts a raw .gnu_debuglink into the program. */
static void set_link(const char *name, size_t len)
{
	char data[600] = {0};
	size_t size = ((len + 1 + 3) & ~(size_t)3) + 4;

	memcpy(data, name, len);
	write_file("link", data, size);
	sh("strip -R .gnu_debuglink -o root/app/prog whole && "
	   "objcopy --add-section .gnu_debuglink=link root/app/prog");
}

static void hostile_links(void **state)
{
	static const char *const names[] = {
		"../../etc/shadow", "/etc/shadow", "..", ".", "", "a/b"};
	char long_name[300];
	struct elf_debug_link link;
	struct elf_image *img;

	make_root("0x" BUILD_ID, NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		set_link(names[i], strlen(names[i]));
		assert_int_equal(expect(NULL).bad_links, 1);
	}
	memset(long_name, 'n', sizeof(long_name));
	set_link(long_name, sizeof(long_name));
	assert_int_equal(expect(NULL).bad_links, 1);
	img = open_built("root/app/prog");
	assert_int_equal(elf_debug_link__read(img, &link), -ENAMETOOLONG);
	elf_image__free(img);
	/* No NUL, no room for the checksum. */
	write_file("link", "abcd", 4);
	sh("strip -R .gnu_debuglink -o root/app/prog whole && "
	   "objcopy --add-section .gnu_debuglink=link root/app/prog");
	assert_int_equal(expect(NULL).bad_links, 1);
	write_file("link", "abc\0ab", 6);
	sh("objcopy --update-section .gnu_debuglink=link root/app/prog");
	assert_int_equal(expect(NULL).bad_links, 1);
	/* A link to itself is no debug file. */
	set_link("prog", 4);
	assert_int_equal(expect(NULL).bad_links, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_build_id, built_dir__make, built_dir__remove),
		cmocka_unit_test_setup_teardown(never_blocks_and_never_leaves_the_root,
						built_dir__make, built_dir__remove),
		cmocka_unit_test_setup_teardown(by_link, built_dir__make, built_dir__remove),
		cmocka_unit_test_setup_teardown(hostile_links, built_dir__make, built_dir__remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
