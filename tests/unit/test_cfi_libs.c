// SPDX-License-Identifier: BSD-2-Clause
/*
 * Call frame information of real libraries and programs: every row of every function held against
 * what libdw says, then the packed tables against the rows. Prints sizes and times.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"
#include "elf/cfi.h"
#include "elf/cursor.h"
#include "elf/openfile.h"
#include "fuzz_table.h"
#include "stack/unwind_table.h"
#include "stack/unwind_translate.h"

#define LIB "/usr/lib/x86_64-linux-gnu/"
#define MB  1048576.0

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct checked_row {
	uint64_t start, end, function_end;
	struct unwind_rule rule;
};

struct object {
	const char *path;
	struct elf_image *image;
	struct cfi_section section;
	Elf *elf;
	Dwarf_CFI *cfi;
	unsigned int every; /* nth function is compared with libdw */
	size_t functions, compared, faults;
	uint64_t function_end;
	bool compare;
	VEC(struct checked_row) rows;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void open_object(struct object *o, const char *path)
{
	int fd = open_regular(AT_FDCWD, path);

	if (fd < 0)
		fail_msg("%s is missing", path);
	*o = (struct object){.path = path, .every = 1};
	assert_int_equal(elf_image__open_fd(fd, &o->image, NULL), 0);
	assert_int_equal(cfi_section__load(o->image, &o->section), 0);
	elf_version(EV_CURRENT);
	o->elf = elf_begin(elf_image__fd(o->image), ELF_C_READ_MMAP, NULL);
	assert_non_null(o->elf);
	o->cfi = dwarf_getcfi_elf(o->elf);
	assert_non_null(o->cfi);
}

static void close_object(struct object *o)
{
	vec_free(&o->rows);
	cfi_section__free(&o->section);
	dwarf_cfi_end(o->cfi);
	elf_end(o->elf);
	elf_image__free(o->image);
}

static void fault(struct object *o, uint64_t vaddr, const char *what)
{
	if (o->faults++ < 20)
		fprintf(stderr, "%s: %#lx: %s differs\n", o->path, (unsigned long)vaddr, what);
}

/* ---- our rules against libdw's operations ---- */

static bool same_operand(struct cursor *c, const Dwarf_Op *op)
{
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
		return cursor__sleb(c) == (int64_t)op->number;
	if (op->atom == DW_OP_plus_uconst)
		return cursor__uleb(c) == op->number;
	if (op->atom == DW_OP_const1u)
		return cursor__byte(c) == op->number;
	if (op->atom == DW_OP_const4s)
		return (int32_t)cursor__number(c, 4) == (int64_t)op->number;
	if (op->atom == DW_OP_const1s)
		return (int8_t)cursor__byte(c) == (int64_t)op->number;
	return op->atom == DW_OP_deref || (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) ||
	       (op->atom >= DW_OP_dup && op->atom <= DW_OP_xor) ||
	       (op->atom >= DW_OP_eq && op->atom <= DW_OP_ne);
}

static bool same_expression(const struct cfi_rule *rule, const Dwarf_Op *ops, size_t n)
{
	struct cursor c = {.data = rule->expression, .len = rule->length};

	for (size_t i = 0; i < n; i++) {
		if (cursor__byte(&c) != ops[i].atom || !same_operand(&c, &ops[i]))
			return false;
	}
	return !c.bad && c.pos == c.len;
}

static bool same_cfa(const struct cfi_rule *rule, Dwarf_Frame *frame)
{
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_frame_cfa(frame, &ops, &n))
		return false;
	if (rule->kind == CFI_REGISTER)
		return n == 1 && ops[0].atom == DW_OP_bregx && ops[0].number == rule->reg &&
		       (int64_t)ops[0].number2 == rule->offset;
	if (rule->kind == CFI_IS_EXPRESSION)
		return same_expression(rule, ops, n);
	return !n;
}

static bool same_register(const struct cfi_rule *rule, Dwarf_Frame *frame, int reg)
{
	Dwarf_Op memory[3], *ops;
	size_t n, cfa;
	bool value;

	if (dwarf_frame_register(frame, reg, memory, &ops, &n))
		return false;
	if (!n &&
	    rule->kind == CFI_UNSPECIFIED) /* libdw takes rbx for undefined, against the ABI */
		return true;
	if (!n)
		return rule->kind == (ops ? CFI_UNDEFINED : CFI_SAME);
	if (ops[0].atom == DW_OP_regx)
		return rule->kind == CFI_REGISTER && ops[0].number == rule->reg;
	value = ops[n - 1].atom == DW_OP_stack_value;
	n -= value;
	cfa = ops[0].atom == DW_OP_call_frame_cfa;
	if (rule->kind == CFI_AT_EXPRESSION || rule->kind == CFI_IS_EXPRESSION)
		return value == (rule->kind == CFI_IS_EXPRESSION) &&
		       same_expression(rule, ops + cfa, n - cfa);
	if (rule->kind != (value ? CFI_CFA_PLUS : CFI_AT_CFA) || !cfa)
		return false;
	return n == 1 ? !rule->offset
		      : n == 2 && ops[1].atom == DW_OP_plus_uconst &&
				(int64_t)ops[1].number == rule->offset;
}

static void compare_row(struct object *o, const struct cfi_row *row)
{
	static const int registers[] = {CFI_RA, CFI_RBP, CFI_RBX, 12, 13, 14, 15};
	Dwarf_Addr start, end;
	Dwarf_Frame *frame;
	bool is_signal;

	o->compared++;
	if (dwarf_cfi_addrframe(o->cfi, row->start, &frame)) {
		fault(o, row->start, "libdw has no row, its existence");
		return;
	}
	if (dwarf_frame_info(frame, &start, &end, &is_signal) != CFI_RA)
		fault(o, row->start, "the return address's register");
	/* Behind DW_CFA_restore_state libdw names the start of the row that was remembered. */
	if (start > row->start || end != row->end)
		fault(o, row->start, "the row's range");
	if (is_signal != row->is_signal)
		fault(o, row->start, "whether it is a signal's frame");
	if (!same_cfa(&row->state->cfa, frame))
		fault(o, row->start, "the CFA");
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		if (!same_register(&row->state->reg[registers[i]], frame, registers[i]))
			fault(o, row->start, i ? "a register" : "the return address");
	}
	free(frame);
}

static int see_function(void *arg, uint64_t start, uint64_t end)
{
	struct object *o = arg;

	o->compare = o->functions++ % o->every == 0;
	o->function_end = end;
	return 0;
}

static int see_row(void *arg, const struct cfi_row *row)
{
	struct object *o = arg;
	struct checked_row *r = vec_push(&o->rows);

	assert_non_null(r);
	*r = (struct checked_row){row->start, row->end, o->function_end, unwind_translate(row)};
	if (o->compare)
		compare_row(o, row);
	return 0;
}

/* Entries for functions, as libdw counts them. */
static size_t count_entries(struct object *o)
{
	const unsigned char *ident = (const unsigned char *)elf_getident(o->elf, NULL);
	Elf_Data data = {
		.d_buf = o->section.data, .d_size = o->section.size, .d_version = EV_CURRENT};
	Dwarf_CFI_Entry entry;
	size_t n = 0;
	Dwarf_Off at = 0, next;

	while (at < o->section.size) {
		int end = dwarf_next_cfi(ident, &data, true, at, &next, &entry);

		assert_true(end >= 0);
		if (end || next == (Dwarf_Off)-1)
			break;
		n += !dwarf_cfi_cie_p(&entry);
		at = next;
	}
	return n;
}

static void rows_agree(struct object *o)
{
	struct cfi_visitor visitor = {.function = see_function, .row = see_row, .arg = o};
	struct cfi_counts counts;
	double begin = now_ms();

	assert_int_equal(cfi_section__walk(&o->section, &visitor, &counts), 0);
	assert_int_equal(counts.bad, 0);
	assert_int_equal(counts.entries, count_entries(o));
	assert_int_equal(o->functions, counts.entries);
	fprintf(stderr, "%s: %zu functions, %zu rows, %zu held against libdw in %.0f ms\n", o->path,
		o->functions, o->rows.len, o->compared, now_ms() - begin);
}

/* ---- the packed table against the rows ---- */

static bool same_rule(struct unwind_rule a, struct unwind_rule b)
{
	return !memcmp(&a, &b, sizeof(a));
}

static void table_agrees(struct object *o, const struct unwind_table *t,
			 const struct unwind_rules *rules)
{
	const struct checked_row *r;
	uint64_t total = 0, none = 0;

	vec_for_each (&o->rows, r) {
		if (!same_rule(unwind_table__find(t, rules, r->start), r->rule) ||
		    !same_rule(unwind_table__find(t, rules, r->end - 1), r->rule))
			fault(o, r->start, "the table");
		total += r->end - r->start;
		none += r->rule.cfa == UNWIND_NONE ? r->end - r->start : 0;
	}
	fprintf(stderr, "  no rule for %.4f %% of the code\n",
		100.0 * (double)none / (double)total);
	assert_true(none * 500 <= total); /* libcrypto has most: its CFA also needs r9 */
}

/* Opening and reading the file included. */
static double build_ms(const char *path, struct unwind_rules *rules, struct unwind_table *out)
{
	double begin = now_ms();
	struct elf_image *img;

	assert_int_equal(elf_image__open_fd(open_regular(AT_FDCWD, path), &img, NULL), 0);
	assert_int_equal(unwind_table__build(img, rules, out), 0);
	elf_image__free(img);
	return now_ms() - begin;
}

static void check_packed(struct object *o)
{
	struct unwind_rules *rules = unwind_rules__new();
	struct unwind_table table;
	double best = 1e9, mb, packed, stored;
	size_t wide = 0;

	assert_non_null(rules);
	for (int i = 0; i < 5; i++) {
		double ms = build_ms(o->path, rules, &table);

		best = ms < best ? ms : best;
		if (i < 4)
			unwind_table__free(&table);
	}
	mb = (double)table.eh_frame_bytes / MB;
	packed = (double)(table.n_halves * sizeof(*table.halves)) / (double)table.eh_frame_bytes;
	stored = packed +
		 (double)(table.n_pages * sizeof(*table.pages)) / (double)table.eh_frame_bytes;
	for (size_t i = 0; i < table.n_pages; i++)
		wide += table.pages[i].rows && !table.pages[i].rules;
	fprintf(stderr,
		"  .eh_frame %.2f MB: %zu rows, %zu rules, packed %.3f, with pages %.3f of it; "
		"%zu of %zu pages without their own numbers; built in %.2f ms per MB\n",
		mb, table.n_rows, unwind_rules__count(rules), packed, stored, wide, table.n_pages,
		best / mb);
	check_table(&table, rules);
	table_agrees(o, &table, rules);
	assert_int_equal(table.eh_frame_bytes, o->section.size);
	assert_int_equal(table.entries, o->functions);
	assert_int_equal(table.bad_entries, 0);
	/* Small ones differ: a row may take three bytes there as here. */
	assert_true(table.eh_frame_bytes < 100000 || (packed <= 0.75 && stored <= 0.9));
	/* A tenfold of what it takes here: other work on the machine is no fault of ours. */
	assert_true(SANITIZED || table.eh_frame_bytes < 100000 || best / mb < 50);
	unwind_table__free(&table);
	unwind_rules__free(rules);
}

static void check_every(const char *path, size_t functions, unsigned int every)
{
	const char *is_long = getenv("PERFTRACE_LONG");
	struct object o;

	open_object(&o, path);
	if (!is_long || !strcmp(is_long, "") || !strcmp(is_long, "0"))
		o.every = every;
	rows_agree(&o);
	check_packed(&o);
	assert_int_equal(o.faults, 0);
	assert_true(o.functions >= functions);
	close_object(&o);
}

static void check(const char *path, size_t functions)
{
	check_every(path, functions, 1);
}

static void libc(void **state)
{
	check(LIB "libc.so.6", 3000);
}

static void libstdcxx(void **state)
{
	check(LIB "libstdc++.so.6", 4000);
}

static void libcrypto(void **state)
{
	check(LIB "libcrypto.so.3", 8000);
}

static void python(void **state)
{
	check("/usr/bin/python3.11", 8000);
}

/* The interpreter as a library, where it is installed. */
static void libpython(void **state)
{
	if (!access(LIB "libpython3.11.so.1.0", R_OK))
		check(LIB "libpython3.11.so.1.0", 5000);
	else
		fprintf(stderr, "libpython3.11.so.1.0 is not installed\n");
}

static void perl(void **state)
{
	check("/usr/bin/perl", 1000);
}

static void libxml2(void **state)
{
	check(LIB "libxml2.so.2", 1000);
}

static void postgres(void **state)
{
	check("/usr/lib/postgresql/15/bin/postgres", 12000);
}

/* Debian's is a small program with a large library. */
static void node(void **state)
{
	check_every(access(LIB "libnode.so.108", R_OK) ? "/usr/bin/node" : LIB "libnode.so.108",
		    30000, SANITIZED ? 10 : 1);
}

static void llvm(void **state)
{
	check_every(LIB "libLLVM-14.so.1", 80000, SANITIZED ? 10 : 1);
}

static void clang(void **state)
{
	check_every(LIB "libclang-cpp.so.14", 30000, SANITIZED ? 10 : 1);
}

/* Files as arguments: these instead. */
static void named_files(void **state)
{
	for (char **path = *state; *path; path++)
		check(*path, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest named[] = {cmocka_unit_test_prestate(named_files, argv + 1)};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libc),	   cmocka_unit_test(libstdcxx), cmocka_unit_test(libcrypto),
		cmocka_unit_test(python),  cmocka_unit_test(libpython), cmocka_unit_test(perl),
		cmocka_unit_test(libxml2), cmocka_unit_test(postgres),	cmocka_unit_test(node),
		cmocka_unit_test(llvm),	   cmocka_unit_test(clang),
	};

	if (argc > 1)
		return cmocka_run_group_tests(named, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
