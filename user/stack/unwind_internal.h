/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files that implement stack/unwind_table.h, for nobody else. */
#ifndef PERFTRACE_STACK_UNWIND_INTERNAL_H
#define PERFTRACE_STACK_UNWIND_INTERNAL_H

#include <stdbool.h>

#include "base/vec.h"
#include "stack/unwind_table.h"

/* The number of a rule, a new one if need be; -E2BIG when all are taken. */
int unwind_rules__number(struct unwind_rules *rules, const struct unwind_rule *rule);

/* All positions are bytes from page 0 of the table. */
struct found_row {
	uint32_t start;
	uint32_t rule;
};

struct found_function {
	uint32_t start, end;
	uint32_t first, rows; /* in found->rows */
	bool secondary;	      /* holds only where no other function is */
};

struct found {
	VEC(struct found_function) functions;
	VEC(struct found_row) rows;
};

/* Sorts by start; those that start at the same place keep their order. -ENOMEM. */
int unwind_sort(struct found *found);

/* Makes pages and rows of what is sorted; `n_pages` is set. -ENOMEM. */
int unwind_pack(const struct found *found, struct unwind_table *table);

#endif
