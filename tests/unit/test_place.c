// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/openfile.h"
#include "elf/symbols.h"
#include "probe/place.h"

struct fixture {
	const char *what;
	const char *code; /* hex, blanks between instructions */
	enum place_need need;
	uint32_t args;
	uint32_t site;
	bool emulated, null_filtered;
	uint32_t stack_moved;
	bool reentered;
	int err;
};

static const struct fixture fixtures[] = {
	{"push first", "4154 55 53 c3", PLACE_RETURN, PLACE_ARG1, 0, .emulated = true},
	{"endbr64, push", "f30f1efa 55 c3", PLACE_RETURN, PLACE_ALL_ARGS, 4, .emulated = true},
	{"glibc free", "4885ff 0f840a000000 55 488d77f0 53 4883ec18 c3", PLACE_ENTRY_SKIPS_NULL,
	 PLACE_ARG1, 9, .emulated = true, .null_filtered = true},
	{"glibc free, every call wanted", "4885ff 0f840a000000 55 53 c3", PLACE_ENTRY, PLACE_ARG1,
	 3, .emulated = true},
	{"CET free", "f30f1efa 4885ff 740a 55 53 c3", PLACE_ENTRY_SKIPS_NULL, PLACE_ARG1, 9,
	 .emulated = true, .null_filtered = true},
	{"another register is tested", "4885f6 740a 55 53 c3", PLACE_ENTRY_SKIPS_NULL, PLACE_ARG1,
	 3, .emulated = true},
	{"jne leads past", "4885ff 7501 c3 55 c3", PLACE_ENTRY_SKIPS_NULL, PLACE_ARG1, 3,
	 .emulated = true},
	{"the test is not the last that sets flags", "4885ff 4885f6 7401 55 c3",
	 PLACE_ENTRY_SKIPS_NULL, PLACE_ARG1, 6, .emulated = true},
	{"argument lost behind the NULL check", "4885ff 7404 31ff 55 c3", PLACE_ENTRY_SKIPS_NULL,
	 PLACE_ARG1, 3, .emulated = true},
	{"argument overwritten", "488b3f 55 c3", PLACE_RETURN, PLACE_ARG1, 0, .emulated = false},
	{"an argument nobody needs", "488b36 55 c3", PLACE_RETURN, PLACE_ARG1, 3, .emulated = true},
	{"mul writes rdx", "4889f0 48f7e2 4889c6 7005 e900000000 c3", PLACE_RETURN,
	 PLACE_ARG1 | PLACE_ARG2 | PLACE_ARG3, 0, .emulated = false},
	{"stack moved, return hooked", "4883ec18 488b07 7400 c3", PLACE_RETURN, PLACE_ARG1, 0,
	 .emulated = false},
	{"stack moved, entry only", "4883ec18 488b07 7400 c3", PLACE_ENTRY, PLACE_ARG1, 7,
	 .emulated = true, .stack_moved = 24},
	{"stack aligned, entry only", "4883e4f0 55 c3", PLACE_ENTRY, PLACE_ARG1, 0,
	 .emulated = false},
	{"loop head before the site", "488b06 48ffc8 55 75f9 c3", PLACE_RETURN, PLACE_ARG1, 0,
	 .emulated = false},
	{"branch onto the site", "488b06 55 48ffc8 75fa c3", PLACE_RETURN, PLACE_ARG1, 0,
	 .emulated = false},
	{"branch onto the entry", "488b06 55 48ffc8 75f7 c3", PLACE_RETURN, PLACE_ARG1, 3,
	 .emulated = true, .reentered = true},
	{"jump onto the entry", "488b06 55 ebfa", PLACE_RETURN, PLACE_ARG1, 3, .emulated = true,
	 .reentered = true},
	{"pushf would push the trap flag", "9c 58 c3", PLACE_RETURN, PLACE_ARG1, 0,
	 .err = -ENOTSUP},
	{"call of itself", "488b06 55 e8f7ffffff c3", PLACE_RETURN, PLACE_ARG1, 3,
	 .emulated = true},
	{"branch behind the site", "488b06 55 48ffc8 75fb c3", PLACE_RETURN, PLACE_ARG1, 3,
	 .emulated = true},
	{"loop instruction onto the site", "488b06 55 e2fd c3", PLACE_RETURN, PLACE_ARG1, 0,
	 .emulated = false},
	{"never a nop5", "0f1f440000 488b06 c3", PLACE_RETURN, PLACE_ARG1, 0, .emulated = false},
	{"behind a nop5", "0f1f440000 55 c3", PLACE_RETURN, PLACE_ARG1, 5, .emulated = true},
	{"indirect call first", "ff17 55 c3", PLACE_RETURN, PLACE_ARG1, 0, .emulated = false},
	{"call first", "e800000000 c3", PLACE_RETURN, PLACE_ARG1, 0, .emulated = true},
	{"syscall wrapper", "b801000000 0f05 55 c3", PLACE_RETURN, PLACE_ARG1, 0,
	 .emulated = false},
	{"only a return", "31c0 c3", PLACE_RETURN, PLACE_ARG1, 0, .emulated = false},
	{"unknown byte later", "488b06 55 06 c3", PLACE_RETURN, PLACE_ARG1, 0, .emulated = false},
	{"unknown byte first", "06 55 c3", PLACE_RETURN, PLACE_ARG1, 0, .emulated = false},
	{"cut off", "488b06 55 4881", PLACE_RETURN, PLACE_ARG1, 3, .emulated = true},
	{"lock first, then a push", "f0ff06 55 c3", PLACE_RETURN, PLACE_ARG1, 3, .emulated = true},
	{"lock first, nothing else", "f0ff06 c3", PLACE_RETURN, PLACE_ARG1, 0, .err = -ENOTSUP},
	{"breakpoint", "cc c3", PLACE_RETURN, PLACE_ARG1, 0, .err = -ENOTSUP},
};

static size_t from_hex(const char *hex, uint8_t *out)
{
	unsigned int byte;
	size_t n = 0;

	while (*hex) {
		if (*hex == ' ') {
			hex++;
		} else {
			sscanf(hex, "%2x", &byte);
			out[n++] = (uint8_t)byte;
			hex += 2;
		}
	}
	return n;
}

static void fixtures_are_placed(void **state)
{
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		const struct fixture *f = &fixtures[i];
		uint8_t bytes[64], *code;
		size_t n = from_hex(f->code, bytes);
		struct placement at;

		code = malloc(n); /* exactly as long, for sanitizers */
		memcpy(code, bytes, n);
		if (place_probe(code, n, 0x1000, f->need, f->args, &at) != f->err ||
		    at.site_offset != f->site || at.emulated != f->emulated ||
		    at.null_filtered != f->null_filtered || at.stack_moved != f->stack_moved ||
		    at.reentered != f->reentered)
			fail_msg("%s: +%u %s (%s)", f->what, at.site_offset, at.instruction,
				 at.why);
		assert_non_null(at.why);
		assert_true(at.instruction[0] != '\0');
		free(code);
	}
}

/* An argument that is copied to another argument's register is read there. */
static void arguments_that_move(void **state)
{
	static const struct {
		const char *what, *code;
		uint32_t args, site;
		bool emulated;
		uint8_t now[PLACE_ARGUMENTS + 1];
	} cases[] = {
		{"mimalloc: size to rsi", "4889fe 64488b38 7700 c3", PLACE_ARG1, 7, true, {0, 2}},
		{"the other encoding of mov", "488bf7 31ff 7700 c3", PLACE_ARG1, 5, true, {0, 2}},
		{"to r8", "4989f8 31ff 7700 c3", PLACE_ARG1, 5, true, {0, 5}},
		{"both where they were",
		 "4889f8 7700 c3",
		 PLACE_ARG1 | PLACE_ARG2,
		 3,
		 true,
		 {0, 1, 2}},
		{"twice", "4889fe 4889f1 31ff 31f6 7700 c3", PLACE_ARG1, 10, true, {0, 4}},
		{"for a moment in no argument's register",
		 "4889f8 4889f7 4889c6 7700 c3",
		 PLACE_ARG1 | PLACE_ARG2,
		 0,
		 false,
		 {0, 1, 2}},
		{"over another argument that is needed",
		 "4889fe 7700 c3",
		 PLACE_ARG1 | PLACE_ARG2,
		 0,
		 false,
		 {0, 1, 2}},
		{"to a register that is no argument's",
		 "4889fb 31ff 7700 c3",
		 PLACE_ARG1,
		 0,
		 false,
		 {0, 1}},
		{"only its lower half", "89fe 31ff 7700 c3", PLACE_ARG1, 0, false, {0, 1}},
		{"the copy is lost again",
		 "4889fe 31ff 31f6 7700 c3",
		 PLACE_ARG1,
		 0,
		 false,
		 {0, 1}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[64];
		size_t n = from_hex(cases[i].code, bytes);
		struct placement at;

		assert_int_equal(
			place_probe_following(bytes, n, 0x1000, PLACE_RETURN, cases[i].args, &at),
			0);
		if (at.site_offset != cases[i].site || at.emulated != cases[i].emulated ||
		    memcmp(at.argument_now, cases[i].now, sizeof(at.argument_now)))
			fail_msg("%s: +%u %s (%s)", cases[i].what, at.site_offset, at.instruction,
				 at.why);
		/* Who does not ask for it gets the arguments where they belong. */
		assert_int_equal(place_probe(bytes, n, 0x1000, PLACE_RETURN, cases[i].args, &at),
				 0);
		for (int a = 1; a <= PLACE_ARGUMENTS; a++)
			assert_true(!at.argument_now[a] || at.argument_now[a] == a);
	}
}

static void no_code(void **state)
{
	struct placement at;

	assert_int_equal(place_probe(NULL, 0, 0, PLACE_ENTRY, 0, &at), -EINVAL);
}

/* Any function may be placed anywhere, but the rules hold. */
static void random_code(void **state)
{
	uint32_t seed = 7;

	for (int i = 0; i < 200000; i++) {
		uint8_t *code = malloc(40);
		struct placement at;
		struct insn insn;

		for (int b = 0; b < 40; b++) {
			seed = seed * 1664525 + 1013904223;
			code[b] = seed >> 24;
		}
		place_probe(code, 40, 0, i % 3, PLACE_ARG1, &at);
		assert_true(at.site_offset < 40);
		if (at.site_offset) {
			assert_int_equal(
				insn_decode(code + at.site_offset, 40 - at.site_offset, &insn), 0);
			assert_true(insn.emulated);
		}
		free(code);
	}
}

struct expected {
	const char *name;
	enum place_need need;
	uint32_t args;
	uint32_t site;
	const char *instruction;
	bool emulated;
};

static void check_library(const char *path, const char *build_id, const struct expected *list,
			  size_t n)
{
	char hex[ELF_BUILD_ID_HEX_MAX];
	struct elf_symbols *syms;
	struct elf_image *img;
	int fd = open_regular(AT_FDCWD, path);
	bool known;

	if (fd < 0)
		skip();
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	assert_int_equal(elf_symbols__load(img, &syms), 0);
	elf_image__build_id(img, hex);
	known = !strcmp(hex, build_id);
	for (size_t i = 0; i < n; i++) {
		const struct elf_symbol *sym = elf_symbols__lookup(syms, list[i].name, NULL);
		struct placement at;
		uint64_t offset;
		uint8_t *code;

		assert_non_null(sym);
		assert_int_equal(elf_image__vaddr_to_offset(img, sym->vaddr, &offset), 0);
		code = malloc(sym->size);
		assert_int_equal(elf_image__read(img, offset, code, sym->size), 0);
		assert_int_equal(
			place_probe(code, sym->size, sym->vaddr, list[i].need, list[i].args, &at),
			0);
		/* The numbers belong to one build; another must only be placed without error. */
		if (known && (at.site_offset != list[i].site || at.emulated != list[i].emulated ||
			      strcmp(at.instruction, list[i].instruction)))
			fail_msg("%s: +%#x %s (%s)", list[i].name, at.site_offset, at.instruction,
				 at.why);
		free(code);
	}
	elf_symbols__free(syms);
	elf_image__free(img);
}

#define ARGS2 (PLACE_ARG1 | PLACE_ARG2)
#define ARGS3 (ARGS2 | PLACE_ARG3)

static void debian_glibc(void **state)
{
	static const struct expected list[] = {
		{"malloc", PLACE_RETURN, PLACE_ARG1, 0, "push %r12", true},
		{"free", PLACE_ENTRY_SKIPS_NULL, PLACE_ARG1, 9, "push %rbp", true},
		{"free", PLACE_ENTRY, PLACE_ARG1, 3, "je", true},
		{"calloc", PLACE_RETURN, ARGS2, 0, "push %r13", true},
		{"realloc", PLACE_RETURN, ARGS2, 0, "push %r15", true},
		{"posix_memalign", PLACE_RETURN, ARGS3, 7, "push %r12", true},
		{"memalign", PLACE_RETURN, ARGS2, 7, "je", true},
		{"valloc", PLACE_RETURN, PLACE_ARG1, 7, "push %rbx", true},
		{"pvalloc", PLACE_RETURN, PLACE_ARG1, 7, "push %rbx", true},
		{"reallocarray", PLACE_RETURN, ARGS3, 0, "mov", false},
	};

	check_library("/lib/x86_64-linux-gnu/libc.so.6", "93ac61ec5a8eb1396f9fbd350e3169a558528a40",
		      list, sizeof(list) / sizeof(list[0]));
}

static void debian_jemalloc(void **state)
{
	static const struct expected list[] = {
		{"malloc", PLACE_RETURN, PLACE_ARG1, 7, "ja", true},
		{"free", PLACE_ENTRY_SKIPS_NULL, PLACE_ARG1, 0x30, "jne", true},
		{"calloc", PLACE_RETURN, ARGS2, 0, "push %r15", true},
		{"realloc", PLACE_RETURN, ARGS2, 0, "push %r15", true},
		{"posix_memalign", PLACE_RETURN, ARGS3, 0, "push %r15", true},
		{"sdallocx", PLACE_ENTRY, ARGS2, 10, "ja", true},
	};

	check_library("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
		      "1d5163c246dc9cd2b4d339f2ac42efd95c6e0ae1", list,
		      sizeof(list) / sizeof(list[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_that_move),
		cmocka_unit_test(fixtures_are_placed),
		cmocka_unit_test(no_code),
		cmocka_unit_test(random_code),
		cmocka_unit_test(debian_glibc),
		cmocka_unit_test(debian_jemalloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
