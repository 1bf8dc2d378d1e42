/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold of every unwind table, whatever it was made from. */
#ifndef PERFTRACE_TESTS_FUZZ_TABLE_H
#define PERFTRACE_TESTS_FUZZ_TABLE_H

#include <stdlib.h>
#include <string.h>

#include "stack/unwind_table.h"

static inline void check_page(const struct unwind_table *t, const struct unwind_rules *rules,
			      size_t page)
{
	const struct unwind_page *p = &t->pages[page];
	const struct unwind_row *row = t->rows + p->first;

	if (p->rows > 65536 || p->first > t->n_rows || p->rows > t->n_rows - p->first)
		abort();
	if (p->rows && row[0].start)
		abort();
	for (uint32_t i = 0; i < p->rows; i++) {
		uint64_t vaddr = t->vaddr + (page << UNWIND_PAGE_BITS) + row[i].start;
		struct unwind_rule rule;

		if (row[i].rule >= unwind_rules__count(rules))
			abort();
		if (i && (row[i].start <= row[i - 1].start || row[i].rule == row[i - 1].rule))
			abort();
		rule = unwind_table__find(t, rules, vaddr);
		if (memcmp(&rule, &unwind_rules__data(rules)[row[i].rule], sizeof(rule)))
			abort();
	}
}

static inline void check_table(const struct unwind_table *t, const struct unwind_rules *rules)
{
	if (t->bad_entries > t->entries + 2) /* and where each section ceases to be read */
		abort();
	for (size_t i = 0; i < t->n_pages; i++)
		check_page(t, rules, i);
}

#endif
