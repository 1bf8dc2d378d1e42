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
	bool in_our_root;
	ssize_t len;

	*facts = (struct debug_file_facts){0};
	if (debug_file__open(img, "/app/prog", root, facts, &debug, &in_our_root)) {
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

/* A process whose root has no debug file, but ours has: links in it mean ours. */
static void which_root_it_was(void **state)
{
	struct debug_file_facts facts = {0};
	struct elf_image *img, *debug;
	char path[128];
	int root;
	bool ours;

	make_root("0x" BUILD_ID, "prog.debug");
	sh("mkdir empty && cp prog.debug root/app/prog.debug");
	img = open_built("root/app/prog");
	snprintf(path, sizeof(path), "%s/root/app/prog", built_dir);
	root = open("empty", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(debug_file__open(img, path, root, &facts, &debug, &ours), 0);
	assert_true(ours);
	elf_image__free(debug);
	close(root);
	root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(debug_file__open(img, "/app/prog", root, &facts, &debug, &ours), 0);
	assert_false(ours);
	elf_image__free(debug);
	close(root);
	elf_image__free(img);
}

/* ---- what dwz moved to a common file ---- */

#define DWZ_DIR "usr/lib/debug/.dwz/x86_64-linux-gnu"

/*
 * The debug file of /app/prog by build-id, which refers as `link` to what it shares with another
 * one, and that: common.debug, not in the root.
 */
static void make_common(const char *link)
{
	make_root("0x" BUILD_ID, NULL);
	write_text("pair.c", "struct shared_by_both { int one, other; } both;\n"
			     "int main(void) { return both.one + both.other; }\n");
	sh("gcc -g pair.c -o first -Wl,--build-id=0x" BUILD_ID " && gcc -g -O1 pair.c -o second");
	sh("dwz -m common.debug -M '%s' first second", link);
	sh("mkdir -p root/" DWZ_DIR " && objcopy --only-keep-debug first root/" BY_ID);
}

static char *id_of_common(char hex[ELF_BUILD_ID_HEX_MAX])
{
	struct elf_image *img;

	assert_int_equal(
		elf_image__open_debug_fd(open_regular(AT_FDCWD, "common.debug"), &img, NULL), 0);
	assert_int_equal(elf_image__build_id(img, hex), 0);
	elf_image__free(img);
	return hex;
}

/* `path` NULL: none is found. Below the root directory, or -1 for our own. */
static struct debug_file_facts expect_common_in(int root, const char *object, const char *path)
{
	struct elf_image *debug = open_built(object), *common = NULL;
	char wanted[512], found[512], link[64];
	struct debug_file_facts facts = {0};
	ssize_t len = 0;

	alarm(10);
	if (!debug_file__open_common(debug, root, &facts, &common)) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", elf_image__fd(common));
		len = readlink(link, found, sizeof(found) - 1);
		assert_true(len > 0);
	} else {
		assert_null(common);
	}
	alarm(0);
	found[len] = '\0';
	snprintf(wanted, sizeof(wanted), "%s/%s", built_dir, path ? path : "");
	assert_string_equal(found, path ? wanted : "");
	assert_int_equal(facts.common_found, path != NULL);
	elf_image__free(common);
	elf_image__free(debug);
	return facts;
}

static struct debug_file_facts expect_common(const char *path)
{
	int root = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct debug_file_facts facts = expect_common_in(root, "root/" BY_ID, path);

	close(root);
	return facts;
}

static void common_by_path(void **state)
{
	static const char *const links[] = {"/" DWZ_DIR "/pair.debug",
					    "../../.dwz/x86_64-linux-gnu/pair.debug"};

	for (size_t i = 0; i < 2; i++) {
		make_common(links[i]);
		expect_common(NULL);
		sh("cp common.debug root/" DWZ_DIR "/pair.debug");
		expect_common("root/" DWZ_DIR "/pair.debug");
	}
	/* The way starts where the file is, not where the link to it is. */
	make_common("../lib/pair.debug");
	sh("mkdir root/lib && cp common.debug root/lib/pair.debug && "
	   "mv root/" BY_ID " root/app/moved.debug && "
	   "ln -s ../../../../../app/moved.debug root/" BY_ID);
	expect_common("root/lib/pair.debug");
	/* Objects that were never stripped refer to it, too. */
	sh("cp first root/app/prog");
	expect_common_in(-1, "root/app/prog", "root/lib/pair.debug");
}

static void common_by_build_id(void **state)
{
	char hex[ELF_BUILD_ID_HEX_MAX], path[128];

	make_common("/nowhere/pair.debug");
	id_of_common(hex);
	snprintf(path, sizeof(path), "root/usr/lib/debug/.build-id/%.2s/%s.debug", hex, hex + 2);
	sh("mkdir -p root/usr/lib/debug/.build-id/%.2s && cp common.debug %s", hex, path);
	expect_common(path);
}

static void common_of_another_build(void **state)
{
	struct debug_file_facts facts;

	make_common("/" DWZ_DIR "/pair.debug");
	sh("sed s/shared_by_both/other_in_both_/ pair.c >other.c && gcc -g other.c -o third && "
	   "gcc -g -O1 other.c -o fourth && dwz -m root/" DWZ_DIR "/pair.debug third fourth");
	facts = expect_common(NULL);
	assert_int_equal(facts.other_build_id, 1);
	assert_int_equal(facts.found + facts.bad_links + facts.unusable, 0);
	write_text("root/" DWZ_DIR "/pair.debug",
		   "no ELF file at all, but long enough to be looked at as a header");
	assert_int_equal(expect_common(NULL).unusable, 1);
	/* With that of the debug file itself, which is no other file. */
	make_common("/" BY_ID);
	assert_int_equal(expect_common(NULL).other_build_id, 0);
}

static void common_never_leaves_the_root(void **state)
{
	char up[256], out[256];

	snprintf(up, sizeof(up), "../../../../../../../../../..%s/outside/c", built_dir);
	snprintf(out, sizeof(out), "%s/outside/c", built_dir);
	for (int i = 0; i < 2; i++) {
		make_common(i ? up : out);
		sh("mkdir -p outside && cp common.debug outside/c");
		expect_common(NULL);
		/* The same words mean that file where they are said in our own root. */
		expect_common_in(-1, "root/" BY_ID, "outside/c");
	}
	make_common("/" DWZ_DIR "/pair.debug");
	sh("cp common.debug outside/c && ln -s %s root/" DWZ_DIR "/pair.debug", out);
	expect_common(NULL);
	sh("ln -sf ../../../../../../../../..%s root/" DWZ_DIR "/pair.debug", out);
	expect_common(NULL);
	sh("rm root/" DWZ_DIR "/pair.debug");
	assert_int_equal(mkfifo("root/" DWZ_DIR "/pair.debug", 0644), 0);
	assert_int_equal(expect_common(NULL).unusable, 1);
	sh("rm root/" DWZ_DIR "/pair.debug && mkdir root/" DWZ_DIR "/pair.debug");
	assert_int_equal(expect_common(NULL).unusable, 1);
}

/* Puts a raw .gnu_debugaltlink into the debug file: a path of `len` bytes, a NUL, and an id. */
static void set_altlink(const char *path, size_t len, size_t id_len)
{
	char data[6000] = {0}, hex[ELF_BUILD_ID_HEX_MAX];

	id_of_common(hex);
	memcpy(data, path, len);
	for (size_t i = 0; i < id_len && i < 20; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", (uint8_t *)data + len + 1 + i), 1);
	write_file("link", data, len + 1 + id_len);
	sh("objcopy --update-section .gnu_debugaltlink=link root/" BY_ID);
}

static void hostile_altlinks(void **state)
{
	static const char good[] = "/" DWZ_DIR "/pair.debug";
	char path[5000];
	size_t len = 0;

	make_common(good);
	sh("cp common.debug root%s", good);
	set_altlink(good, strlen(good), 20);
	expect_common("root/" DWZ_DIR "/pair.debug");
	set_altlink(good, strlen(good), 19);
	assert_int_equal(expect_common(NULL).bad_links, 1);
	set_altlink(good, strlen(good), 21);
	assert_int_equal(expect_common(NULL).bad_links, 1);
	set_altlink("", 0, 20);
	assert_int_equal(expect_common(NULL).bad_links, 1);
	write_file("link", good, strlen(good)); /* no NUL */
	sh("objcopy --update-section .gnu_debugaltlink=link root/" BY_ID);
	assert_int_equal(expect_common(NULL).bad_links, 1);
	set_altlink("/", 1, 20);
	assert_int_equal(expect_common(NULL).unusable, 1);
	/* 300 characters are no name of a file, but may be a path. */
	memset(path, 'n', sizeof(path));
	set_altlink(path, 300, 20);
	assert_int_equal(expect_common(NULL).bad_links, 0);
	while (len < 280)
		len += (size_t)snprintf(path + len, sizeof(path) - len, "/usr/..");
	snprintf(path + len, sizeof(path) - len, "%s", good);
	set_altlink(path, strlen(path), 20);
	expect_common("root/" DWZ_DIR "/pair.debug");
	/* Longer than any path; together with the directory; and no end at all. */
	memset(path, 'n', sizeof(path));
	set_altlink(path, 4096, 20);
	assert_int_equal(expect_common(NULL).bad_links, 1);
	set_altlink(path, 4090, 20);
	assert_int_equal(expect_common(NULL).bad_links, 0);
	sh("head -c 9000 /dev/zero | tr '\\0' n >link && "
	   "objcopy --update-section .gnu_debugaltlink=link root/" BY_ID);
	assert_int_equal(expect_common(NULL).bad_links, 1);
	sh("objcopy -R .gnu_debugaltlink root/" BY_ID);
	assert_int_equal(expect_common(NULL).bad_links, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, built_dir__make, built_dir__remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(by_build_id),
		CASE(never_blocks_and_never_leaves_the_root),
		CASE(by_link),
		CASE(hostile_links),
		CASE(which_root_it_was),
		CASE(common_by_path),
		CASE(common_by_build_id),
		CASE(common_of_another_build),
		CASE(common_never_leaves_the_root),
		CASE(hostile_altlinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
