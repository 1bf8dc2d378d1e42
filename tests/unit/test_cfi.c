// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "cfi_fixture.h"

#define ROWS_KEPT 64

struct seen {
	struct cfi_row row[ROWS_KEPT];
	struct cfi_state state[ROWS_KEPT];
	size_t rows, functions;
	uint64_t start, end; /* of the last function */
	int stop_with;	     /* by the visitor */
	struct cfi_counts counts;
};

static int see_function(void *arg, uint64_t start, uint64_t end)
{
	struct seen *s = arg;

	s->functions++;
	s->start = start;
	s->end = end;
	return 0;
}

static int see_row(void *arg, const struct cfi_row *row)
{
	struct seen *s = arg;

	assert_true(row->start < row->end);
	if (s->rows < ROWS_KEPT) {
		s->row[s->rows] = *row;
		s->state[s->rows] = *row->state;
	}
	s->rows++;
	return s->stop_with;
}

static int walk_section(const struct cfi_section *section, struct seen *s)
{
	struct cfi_visitor visitor = {.function = see_function, .row = see_row, .arg = s};

	return cfi_section__walk(section, &visitor, &s->counts);
}

/* From a copy as long as the bytes: a sanitizer sees who reads past them. */
static struct seen walk(struct frames *f)
{
	struct cfi_section section = frames_section(f);
	struct seen s = {0};

	section.data = malloc(f->len ? f->len : 1);
	assert_non_null(section.data);
	memcpy(section.data, f->data, f->len);
	assert_int_equal(walk_section(&section, &s), 0);
	for (size_t i = 0; i < s.rows && i < ROWS_KEPT; i++) {
		/* Expressions lie in the copy: look into ours. */
		for (int reg = -1; reg < CFI_REGISTERS; reg++) {
			struct cfi_rule *r = reg < 0 ? &s.state[i].cfa : &s.state[i].reg[reg];

			if (r->kind == CFI_IS_EXPRESSION || r->kind == CFI_AT_EXPRESSION)
				r->expression = f->data + (r->expression - section.data);
		}
	}
	cfi_section__free(&section);
	return s;
}

static void assert_rule(const struct cfi_rule *r, enum cfi_kind kind, int64_t offset)
{
	assert_int_equal(r->kind, kind);
	if (kind == CFI_AT_CFA || kind == CFI_CFA_PLUS)
		assert_int_equal(r->offset, offset);
	if (kind == CFI_REGISTER)
		assert_int_equal(r->reg, offset);
}

static void assert_cfa(const struct seen *s, size_t row, uint8_t reg, int64_t offset)
{
	const struct cfi_rule *cfa = &s->state[row].cfa;

	assert_int_equal(cfa->kind, CFI_REGISTER);
	assert_int_equal(cfa->reg, reg);
	assert_int_equal(cfa->offset, offset);
}

static void assert_range(const struct seen *s, size_t row, uint64_t start, uint64_t end)
{
	assert_true(row < s->rows);
	assert_int_equal(s->row[row].start, start);
	assert_int_equal(s->row[row].end, end);
}

/* One function of 64 KB with these instructions. */
static struct seen run(const void *instructions, size_t n)
{
	static struct frames f;

	f = (struct frames){0};
	plain_cie(&f);
	begin_fde(&f, CODE, 0x10000);
	put_bytes(&f, instructions, n);
	end_entry(&f);
	return walk(&f);
}

#define RUN(...) run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* ---- instructions ---- */

static void function_without_instructions(void **state)
{
	struct seen s = RUN(0);

	assert_int_equal(s.functions, 1);
	assert_int_equal(s.rows, 1);
	assert_range(&s, 0, CODE, CODE + 0x10000);
	assert_cfa(&s, 0, CFI_RSP, 8);
	assert_rule(&s.state[0].reg[CFI_RA], CFI_AT_CFA, -8);
	assert_rule(&s.state[0].reg[CFI_RBP], CFI_UNSPECIFIED, 0);
	assert_false(s.row[0].is_signal);
	assert_int_equal(s.counts.entries, 1);
	assert_int_equal(s.counts.bad, 0);
}

/* push %rbp; mov %rsp,%rbp; ...; leave */
static void frame_pointer_function(void **state)
{
	struct seen s = RUN(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 0x90, 0x0c, 7, 8);

	assert_int_equal(s.rows, 4);
	assert_range(&s, 0, CODE, CODE + 1);
	assert_cfa(&s, 0, CFI_RSP, 8);
	assert_range(&s, 1, CODE + 1, CODE + 4);
	assert_cfa(&s, 1, CFI_RSP, 16);
	assert_rule(&s.state[1].reg[CFI_RBP], CFI_AT_CFA, -16);
	assert_range(&s, 2, CODE + 4, CODE + 4 + 0x90);
	assert_cfa(&s, 2, CFI_RBP, 16);
	assert_range(&s, 3, CODE + 4 + 0x90, CODE + 0x10000);
	assert_cfa(&s, 3, CFI_RSP, 8);
	assert_rule(&s.state[3].reg[CFI_RBP], CFI_AT_CFA, -16);
}

static void advances(void **state)
{
	struct seen s = RUN(0x7f, 0x0e, 1, 0x02, 200, 0x0e, 2, 0x03, 0, 2, 0x0e, 3, 0x04, 0, 3, 0,
			    0, 0x0e, 4, 0x1d, 0, 4, 0, 0, 0, 0, 0, 0, 0x0e, 5);
	static const uint64_t at[] = {0, 63, 263, 775, 1543, 2567, 0x10000};

	assert_int_equal(s.rows, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_range(&s, i, CODE + at[i], CODE + at[i + 1]);
		assert_int_equal(s.state[i].cfa.offset, i ? (int64_t)i : 8);
	}
}

static void set_location(void **state)
{
	static struct frames f;
	struct seen s;

	f = (struct frames){0};
	plain_cie(&f);
	begin_fde(&f, CODE, 0x100);
	PUT(&f, 0x01);
	put_number(&f, CODE + 0x20 - (FRAME_VADDR + f.len), 4);
	PUT(&f, 0x0e, 24);
	end_entry(&f);
	s = walk(&f);
	assert_int_equal(s.rows, 2);
	assert_range(&s, 0, CODE, CODE + 0x20);
	assert_range(&s, 1, CODE + 0x20, CODE + 0x100);
	assert_cfa(&s, 1, CFI_RSP, 24);
}

static void cfa_definitions(void **state)
{
	/* def_cfa r10 0; def_cfa_sf rbp -3 (x -8); def_cfa_offset_sf -5; def_cfa_register rbx */
	struct seen s = RUN(0x0c, 10, 0, 0x41, 0x12, 6, 0x7d, 0x41, 0x13, 0x7b, 0x41, 0x0d, 3, 0x41,
			    0x0c, 0x90, 4, 8);

	assert_int_equal(s.rows, 5);
	assert_cfa(&s, 0, 10, 0);
	assert_cfa(&s, 1, CFI_RBP, 24);
	assert_cfa(&s, 2, CFI_RBP, 40);
	assert_cfa(&s, 3, CFI_RBX, 40);
	assert_cfa(&s, 4, 255, 8); /* register 528 */
}

static void register_rules(void **state)
{
	/* offset_extended rbp 3; offset_extended_sf rbx -2; negative_offset_extended r12 2;
	 * val_offset r13 4; val_offset_sf r14 -4; undefined r15; same_value rbp later;
	 * register r8 in rax */
	struct seen s = RUN(0x05, 6, 3, 0x11, 3, 0x7e, 0x2f, 12, 2, 0x14, 13, 4, 0x15, 14, 0x7c,
			    0x07, 15, 0x09, 8, 0, 0x41, 0x08, 6, 0x06, 3, 0xcc, 0x0a, 0x0b);

	assert_int_equal(s.counts.bad, 0);
	assert_rule(&s.state[0].reg[CFI_RBP], CFI_AT_CFA, -24);
	assert_rule(&s.state[0].reg[CFI_RBX], CFI_AT_CFA, 16);
	assert_rule(&s.state[0].reg[12], CFI_AT_CFA, 16);
	assert_rule(&s.state[0].reg[13], CFI_CFA_PLUS, -32);
	assert_rule(&s.state[0].reg[14], CFI_CFA_PLUS, 32);
	assert_rule(&s.state[0].reg[15], CFI_UNDEFINED, 0);
	assert_rule(&s.state[0].reg[8], CFI_REGISTER, 0);
	assert_rule(&s.state[1].reg[CFI_RBP], CFI_SAME, 0);
	assert_rule(&s.state[1].reg[CFI_RBX], CFI_UNSPECIFIED, 0); /* restored */
	assert_rule(&s.state[1].reg[12], CFI_UNSPECIFIED, 0);
	assert_rule(&s.state[1].reg[13], CFI_CFA_PLUS, -32);
}

static void other_registers_are_read_over(void **state)
{
	/* offset xmm0 (17); offset_extended 300; expression of 40; restore_extended 300 */
	struct seen s =
		RUN(0x91, 5, 0x05, 0xac, 2, 6, 0x10, 40, 1, 0x9c, 0x06, 0xac, 2, 0x41, 0x0e, 64);

	assert_int_equal(s.counts.bad, 0);
	assert_int_equal(s.rows, 2);
	assert_cfa(&s, 1, CFI_RSP, 64);
	assert_rule(&s.state[1].reg[CFI_RA], CFI_AT_CFA, -8);
}

static void states_are_remembered(void **state)
{
	/* Two deep; GNU_args_size is nothing to us. */
	struct seen s = RUN(0x0e, 16, 0x0a, 0x41, 0x0e, 32, 0x86, 2, 0x0a, 0x41, 0x0e, 64, 0x2e,
			    0x10, 0x41, 0x0b, 0x41, 0x0b);

	assert_int_equal(s.rows, 5);
	assert_cfa(&s, 0, CFI_RSP, 16);
	assert_cfa(&s, 1, CFI_RSP, 32);
	assert_cfa(&s, 2, CFI_RSP, 64);
	assert_cfa(&s, 3, CFI_RSP, 32);
	assert_rule(&s.state[3].reg[CFI_RBP], CFI_AT_CFA, -16);
	assert_cfa(&s, 4, CFI_RSP, 16);
	assert_rule(&s.state[4].reg[CFI_RBP], CFI_UNSPECIFIED, 0);
}

static void expressions(void **state)
{
	struct seen s = RUN(0x0f, 3, 0x77, 8, 0x06, 0x10, 6, 2, 0x76, 0, 0x16, 3, 1, 0x50);

	assert_int_equal(s.rows, 1);
	assert_int_equal(s.state[0].cfa.kind, CFI_IS_EXPRESSION);
	assert_int_equal(s.state[0].cfa.length, 3);
	assert_memory_equal(s.state[0].cfa.expression, "\x77\x08\x06", 3);
	assert_rule(&s.state[0].reg[CFI_RBP], CFI_AT_EXPRESSION, 0);
	assert_memory_equal(s.state[0].reg[CFI_RBP].expression, "\x76\x00", 2);
	assert_rule(&s.state[0].reg[CFI_RBX], CFI_IS_EXPRESSION, 0);
}

/* As libgcc reads it, and libgcrypt's assembly needs it. */
static void registers_behind_an_expression(void **state)
{
	struct seen s = RUN(0x0e, 48, 0x0f, 2, 0x77, 0, 0x41, 0x0e, 56, 0x41, 0x0d, 3, 0x41, 0x0a,
			    0x0f, 2, 0x77, 0, 0x0e, 64, 0x41, 0x0b, 0x0d, 7);

	assert_int_equal(s.counts.bad, 0);
	assert_int_equal(s.rows, 5);
	assert_int_equal(s.state[0].cfa.kind, CFI_IS_EXPRESSION);
	assert_int_equal(s.state[1].cfa.kind, CFI_IS_EXPRESSION);
	assert_cfa(&s, 2, CFI_RBX, 56);
	assert_int_equal(s.state[3].cfa.kind, CFI_IS_EXPRESSION);
	assert_cfa(&s, 4, CFI_RSP, 56); /* the offset is remembered as well */
}

/* Without any CFA before there is nothing to change. */
static void registers_of_no_cfa(void **state)
{
	static const uint8_t opcodes[] = {0x0d, 0x0e, 0x13};
	static struct frames f;

	for (size_t i = 0; i < sizeof(opcodes); i++) {
		struct seen s;

		f = (struct frames){0};
		begin_cie(&f, 1, "zR", "\x1b", 1);
		end_entry(&f);
		begin_fde(&f, CODE, 0x40);
		PUT(&f, 0x41, opcodes[i], 7);
		end_entry(&f);
		s = walk(&f);
		assert_int_equal(s.counts.bad, 1);
		assert_int_equal(s.rows, 1);
		assert_int_equal(s.state[0].cfa.kind, CFI_UNSPECIFIED);
	}
}

static void rows_end_with_the_function(void **state)
{
	struct seen s = RUN(0x0e, 16, 0x04, 0, 0, 2, 0, 0x0e, 24);

	assert_int_equal(s.rows, 1);
	assert_range(&s, 0, CODE, CODE + 0x10000);
	assert_cfa(&s, 0, CFI_RSP, 16);
}

/* ---- CIEs ---- */

static void fde_with_absolute_address(struct frames *f, bool augmented)
{
	begin_fde_head(f);
	put_number(f, CODE, 8);
	put_number(f, 0x40, 8);
	if (augmented)
		PUT(f, 0);
	PUT(f, 0x41, 0x0e, 16);
	end_entry(f);
}

static void assert_two_rows(struct frames *f)
{
	struct seen s = walk(f);

	assert_int_equal(s.counts.entries, 1);
	assert_int_equal(s.counts.bad, 0);
	assert_int_equal(s.rows, 2);
	assert_range(&s, 0, CODE, CODE + 1);
	assert_range(&s, 1, CODE + 1, CODE + 0x40);
	assert_cfa(&s, 0, CFI_RSP, 8);
	assert_cfa(&s, 1, CFI_RSP, 16);
}

static void versions_and_forms(void **state)
{
	static const uint8_t versions[] = {1, 3, 4};
	static struct frames f;

	for (int form = 0; form < 12; form++) {
		f = (struct frames){.debug = form & 1, .wide = form & 2};
		begin_cie(&f, versions[form / 4], "", NULL, 0);
		put_entry_state(&f);
		end_entry(&f);
		fde_with_absolute_address(&f, false);
		assert_two_rows(&f);
	}
}

static void old_eh_augmentation(void **state)
{
	static struct frames f;

	f = (struct frames){0};
	begin_cie(&f, 1, "eh", NULL, 0);
	put_entry_state(&f);
	end_entry(&f);
	fde_with_absolute_address(&f, false);
	assert_two_rows(&f);
}

static void all_augmentations(void **state)
{
	static struct frames f;
	struct seen s;

	f = (struct frames){0};
	/* A personality of 4 bytes, relative and indirect; an LSDA; addresses; signal; key B. Two
	 * bytes more than we know of. */
	begin_cie(&f, 1, "zPLRSB", "\x9b\1\2\3\4\x1b\x1b\x55\x55", 9);
	put_entry_state(&f);
	end_entry(&f);
	begin_fde_head(&f);
	put_number(&f, CODE - (FRAME_VADDR + f.len), 4);
	put_number(&f, 0x40, 4);
	PUT(&f, 4, 9, 9, 9, 9); /* the LSDA's address */
	PUT(&f, 0x41, 0x0e, 16);
	end_entry(&f);
	assert_two_rows(&f);
	s = walk(&f);
	assert_true(s.row[0].is_signal && s.row[1].is_signal);
}

static void address_encodings(void **state)
{
	static const struct {
		uint8_t encoding;
		size_t bytes;
	} forms[] = {{0x00, 8}, {0x03, 4}, {0x0b, 4}, {0x04, 8}, {0x0c, 8}, {0x10, 8}, {0x1b, 4}};
	static struct frames f;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		f = (struct frames){0};
		begin_cie(&f, 3, "zR", &forms[i].encoding, 1);
		put_entry_state(&f);
		end_entry(&f);
		begin_fde_head(&f);
		put_number(&f, forms[i].encoding & 0x10 ? CODE - (FRAME_VADDR + f.len) : CODE,
			   forms[i].bytes);
		put_number(&f, 0x40, forms[i].bytes);
		PUT(&f, 0, 0x41, 0x0e, 16);
		end_entry(&f);
		assert_two_rows(&f);
	}
}

static void alignment_factors(void **state)
{
	static struct frames f;
	struct seen s;

	f = (struct frames){0};
	begin_entry(&f);
	put_number(&f, 0, 4);
	PUT(&f, 1, 0, 4, 0x7c, 16, 0x0c, 7, 8, 0x90, 2); /* code 4, data -4 */
	end_entry(&f);
	begin_fde_head(&f);
	put_number(&f, CODE, 8);
	put_number(&f, 0x100, 8);
	PUT(&f, 0x45, 0x86, 4);
	end_entry(&f);
	s = walk(&f);
	assert_int_equal(s.rows, 2);
	assert_range(&s, 0, CODE, CODE + 20);
	assert_rule(&s.state[0].reg[CFI_RA], CFI_AT_CFA, -8);
	assert_rule(&s.state[1].reg[CFI_RBP], CFI_AT_CFA, -16);
}

static void end_marks(void **state)
{
	static struct frames f;
	struct cfi_section section;
	struct seen s;

	f = (struct frames){0};
	plain_cie(&f);
	begin_fde(&f, CODE, 0x40);
	end_entry(&f);
	put_number(&f, 0, 4);
	begin_fde(&f, CODE + 0x40, 0x40);
	end_entry(&f);
	s = walk(&f);
	assert_int_equal(s.functions, 2); /* the size is known: the mark of one file linked in */
	section = frames_section(&f);
	section.has_end = true;
	s = (struct seen){0};
	assert_int_equal(walk_section(&section, &s), 0);
	assert_int_equal(s.functions, 1);
	assert_int_equal(s.counts.bad, 0);
}

static void visitors_stop_and_pass_over(void **state)
{
	static struct frames f;
	struct cfi_section section;
	struct seen s = {.stop_with = -ECANCELED};

	f = (struct frames){0};
	plain_cie(&f);
	begin_fde(&f, CODE, 0x40);
	end_entry(&f);
	begin_fde(&f, CODE + 0x40, 0);
	end_entry(&f); /* of a function that the linker dropped */
	section = frames_section(&f);
	assert_int_equal(walk_section(&section, &s), -ECANCELED);
	assert_int_equal(s.rows, 1);
	s = walk(&f);
	assert_int_equal(s.functions, 1);
	assert_int_equal(s.counts.entries, 2);
	assert_int_equal(s.counts.bad, 0);
}

/* ---- hostile ---- */

/* Instructions that make no sense behind one row: that row stays, and the entry is counted. */
static void senseless_instructions(void **state)
{
	static const struct {
		uint8_t bytes[24];
		size_t n;
	} cases[] = {
		{{0x41, 0x0b}, 2}, /* nothing is remembered */
		{{0x41, 0x3f}, 2}, /* no such instruction */
		{{0x41, 0x17}, 2},
		{{0x41, 0x0f, 3, 0x77}, 4}, /* an expression past the end */
		{{0x41, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 12},
		{{0x41, 0x04, 1, 2}, 4},		/* an advance cut off */
		{{0x41, 0x0e, 0x80, 0x80}, 4},		/* LEB128 without an end */
		{{0x41, 0x01, 0, 0x80, 0xc0, 0xff}, 6}, /* back */
		{{0x41, 0x1d, 255, 255, 255, 255, 255, 255, 255, 255}, 10}, /* around */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen s = run(cases[i].bytes, cases[i].n);

		assert_int_equal(s.counts.bad, 1);
		assert_int_equal(s.rows, 1);
		assert_range(&s, 0, CODE, CODE + 1);
	}
}

static void too_many_states(void **state)
{
	uint8_t bytes[1000];
	struct seen s;

	memset(bytes, 0x0a, sizeof(bytes));
	s = run(bytes, sizeof(bytes));
	assert_int_equal(s.counts.bad, 1);
	assert_int_equal(s.rows, 0);
}

/* 30 bytes of one number are a number; a thousand without end are none. */
static void long_numbers(void **state)
{
	uint8_t bytes[1002] = {0x0e};
	struct seen s;

	memset(bytes + 1, 0x80, 30);
	bytes[1] = 0x90;
	bytes[31] = 0;
	s = run(bytes, 32);
	assert_int_equal(s.counts.bad, 0);
	assert_cfa(&s, 0, CFI_RSP, 16);
	memset(bytes + 1, 0xff, 1001);
	s = run(bytes, sizeof(bytes));
	assert_int_equal(s.counts.bad, 1);
	assert_int_equal(s.rows, 0);
}

/* A bad entry between good ones costs only itself. */
static void assert_only_the_good(struct frames *f, size_t bad)
{
	struct seen s;

	plain_cie(f);
	begin_fde(f, CODE + 0x1000, 0x40);
	end_entry(f);
	s = walk(f);
	assert_int_equal(s.counts.entries, bad + 1);
	assert_int_equal(s.counts.bad, bad);
	assert_int_equal(s.functions, 1);
	assert_int_equal(s.start, CODE + 0x1000);
	assert_int_equal(s.rows, 1);
}

static void bad_common_entries(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t n;
	} cies[] = {
		{{1, 'z', 'R', 'R'}, 4},		      /* no NUL */
		{{1, 'z', 'R', 0, 1, 0x78, 16, 99, 0x1b}, 9}, /* augmentation too long */
		{{1, 'z', 'R', 0, 1, 0x78, 16, 0}, 8},	      /* too short for its letters */
		{{1, 'z', 'X', 0, 1, 0x78, 16, 1, 0x1b}, 9},  /* an unknown letter */
		{{1, 'q', 0, 1, 0x78, 16}, 6},
		{{2, 0, 1, 0x78, 16}, 5}, /* versions */
		{{9, 0, 1, 0x78, 16}, 5},
		{{4, 0, 4, 0, 1, 0x78, 16}, 7},			    /* 32-bit addresses */
		{{1, 0, 1, 0x78, 8}, 5},			    /* return address in r8 */
		{{1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x9b}, 9},	    /* indirect addresses */
		{{1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x3b}, 9},	    /* relative to what? */
		{{1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0x41}, 10}, /* advances */
		{{1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0xc6}, 10}, /* restores */
		{{1, 0, 0xff, 0xff, 0xff}, 5},			    /* LEB128 without an end */
		{{1}, 1},
		{{0}, 0},
	};
	static struct frames f;

	for (size_t i = 0; i < sizeof(cies) / sizeof(cies[0]); i++) {
		f = (struct frames){0};
		begin_entry(&f);
		put_number(&f, 0, 4);
		put_bytes(&f, cies[i].bytes, cies[i].n);
		end_entry(&f);
		begin_fde(&f, CODE, 0x40);
		PUT(&f, 0x41, 0x0e, 16);
		end_entry(&f);
		assert_only_the_good(&f, 1);
	}
}

/* Read again for each of its functions: nobody needs so much. */
static void long_common_entry(void **state)
{
	static struct frames f;

	f = (struct frames){0};
	begin_cie(&f, 1, "zR", "\x1b", 1);
	while (f.len < 1100)
		PUT(&f, 0);
	end_entry(&f);
	begin_fde(&f, CODE, 0x40);
	end_entry(&f);
	assert_only_the_good(&f, 1);
}

static void bad_links_to_common_entries(void **state)
{
	static struct frames f;

	f = (struct frames){0};
	plain_cie(&f);
	f.cie = f.len; /* itself, and that in turn ... */
	begin_fde(&f, CODE, 0x40);
	end_entry(&f);
	f.cie = 2; /* into the middle */
	begin_fde(&f, CODE, 0x40);
	end_entry(&f);
	f.cie = (size_t)-64; /* before the section */
	begin_fde(&f, CODE, 0x40);
	end_entry(&f);
	f.cie = f.len + 64; /* behind it, in a number that is not signed */
	begin_fde(&f, CODE, 0x40);
	end_entry(&f);
	assert_only_the_good(&f, 4);
}

static void bad_functions(void **state)
{
	static struct frames f;

	f = (struct frames){0};
	plain_cie(&f);
	begin_fde(&f, CODE, (uint64_t)-0x40); /* ends before it starts */
	end_entry(&f);
	begin_fde_head(&f);
	put_number(&f, 0, 3); /* cut off */
	end_entry(&f);
	begin_fde_head(&f);
	put_number(&f, CODE - (FRAME_VADDR + f.len), 4);
	put_number(&f, 0x40, 4);
	PUT(&f, 0xff, 0xff, 3); /* augmentation longer than the entry */
	end_entry(&f);
	assert_only_the_good(&f, 3);
}

static void lengths_past_the_end(void **state)
{
	static const uint64_t lengths[] = {0x7fffffff, 0xfffffff0, 0xffffffff};
	static struct frames f;

	for (size_t i = 0; i < 3; i++) {
		struct seen s;

		f = (struct frames){0};
		plain_cie(&f);
		begin_fde(&f, CODE, 0x40);
		end_entry(&f);
		put_number(&f, lengths[i], 4);
		put_number(&f, UINT64_MAX, 8);
		s = walk(&f);
		assert_int_equal(s.functions, 1);
		assert_int_equal(s.counts.bad, 1);
	}
}

/* Every prefix, then every byte wrong in several ways. */
static void cut_off_and_broken_everywhere(void **state)
{
	static struct frames f, broken;

	f = (struct frames){0};
	begin_cie(&f, 1, "zPLR", "\x9b\1\2\3\4\x1b\x1b", 7);
	put_entry_state(&f);
	end_entry(&f);
	begin_fde_head(&f);
	put_number(&f, CODE - (FRAME_VADDR + f.len), 4);
	put_number(&f, 0x40, 4);
	PUT(&f, 4, 9, 9, 9, 9, 0x41, 0x0e, 16, 0x86, 2, 0x0a, 0x42, 0x0d, 6, 0x0f, 2, 0x77, 8,
	    0x41);
	PUT(&f, 0x0b, 0x05, 3, 4, 0x2e, 8, 0x10, 3, 1, 0x50);
	end_entry(&f);
	for (size_t len = 0; len < f.len; len++) {
		broken = f;
		broken.len = len;
		walk(&broken);
	}
	for (size_t at = 0; at < f.len; at++) {
		for (int value = 0; value < 256; value++) {
			broken = f;
			broken.data[at] = (uint8_t)value;
			walk(&broken);
		}
	}
	assert_int_equal(walk(&f).rows, 4);
}

/* A million CIEs of a kilobyte would be read for as many functions: somebody has to say stop. */
static void work_is_bounded(void **state)
{
	size_t size = 4 << 20, len;
	struct cfi_section section = {.data = calloc(1, size), .size = size, .vaddr = FRAME_VADDR};
	static struct frames f;
	struct timespec before, after;
	struct seen s = {0};

	assert_non_null(section.data);
	f = (struct frames){0};
	for (int i = 0; i < 2; i++) { /* in the same place of the cache */
		begin_cie(&f, 1, "", NULL, 0);
		while (f.len < 512 * (size_t)(i + 1))
			PUT(&f, 0);
		end_entry(&f);
	}
	memcpy(section.data, f.data, f.len);
	for (len = f.len; len + 32 < size; len += 32) {
		uint32_t length = 28, id = (uint32_t)(len + 4 - (len & 32 ? 512 : 0));

		memcpy(section.data + len, &length, 4);
		memcpy(section.data + len + 4, &id, 4);
	}
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(walk_section(&section, &s), -E2BIG);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 2);
	cfi_section__free(&section);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(function_without_instructions),
		cmocka_unit_test(frame_pointer_function),
		cmocka_unit_test(advances),
		cmocka_unit_test(set_location),
		cmocka_unit_test(cfa_definitions),
		cmocka_unit_test(register_rules),
		cmocka_unit_test(other_registers_are_read_over),
		cmocka_unit_test(states_are_remembered),
		cmocka_unit_test(expressions),
		cmocka_unit_test(registers_behind_an_expression),
		cmocka_unit_test(registers_of_no_cfa),
		cmocka_unit_test(rows_end_with_the_function),
		cmocka_unit_test(versions_and_forms),
		cmocka_unit_test(old_eh_augmentation),
		cmocka_unit_test(all_augmentations),
		cmocka_unit_test(address_encodings),
		cmocka_unit_test(alignment_factors),
		cmocka_unit_test(end_marks),
		cmocka_unit_test(visitors_stop_and_pass_over),
		cmocka_unit_test(senseless_instructions),
		cmocka_unit_test(too_many_states),
		cmocka_unit_test(long_numbers),
		cmocka_unit_test(bad_common_entries),
		cmocka_unit_test(long_common_entry),
		cmocka_unit_test(bad_links_to_common_entries),
		cmocka_unit_test(bad_functions),
		cmocka_unit_test(lengths_past_the_end),
		cmocka_unit_test(cut_off_and_broken_everywhere),
		cmocka_unit_test(work_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
