// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cfi_fixture.h"
#include "elf/openfile.h"
#include "fuzz_table.h"
#include "stack/unwind_table.h"

#define CODE_END (CODE + 0x60000)

static struct unwind_rules *rules;
static struct unwind_table table;
static struct frames frames;

static int set_up(void **state)
{
	rules = unwind_rules__new();
	frames = (struct frames){0};
	plain_cie(&frames);
	return rules ? 0 : -1;
}

static int tear_down(void **state)
{
	unwind_table__free(&table);
	unwind_rules__free(rules);
	return 0;
}

static void add_function(uint64_t start, uint64_t size, const void *instructions, size_t n)
{
	begin_fde(&frames, start, size);
	put_bytes(&frames, instructions, n);
	end_entry(&frames);
}

#define FUNCTION(start, size, ...)                                \
	add_function(start, size, (const uint8_t[]){__VA_ARGS__}, \
		     sizeof((const uint8_t[]){__VA_ARGS__}))

static int build(void)
{
	struct cfi_section section = frames_section(&frames);

	return unwind_table__build_section(&section, CODE, CODE_END, rules, &table);
}

static void build_well(void)
{
	assert_int_equal(build(), 0);
	assert_int_equal(table.bad_entries, 0);
	assert_int_equal(table.vaddr, CODE & ~0xffff);
	check_table(&table, rules);
}

static struct unwind_rule at(uint64_t vaddr)
{
	return unwind_table__find(&table, rules, vaddr);
}

static void assert_rule(uint64_t vaddr, enum unwind_cfa cfa, int offset, enum unwind_rbp rbp,
			int rbp_offset)
{
	struct unwind_rule r = at(vaddr);

	assert_int_equal(r.cfa, cfa);
	assert_int_equal(r.offset, offset);
	assert_int_equal(r.rbp, rbp);
	assert_int_equal(r.rbp_offset, rbp_offset);
}

static void assert_none(uint64_t vaddr)
{
	assert_int_equal(at(vaddr).cfa, UNWIND_NONE);
}

/* ---- rules ---- */

static void numbers_of_fixed_rules(void **state)
{
	assert_int_equal(unwind_rules__count(rules), 2);
	assert_int_equal(unwind_rules__data(rules)[UNWIND_RULE_NONE].cfa, UNWIND_NONE);
	assert_int_equal(unwind_rules__data(rules)[UNWIND_RULE_END].cfa, UNWIND_END);
}

static void stack_and_frame_pointer(void **state)
{
	FUNCTION(CODE, 0x100, 0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x60, 0x0c, 7, 8, 0xc6);
	build_well();
	assert_rule(CODE, UNWIND_RSP, 8, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 1, UNWIND_RSP, 16, UNWIND_RBP_AT_CFA, -16);
	assert_rule(CODE + 3, UNWIND_RSP, 16, UNWIND_RBP_AT_CFA, -16);
	assert_rule(CODE + 4, UNWIND_RBP, 16, UNWIND_RBP_AT_CFA, -16);
	assert_rule(CODE + 0x23, UNWIND_RBP, 16, UNWIND_RBP_AT_CFA, -16);
	assert_rule(CODE + 0x24, UNWIND_RSP, 8, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0xff, UNWIND_RSP, 8, UNWIND_RBP_SAME, 0);
}

static void other_registers(void **state)
{
	/* CFA: r10 + 0; rbx - 8 (sf); rsp - far; register 600 */
	FUNCTION(CODE, 0x100, 0x0c, 10, 0, 0x41, 0x12, 3, 1, 0x41, 0x0c, 7, 0xff, 0xff, 0xff, 0xff,
		 0xff, 1, 0x41, 0x0c, 0xd8, 4, 8);
	build_well();
	assert_rule(CODE, UNWIND_REGISTER, 10, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 1, UNWIND_REGISTER, (int)((unsigned int)-8 << 4 | 3), UNWIND_RBP_SAME,
		    0);
	assert_none(CODE + 2);
	assert_none(CODE + 3);
}

static void outermost_frame(void **state)
{
	FUNCTION(CODE, 0x100, 0x07, 16);
	build_well();
	assert_int_equal(at(CODE).cfa, UNWIND_END);
	assert_int_equal(unwind_rules__count(rules), 2);
}

/* The return address elsewhere: nothing that we follow. */
static void odd_return_addresses(void **state)
{
	FUNCTION(CODE, 0x100, 0x90, 2, 0x41, 0x09, 16, 2, 0x41, 0x08, 16, 0x41, 0x10, 16, 2, 0x77,
		 0);
	build_well();
	for (int i = 0; i < 4; i++)
		assert_none(CODE + (uint64_t)i);
}

static void linkage_table(void **state)
{
	FUNCTION(CODE, 0x100, 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22);
	FUNCTION(CODE + 0x100, 0x100, 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3a, 0x2a, 0x33,
		 0x24, 0x22);
	/* And 16 more, or from 16 on: not of that kind. */
	FUNCTION(CODE + 0x200, 0x100, 0x0f, 11, 0x77, 16, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33,
		 0x24, 0x22, 0x41, 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x40, 0x2a, 0x33, 0x24,
		 0x22, 0x41, 0x0f, 12, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22,
		 0x06, 0x41, 0x0f, 10, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24);
	build_well();
	assert_rule(CODE + 0xff, UNWIND_PLT, 11, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x100, UNWIND_PLT, 10, UNWIND_RBP_SAME, 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_none(CODE + 0x200 + i);
}

static void loaded_from_the_stack(void **state)
{
	/* GCC's realigned frames; OpenSSL's: *(rsp + 16) + 8 in three spellings. */
	FUNCTION(CODE, 0x100, 0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0);
	FUNCTION(CODE + 0x100, 0x100, 0x0f, 5, 0x77, 16, 0x06, 0x23, 8, 0x41, 0x0f, 5, 0x77, 16,
		 0x06, 0x38, 0x22, 0x41, 0x0f, 6, 0x77, 16, 0x06, 0x08, 8, 0x22, 0x41, 0x0f, 2,
		 0x77, 24);
	/* Too far, too much, from another register, twice, something behind it. */
	FUNCTION(CODE + 0x200, 0x100, 0x0f, 6, 0x77, 0x80, 0x80, 0x80, 0x04, 0x06, 0x41, 0x0f, 6,
		 0x77, 16, 0x06, 0x23, 0x80, 2, 0x41, 0x0f, 3, 0x70, 16, 0x06, 0x41, 0x0f, 4, 0x77,
		 16, 0x06, 0x06, 0x41, 0x0f, 6, 0x77, 16, 0x06, 0x23, 8, 0x06, 0x41, 0x0f, 0);
	build_well();
	assert_rule(CODE, UNWIND_DEREF_RBP, UNWIND_DEREF(-8, 0), UNWIND_RBP_AT_RBP, 0);
	assert_int_equal(UNWIND_DEREF_OFFSET(at(CODE).offset), -8);
	for (uint64_t i = 0; i < 3; i++)
		assert_rule(CODE + 0x100 + i, UNWIND_DEREF_RSP, UNWIND_DEREF(16, 8),
			    UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x103, UNWIND_RSP, 24, UNWIND_RBP_SAME, 0);
	for (uint64_t i = 0; i < 6; i++)
		assert_none(CODE + 0x200 + i);
}

static void where_rbp_is(void **state)
{
	/* In another register; undefined; CFA + n; at rsp + n; too far from the CFA; from rbp */
	FUNCTION(CODE, 0x100, 0x09, 6, 0, 0x41, 0x07, 6, 0x41, 0x14, 6, 2, 0x41, 0x10, 6, 2, 0x77,
		 8, 0x41, 0x05, 6, 0x80, 0x80, 1, 0x41, 0x10, 6, 2, 0x76, 0x70, 0x41, 0x10, 6, 3,
		 0x76, 0x70, 0x06, 0x41, 0x08, 6);
	build_well();
	for (uint64_t i = 0; i < 5; i++)
		assert_rule(CODE + i, UNWIND_RSP, 8, UNWIND_RBP_UNKNOWN, 0);
	assert_rule(CODE + 5, UNWIND_RSP, 8, UNWIND_RBP_AT_RBP, -16);
	assert_rule(CODE + 6, UNWIND_RSP, 8, UNWIND_RBP_UNKNOWN, 0);
	assert_rule(CODE + 7, UNWIND_RSP, 8, UNWIND_RBP_SAME, 0);
}

/* As glibc describes __restore_rt, but for the other registers. */
static void signal_frame(void **state)
{
	/* The same without the letter S is no signal's frame. */
	FUNCTION(CODE + 0x20, 0x10, 0x0f, 4, 0x77, 0xa0, 1, 0x06, 0x10, 6, 3, 0x77, 0xf8, 0, 0x10,
		 16, 3, 0x77, 0xa8, 1);
	begin_cie(&frames, 1, "zRS", "\x1b", 1);
	end_entry(&frames);
	FUNCTION(CODE, 0x10, 0x0f, 4, 0x77, 0xa0, 1, 0x06, 0x10, 6, 3, 0x77, 0xf8, 0, 0x10, 16, 3,
		 0x77, 0xa8, 1);
	/* The return address at another place. */
	FUNCTION(CODE + 0x10, 0x10, 0x0f, 4, 0x77, 0xa0, 1, 0x06, 0x10, 6, 3, 0x77, 0xf8, 0, 0x10,
		 16, 3, 0x77, 0xb0, 1);
	build_well();
	assert_rule(CODE, UNWIND_SIGNAL, 0, 0, 0);
	assert_none(CODE + 0x10);
	assert_none(CODE + 0x20);
	assert_int_equal(unwind_rules__count(rules), 3);
}

static void the_c_library_returns_from_signals(void **state)
{
	const uint8_t restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05}; /* rt_sigreturn */
	int fd = open_regular(AT_FDCWD, "/usr/lib/x86_64-linux-gnu/libc.so.6");
	struct elf_section text;
	struct elf_image *img;
	uint8_t *code, *found;
	size_t size;
	uint64_t vaddr;

	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	assert_int_equal(unwind_table__build(img, rules, &table), 0);
	assert_int_equal(elf_image__section(img, ".text", &text), 0);
	assert_int_equal(elf_image__load_section(img, &text, (void **)&code, &size), 0);
	found = memmem(code, size, restorer, sizeof(restorer));
	assert_non_null(found);
	vaddr = text.addr + (uint64_t)(found - code);
	assert_int_equal(at(vaddr).cfa, UNWIND_SIGNAL);
	assert_int_equal(at(vaddr - 1).cfa, UNWIND_SIGNAL); /* also for who looks before it */
	free(code);
	elf_image__free(img);
}

/* ---- pages ---- */

static void padding_and_gaps(void **state)
{
	FUNCTION(CODE + 0x100, 0x31, 0x0e, 16);
	FUNCTION(CODE + 0x140, 0x30, 0x0e, 32); /* 15 bytes behind */
	FUNCTION(CODE + 0x180, 0x10, 0x0e, 48); /* 16 bytes behind */
	build_well();
	assert_none(CODE);
	assert_none(CODE + 0xff);
	assert_rule(CODE + 0x131, UNWIND_RSP, 16, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x13f, UNWIND_RSP, 16, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x16f, UNWIND_RSP, 32, UNWIND_RBP_SAME, 0);
	assert_none(CODE + 0x170);
	assert_none(CODE + 0x17f);
	assert_rule(CODE + 0x180, UNWIND_RSP, 48, UNWIND_RBP_SAME, 0);
	assert_none(CODE + 0x190);
	assert_none(CODE + 0x1ffff);
	assert_none(CODE - 1);
	assert_none(0);
	assert_none(UINT64_MAX);
	assert_none(CODE_END);
	assert_int_equal(table.n_rows, 6); /* none, 16, 32, none, 48, none */
}

static void equal_neighbours_are_one_row(void **state)
{
	for (uint64_t i = 0; i < 100; i++)
		FUNCTION(CODE + i * 0x20, 0x20, 0x41, 0x83, 2, 0x41, 0x8c, 3);
	build_well();
	assert_int_equal(table.n_rows, 2); /* and none behind them */
	assert_rule(CODE + 99 * 0x20 + 3, UNWIND_RSP, 8, UNWIND_RBP_SAME, 0);
}

static void functions_over_pages(void **state)
{
	/* Over the second and third page into the fourth; then the last one's start. */
	FUNCTION(CODE + 0x8000, 0x28010, 0x0e, 16, 0x04, 0, 0x80, 0, 0, 0x0e, 24);
	FUNCTION(CODE + 0x50000, 0x10, 0x0e, 32);
	build_well();
	assert_int_equal(table.n_pages, 6);
	assert_none(CODE + 0x7fff);
	assert_rule(CODE + 0xffff, UNWIND_RSP, 16, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x10000, UNWIND_RSP, 24, UNWIND_RBP_SAME,
		    0); /* a row at a page's start */
	assert_rule(CODE + 0x2ffff, UNWIND_RSP, 24, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x3000f, UNWIND_RSP, 24, UNWIND_RBP_SAME, 0);
	assert_none(CODE + 0x30010);
	assert_none(CODE + 0x4ffff);
	assert_rule(CODE + 0x50000, UNWIND_RSP, 32, UNWIND_RBP_SAME, 0);
	assert_none(CODE + 0x50010);
	assert_int_equal(table.pages[0].rows, 2);
	assert_int_equal(table.pages[1].rows, 1);
	assert_int_equal(table.pages[2].rows, 1);
	assert_int_equal(table.pages[3].rows, 2);
	assert_int_equal(table.pages[4].rows, 0); /* nothing at all */
	assert_int_equal(table.pages[5].rows, 2);
	assert_int_equal(table.n_rows, 8);
}

/* Rows in sixteen bytes each, of `rules` rules in turn. */
static void many_rows(uint64_t start, unsigned int rows, unsigned int rules)
{
	begin_fde(&frames, start, rows * 16);
	for (unsigned int i = 0; i < rows; i++)
		PUT(&frames, 0x0e, (uint8_t)(i % rules | 0x80), (uint8_t)(i % rules >> 7), 0x50);
	end_entry(&frames);
}

static void assert_many_rows(uint64_t start, unsigned int rows, unsigned int rules)
{
	for (unsigned int i = 0; i < rows; i++) {
		assert_rule(start + i * 16, UNWIND_RSP, (int)(i % rules), UNWIND_RBP_SAME, 0);
		assert_rule(start + i * 16 + 15, UNWIND_RSP, (int)(i % rules), UNWIND_RBP_SAME, 0);
	}
}

static void assert_page(size_t i, uint32_t rows, uint32_t rules, uint32_t halves)
{
	assert_int_equal(table.pages[i].rows, rows);
	assert_int_equal(table.pages[i].rules, rules);
	assert_int_equal((i + 1 < table.n_pages ? table.pages[i + 1].first : table.n_halves) -
				 table.pages[i].first,
			 halves);
}

/* Of their own, as long as one byte tells them apart, and they take less room than they save. */
static void numbers_of_pages(void **state)
{
	many_rows(CODE, 3000, 255);	      /* one more: none */
	many_rows(CODE + 0x10000, 3000, 256); /* one more: too many */
	many_rows(CODE + 0x20000, 1001, 100);
	many_rows(CODE + 0x30000, 200, 98); /* the end's makes 99 of 201: less than half */
	many_rows(CODE + 0x40000, 200, 99);
	build_well();
	assert_page(0, 3001, 256, 3001 + 1501 + 256);
	assert_page(1, 3001, 0, 2 * 3001);
	assert_page(2, 1002, 101, 1002 + 501 + 101);
	assert_page(3, 201, 99, 201 + 101 + 99);
	assert_page(4, 201, 0, 2 * 201);
	assert_page(5, 0, 0, 0);
	assert_many_rows(CODE, 3000, 255);
	assert_many_rows(CODE + 0x10000, 3000, 256);
	assert_many_rows(CODE + 0x20000, 1001, 100);
	assert_many_rows(CODE + 0x30000, 200, 98);
	assert_many_rows(CODE + 0x40000, 200, 99);
}

static void any_order(void **state)
{
	/* Places that are scattered over all pages, in no order. */
	for (uint64_t i = 0; i < 997; i++) {
		uint64_t slot = i * 389 % 997;

		FUNCTION(CODE + slot * 0x180, 0x180, 0x0e, (uint8_t)(slot % 97 + 8));
	}
	build_well();
	for (uint64_t slot = 0; slot < 997; slot++) {
		uint64_t start = CODE + slot * 0x180;

		assert_rule(start, UNWIND_RSP, (int)(slot % 97 + 8), UNWIND_RBP_SAME, 0);
		assert_rule(start + 0x17f, UNWIND_RSP, (int)(slot % 97 + 8), UNWIND_RBP_SAME, 0);
	}
}

static void who_starts_later_wins(void **state)
{
	FUNCTION(CODE, 0x100, 0x0e, 16, 0x02, 0x40, 0x0e, 24, 0x02, 0x40, 0x0e, 32);
	FUNCTION(CODE + 0x60, 0x1000, 0x0e, 48);
	FUNCTION(CODE + 0x90, 0x10, 0x0e, 56);
	FUNCTION(CODE + 0x90, 0x20, 0x0e, 64); /* later in the section */
	build_well();
	assert_rule(CODE + 0x5f, UNWIND_RSP, 24, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x60, UNWIND_RSP, 48, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x8f, UNWIND_RSP, 48, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x90, UNWIND_RSP, 64, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0xaf, UNWIND_RSP, 64, UNWIND_RBP_SAME, 0);
	assert_none(CODE + 0xb0);
}

static void functions_outside_the_code(void **state)
{
	FUNCTION(CODE - 0x100, 0x80, 0x0e, 16);
	FUNCTION(CODE - 0x40, 0x80, 0x0e, 16); /* begins outside */
	FUNCTION(CODE_END + 0x100, 0x100, 0x0e, 16);
	FUNCTION(CODE_END - 0x10, 0x7fffff00, 0x0e, 24, 0x60, 0x0e, 32); /* ends outside */
	build_well();
	assert_none(CODE);
	assert_rule(CODE_END - 1, UNWIND_RSP, 24, UNWIND_RBP_SAME, 0);
	assert_none(CODE_END);
	assert_int_equal(table.entries, 4);
}

/* More than 32 bits count: nothing of it may come back at the other end. */
static void functions_without_end(void **state)
{
	begin_cie(&frames, 1, "", NULL, 0);
	put_entry_state(&frames);
	end_entry(&frames);
	begin_fde_head(&frames);
	put_number(&frames, CODE + 0x1000, 8);
	put_number(&frames, (1ULL << 32) - 0x1000, 8);
	PUT(&frames, 0x0e, 16, 0x04, 0xff, 0xef, 0xff, 0xff, 0x0e, 24);
	end_entry(&frames);
	begin_fde_head(&frames);
	put_number(&frames, CODE + 0x2000, 8);
	put_number(&frames, 1ULL << 34, 8);
	PUT(&frames, 0x0e, 32, 0x04, 0xff, 0xef, 0xff, 0xff, 0x0e, 40);
	end_entry(&frames);
	build_well();
	assert_none(CODE + 0xfff);
	assert_rule(CODE + 0x1000, UNWIND_RSP, 16, UNWIND_RBP_SAME, 0);
	assert_rule(CODE + 0x2000, UNWIND_RSP, 32, UNWIND_RBP_SAME, 0);
	assert_rule(CODE_END - 1, UNWIND_RSP, 32, UNWIND_RBP_SAME, 0);
}

static void a_bad_entry_holds_as_far_as_it_makes_sense(void **state)
{
	FUNCTION(CODE, 0x100, 0x0e, 16, 0x60, 0x3f);
	FUNCTION(CODE + 0x100, 0x100, 0x3f);
	FUNCTION(CODE + 0x200, 0x100, 0x0e, 24);
	assert_int_equal(build(), 0);
	assert_int_equal(table.entries, 3);
	assert_int_equal(table.bad_entries, 2);
	assert_rule(CODE + 0x1f, UNWIND_RSP, 16, UNWIND_RBP_SAME, 0);
	assert_none(CODE + 0x20);
	assert_none(CODE + 0x100);
	assert_none(CODE + 0x1ff);
	assert_rule(CODE + 0x200, UNWIND_RSP, 24, UNWIND_RBP_SAME, 0);
}

static void rules_are_shared(void **state)
{
	size_t count;

	FUNCTION(CODE, 0x100, 0x0e, 16, 0x60, 0x0e, 24);
	build_well();
	count = unwind_rules__count(rules);
	assert_int_equal(count, 4);
	unwind_table__free(&table);
	build_well();
	assert_int_equal(unwind_rules__count(rules), count);
}

static void nothing_of_use(void **state)
{
	assert_int_equal(build(), -ENOENT);
	assert_null(table.halves);
	assert_null(table.pages);
	FUNCTION(CODE_END, 0x100, 0x0e, 16);
	FUNCTION(CODE, 0x100, 0x3f);
	assert_int_equal(build(), -ENOENT);
}

/* As many different rules as nobody writes: no image may use up the numbers of all others. */
static void too_many_rules(void **state)
{
	static struct frames many;
	struct cfi_section section;

	many = (struct frames){0};
	plain_cie(&many);
	begin_fde(&many, CODE, 0x10000);
	for (unsigned int i = 0; i < 9000; i++)
		PUT(&many, 0x41, 0x0e, (uint8_t)(i | 0x80), (uint8_t)(i >> 7 | 0x80), 1);
	end_entry(&many);
	section = frames_section(&many);
	assert_int_equal(unwind_table__build_section(&section, CODE, CODE_END, rules, &table),
			 -E2BIG);
	assert_null(table.halves);
	assert_in_range(unwind_rules__count(rules), 2, 2 + UNWIND_IMAGE_RULES_MAX + 1);
}

static void too_much_code(void **state)
{
	struct cfi_section section = frames_section(&frames);

	FUNCTION(CODE, 0x100, 0x0e, 16);
	section = frames_section(&frames);
	assert_int_equal(unwind_table__build_section(&section, CODE, 1ULL << 33, rules, &table),
			 -E2BIG);
	assert_int_equal(unwind_table__build_section(&section, CODE, UINT64_MAX, rules, &table),
			 -E2BIG);
	assert_int_equal(unwind_table__build_section(&section, CODE, CODE, rules, &table), -ENOENT);
}

/* A million rows: two per two bytes of code. */
static void a_million_rows(void **state)
{
	enum { ROWS = 1000000 };
	size_t size = 64 + 3 * ROWS + 64;
	uint8_t *data = malloc(size);
	struct cfi_section section = {.data = data, .vaddr = FRAME_VADDR};
	uint32_t length;
	size_t len;

	assert_non_null(data);
	begin_fde(&frames, CODE, 2 * ROWS);
	len = frames.len;
	memcpy(data, frames.data, len);
	for (unsigned int i = 0; i < ROWS; i++) {
		data[len++] = 0x41;
		data[len++] = 0x0e;
		data[len++] = i & 1 ? 16 : 8;
	}
	length = (uint32_t)(len - frames.open - 4);
	memcpy(data + frames.open, &length, 4);
	section.size = len;
	assert_int_equal(
		unwind_table__build_section(&section, CODE, CODE + 2 * ROWS, rules, &table), 0);
	assert_in_range(table.n_rows, ROWS, ROWS + table.n_pages);
	for (uint64_t i = 1; i < ROWS; i += 1234) {
		assert_int_equal(at(CODE + i).offset, i & 1 ? 8 : 16);
		assert_in_range(table.pages[i >> 16].rows, 1, 65536);
	}
	free(data);
}

/* ---- files ---- */

struct program {
	Elf64_Ehdr head;
	Elf64_Phdr segment[3];
	uint8_t eh_frame_hdr[12];
	uint8_t eh_frame[4096];
};

/* Without section headers: code at CODE, the rest behind its own segment's header. */
static int build_program(uint64_t hdr_encoding)
{
	static struct program p;
	int fd = memfd_create("program", MFD_CLOEXEC), err;
	int32_t back = FRAME_VADDR - (FRAME_VADDR - 12 + 4);
	struct elf_image *img;

	p = (struct program){.head = {.e_type = ET_DYN,
				      .e_machine = EM_X86_64,
				      .e_version = EV_CURRENT,
				      .e_phoff = sizeof(p.head),
				      .e_phentsize = sizeof(Elf64_Phdr),
				      .e_phnum = 3}};
	memcpy(p.head.e_ident, ELFMAG "\2\1\1", 7);
	p.segment[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_X, .p_vaddr = CODE, .p_filesz = 0x2000};
	p.segment[0].p_memsz = 0x2000;
	p.segment[1] = (Elf64_Phdr){.p_type = PT_LOAD,
				    .p_offset = offsetof(struct program, eh_frame_hdr),
				    .p_vaddr = FRAME_VADDR - 12,
				    .p_filesz = sizeof(p.eh_frame) + 12,
				    .p_memsz = sizeof(p.eh_frame) + 12};
	p.segment[2] = p.segment[1];
	p.segment[2].p_type = PT_GNU_EH_FRAME;
	p.eh_frame_hdr[0] = 1;
	p.eh_frame_hdr[1] = (uint8_t)hdr_encoding;
	memcpy(p.eh_frame_hdr + 4, &back, 4);
	memcpy(p.eh_frame, frames.data, frames.len);
	assert_int_equal(write(fd, &p, sizeof(p)), (ssize_t)sizeof(p));
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	err = unwind_table__build(img, rules, &table);
	elf_image__free(img);
	return err;
}

static void without_section_headers(void **state)
{
	FUNCTION(CODE + 0x10, 0x100, 0x0e, 16);
	put_number(&frames, 0, 4);
	FUNCTION(CODE + 0x400, 0x100, 0x0e, 16); /* behind the end mark: anything but an entry */
	assert_int_equal(build_program(0x1b), 0);
	assert_rule(CODE + 0x10, UNWIND_RSP, 16, UNWIND_RBP_SAME, 0);
	assert_none(CODE + 0x400);
	assert_int_equal(table.entries, 1);
	assert_int_equal(table.n_pages, 1);
}

static void headers_that_lead_nowhere(void **state)
{
	FUNCTION(CODE + 0x10, 0x100, 0x0e, 16);
	assert_int_equal(build_program(0x3b), -EINVAL);
	assert_int_equal(build_program(0xff), -EINVAL);
	assert_int_equal(build_program(0x03), -EINVAL);
	assert_int_equal(build_program(0x9b), -EINVAL);
}

/* A program with C and Go in it: what .eh_frame does not describe, .debug_frame may. */
static void two_sections(void **state)
{
	int fd = open_regular(AT_FDCWD, "tests/fuzz/corpus/elf/seed-sound");
	struct elf_section text;
	struct elf_image *img;

	if (fd < 0)
		fail_msg("run from the top of the tree");
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	assert_int_equal(elf_image__section(img, ".text", &text), 0);
	assert_int_equal(unwind_table__build(img, rules, &table), 0);
	assert_int_equal(table.entries, 4);
	assert_int_equal(table.bad_entries, 0);
	/* .debug_frame says something else of the 24 bytes from 16 on. */
	assert_rule(text.addr + 17, UNWIND_RBP, 16, UNWIND_RBP_AT_CFA, -16);
	assert_rule(text.addr + 45, UNWIND_RBP, 16, UNWIND_RBP_AT_CFA, -16);
	assert_rule(text.addr, UNWIND_RSP, 8, UNWIND_RBP_SAME, 0);
	assert_none(text.addr + 148);
	assert_rule(text.addr + 176, UNWIND_RSP, 8, UNWIND_RBP_SAME, 0);
	assert_rule(text.addr + 177, UNWIND_RSP, 16, UNWIND_RBP_AT_CFA, -16);
	assert_none(text.addr + 240);
	elf_image__free(img);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_of_fixed_rules),
		TEST(stack_and_frame_pointer),
		TEST(other_registers),
		TEST(outermost_frame),
		TEST(odd_return_addresses),
		TEST(linkage_table),
		TEST(loaded_from_the_stack),
		TEST(where_rbp_is),
		TEST(signal_frame),
		TEST(the_c_library_returns_from_signals),
		TEST(padding_and_gaps),
		TEST(equal_neighbours_are_one_row),
		TEST(functions_over_pages),
		TEST(numbers_of_pages),
		TEST(any_order),
		TEST(who_starts_later_wins),
		TEST(functions_outside_the_code),
		TEST(functions_without_end),
		TEST(a_bad_entry_holds_as_far_as_it_makes_sense),
		TEST(rules_are_shared),
		TEST(nothing_of_use),
		TEST(too_many_rules),
		TEST(too_much_code),
		TEST(a_million_rows),
		TEST(without_section_headers),
		TEST(headers_that_lead_nowhere),
		TEST(two_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
