/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold of every unwind table, whatever it was made from. */
#ifndef PERFTRACE_TESTS_FUZZ_TABLE_H
#define PERFTRACE_TESTS_FUZZ_TABLE_H

#include <stdlib.h>
#include <string.h>

#include "stack/unwind_piece.h"
#include "stack/unwind_table.h"

static inline void check_page(const struct unwind_table *t, const struct unwind_rules *rules,
			      size_t page)
{
	const struct unwind_page *p = &t->pages[page];
	const uint16_t *start = t->halves + p->first;
	uint16_t last = 0;

	if (p->rows > 65536 || p->rules > 256 || p->first > t->n_halves ||
	    unwind_piece__halves(*p) > t->n_halves - p->first)
		abort();
	if (p->rows && start[0])
		abort();
	for (uint32_t i = 0; i < p->rows; i++) {
		uint64_t vaddr = t->vaddr + (page << UNWIND_PAGE_BITS) + start[i];
		struct unwind_rule rule;
		uint16_t number;

		if (p->rules && ((const uint8_t *)(start + p->rows))[i] >= p->rules)
			abort();
		number = unwind_piece__number(start, *p, i);
		if (number >= unwind_rules__count(rules))
			abort();
		if (i && (start[i] <= start[i - 1] || number == last))
			abort();
		last = number;
		rule = unwind_table__find(t, rules, vaddr);
		if (memcmp(&rule, &unwind_rules__data(rules)[number], sizeof(rule)))
			abort();
	}
}

static inline void check_table(const struct unwind_table *t, const struct unwind_rules *rules)
{
	size_t rows = 0, halves = 0;

	if (t->bad_entries > t->entries + 2) /* and where each section ceases to be read */
		abort();
	for (size_t i = 0; i < t->n_pages; i++) {
		check_page(t, rules, i);
		rows += t->pages[i].rows;
		halves += unwind_piece__halves(t->pages[i]);
	}
	if (rows != t->n_rows || halves != t->n_halves)
		abort();
}

#endif
