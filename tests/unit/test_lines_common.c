// SPDX-License-Identifier: BSD-2-Clause
/* Lines and inlined functions where dwz moved a part of the debug information to a common file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "built_object.h"
#include "mapped_program.h"
#include "session/call_lines.h"
#include "stack/lines_worker.h"

/*
 * Built twice, so that two files share all but main(). `mark` is at the instruction behind the
 * store that take_note() is inlined for, at depth two.
 */
static const char source[] =
	"struct note_of_both { int first_number, second_number; };\n" /*  1 */
	"volatile int sink;\n"
	"#define INLINE static inline __attribute__((always_inline))\n"
	"INLINE void take_note(struct note_of_both *note)\n" /*  4 */
	"{\n"
	"	sink = note->second_number; asm volatile(\".globl mark\\nmark:\");\n" /*  6 */
	"}\n"
	"INLINE void open_shop(struct note_of_both *note)\n" /*  8 */
	"{\n"
	"	note->first_number++;\n"
	"	take_note(note);\n" /* 11 */
	"}\n"
	"int main(int argc, char **argv)\n" /* 13 */
	"{\n"
	"	struct note_of_both note = {argc, KIND};\n"
	"	open_shop(&note);\n" /* 16 */
	"	return note.first_number * KIND;\n"
	"}\n";

static uint64_t mark(void)
{
	return built_vaddr("one.nm", "mark");
}

/* one and two, unstripped; nothing is moved yet. */
static void build(void)
{
	write_text("shop.c", source);
	sh("gcc -g -O2 -DKIND=1 shop.c -o one && gcc -g -O2 -DKIND=2 shop.c -o two && "
	   "nm one >one.nm");
}

/* The debug information of `one`, stripped then, in one.debug and common.debug. */
static void build_apart(void)
{
	build();
	sh("objcopy --only-keep-debug one one.debug && objcopy --only-keep-debug two two.debug");
	sh("dwz -m common.debug one.debug two.debug");
	sh("strip one && objcopy --add-gnu-debuglink=one.debug one");
}

/* ---- what the worker finds ---- */

struct answer {
	uint32_t count;
	uint32_t lines[4];
	char functions[4][64]; /* "" = unknown */
};

static void take(void *arg, size_t index, const struct source_frame *frames, uint32_t count)
{
	struct answer *a = arg;

	a->count = count;
	assert_true(count <= 4);
	for (uint32_t i = 0; i < count; i++) {
		a->lines[i] = frames[i].line;
		snprintf(a->functions[i], sizeof(a->functions[i]), "%s",
			 frames[i].function ? frames[i].function : "");
		assert_int_equal(frames[i].inlined, i + 1 < count);
		assert_non_null(strstr(frames[i].file, "/shop.c"));
	}
}

static int ask(const char *common, struct answer *out)
{
	struct lines_files files = {
		.dwarf = open_regular(AT_FDCWD, "one.debug"),
		.common = common ? open_regular(AT_FDCWD, common) : -1,
	};
	uint64_t vaddr = mark() - 1;
	int ret;

	*out = (struct answer){0};
	assert_true(files.dwarf >= 0 && (!common || files.common >= 0));
	ret = lines_worker__ask(&files, &vaddr, 1, take, out);
	close(files.dwarf);
	if (common)
		close(files.common);
	return ret;
}

static void expect_lines(const struct answer *a)
{
	assert_int_equal(a->count, 3);
	assert_int_equal(a->lines[0], 6);
	assert_int_equal(a->lines[1], 11);
	assert_int_equal(a->lines[2], 16);
}

static void names_are_in_the_common_file(void **state)
{
	struct answer a;

	build_apart();
	assert_int_equal(ask("common.debug", &a), 0);
	expect_lines(&a);
	assert_string_equal(a.functions[0], "take_note");
	assert_string_equal(a.functions[1], "open_shop");
	assert_string_equal(a.functions[2], "main");
	/* Without it: all that is in the file itself. */
	assert_int_equal(ask(NULL, &a), 0);
	expect_lines(&a);
	assert_string_equal(a.functions[0], "");
	assert_string_equal(a.functions[1], "");
}

/* A build-id is a promise, no more: what is in the common file may be anything. */
static void hostile_common_files(void **state)
{
	struct elf_section sec;
	struct elf_image *img;
	struct answer a;
	uint8_t byte;
	int fd;

	build_apart();
	write_text("bad", "no ELF file");
	assert_int_equal(ask("bad", &a), 0);
	expect_lines(&a);
	write_text("bad", "");
	assert_int_equal(ask("bad", &a), 0);
	expect_lines(&a);
	/* Its own debug file, without what is referred to. */
	assert_int_equal(ask("one.debug", &a), 0);
	assert_int_equal(ask("two", &a), 0);
	assert_int_equal(
		elf_image__open_debug_fd(open_regular(AT_FDCWD, "common.debug"), &img, NULL), 0);
	srand(13);
	for (int round = 0; round < 40; round++) {
		const char *name = round % 2 ? ".debug_info" : ".debug_abbrev";
		int ret;

		assert_int_equal(elf_image__section(img, name, &sec), 0);
		sh("cp common.debug bad");
		fd = open("bad", O_WRONLY | O_CLOEXEC);
		for (int k = 0; k < 1 + round % 5; k++) {
			byte = (uint8_t)rand();
			assert_int_equal(pwrite(fd, &byte, 1,
						(off_t)(sec.offset + (uint64_t)rand() % sec.size)),
					 1);
		}
		close(fd);
		ret = ask("bad", &a);
		if (ret && ret != -EIO && ret != -ETIMEDOUT)
			fail_msg("%s: %d", name, ret);
	}
	elf_image__free(img);
}

/* ---- the whole way ---- */

/* The call site at mark() in `one`, expanded as reports do it. */
static struct debug_file_facts expect_names(const char *inner, const char *outer)
{
	struct heap_frame *frames = calloc(1, sizeof(*frames));
	struct call_lines_stack stack = {&frames, &(uint32_t){1}};
	static const uint32_t lines[] = {6, 11, 16};
	struct symbolizer *sym = symbolizer__new();
	struct source_facts facts = {0};
	struct symbolizer_facts found;
	struct elf_image *img = open_built("one");
	char path[128], id[ELF_BUILD_ID_HEX_MAX];

	snprintf(path, sizeof(path), "%s/one", built_dir);
	elf_image__build_id(img, id);
	elf_image__free(img);
	add_program(sym, path);
	frames[0] = (struct heap_frame){
		.function = "main", .module = path, .build_id = id, .offset = mark()};
	assert_int_equal(call_lines__add(sym, &stack, 1, &facts), 0);
	assert_int_equal(facts.objects, 1);
	assert_int_equal(facts.unreadable + facts.too_slow, 0);
	assert_int_equal(*stack.depth, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(frames[i].line, lines[i]);
		assert_int_equal(frames[i].inlined, i < 2);
		assert_non_null(strstr(frames[i].file, "/shop.c"));
	}
	if (inner) {
		assert_string_equal(frames[0].function, inner);
		assert_string_equal(frames[1].function, outer);
	} else {
		assert_null(frames[0].function);
		assert_null(frames[1].function);
	}
	assert_string_equal(frames[2].function, "main");
	symbolizer__facts(sym, &found);
	free(frames);
	symbolizer__free(sym);
	return found.debug_files;
}

static void debug_file_and_common_file(void **state)
{
	struct debug_file_facts facts;

	build_apart();
	facts = expect_names("take_note", "open_shop");
	assert_int_equal(facts.found, 1);
	assert_int_equal(facts.common_found, 1);
	assert_int_equal(facts.other_build_id + facts.unusable + facts.bad_links, 0);
	sh("mv common.debug away");
	facts = expect_names(NULL, NULL);
	assert_int_equal(facts.common_found, 0);
	/* That of another build has other names in the same places. */
	sh("sed 's/take_note/fake_note/' shop.c >fake.c && gcc -g -O2 -DKIND=1 fake.c -o three && "
	   "gcc -g -O2 -DKIND=2 fake.c -o four && dwz -m common.debug three four");
	facts = expect_names(NULL, NULL);
	assert_int_equal(facts.common_found, 0);
	assert_int_equal(facts.other_build_id, 1);
}

static void objects_that_were_not_stripped(void **state)
{
	struct debug_file_facts facts;

	build();
	sh("mkdir lib && dwz -m lib/common -M lib/common one two");
	facts = expect_names("take_note", "open_shop");
	assert_int_equal(facts.found, 0);
	assert_int_equal(facts.common_found, 1);
	sh("rm lib/common");
	expect_names(NULL, NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, built_dir__make, built_dir__remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names_are_in_the_common_file),
		CASE(hostile_common_files),
		CASE(debug_file_and_common_file),
		CASE(objects_that_were_not_stripped),
	};

	if (!source_lines_supported) {
		print_message("made without libdw: nothing to test\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
