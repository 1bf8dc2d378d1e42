/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One object's unwind information in the form that the kernel side reads (bpf/abi/unwind.h): 3
 * bytes per row, rows grouped by pages of 64 KB of vaddrs, rules shared by number between all
 * objects.
 */
#ifndef PERFTRACE_STACK_UNWIND_TABLE_H
#define PERFTRACE_STACK_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "abi/unwind.h"
#include "elf/cfi.h"
#include "elf/image.h"

/* The rules of all tables, by number; numbers never change, rules are never taken out. */
struct unwind_rules;

/* Holds UNWIND_RULE_NONE and UNWIND_RULE_END. NULL when out of memory. */
struct unwind_rules *unwind_rules__new(void);
void unwind_rules__free(struct unwind_rules *rules);
size_t unwind_rules__count(const struct unwind_rules *rules);
const struct unwind_rule *unwind_rules__data(const struct unwind_rules *rules);

/* Owned by whom unwind_table__build() filled it for. */
struct unwind_table {
	uint64_t vaddr;		   /* of page 0, a multiple of 64 KB */
	struct unwind_page *pages; /* `first` counts in halves[] */
	size_t n_pages;
	uint16_t *halves; /* the pages' pieces, in their order */
	size_t n_halves;
	size_t n_rows;		     /* of all pages */
	size_t eh_frame_bytes;	     /* size of what it was made from */
	size_t entries, bad_entries; /* descriptions of functions; those that made no sense */
};

/*
 * Builds the table of `img` from .eh_frame and, for code that it does not describe, .debug_frame.
 * Bad entries are left out and counted; of functions that overlap the one that starts later holds.
 * Pages cover all executable segments. -ENOENT: the image has neither, or nothing of use in them;
 * -E2BIG: more than UNWIND_ROWS_MAX rows, 64 MB of entries (CFI_SECTION_MAX) or 4 GB of code, or
 * too many different rules; -EINVAL, -EIO: the section cannot be read; -ENOMEM. The table is empty
 * after an error.
 */
#define UNWIND_ROWS_MAX	       16000000
#define UNWIND_IMAGE_RULES_MAX 8192 /* new ones per image: none may use up all numbers */
int unwind_table__build(const struct elf_image *img, struct unwind_rules *rules,
			struct unwind_table *out);
/* The same from one section and the code [begin, end). */
int unwind_table__build_section(const struct cfi_section *section, uint64_t begin, uint64_t end,
				struct unwind_rules *rules, struct unwind_table *out);
void unwind_table__free(struct unwind_table *table);

/* The rule for the instruction at `vaddr`, found as the kernel side finds it. */
struct unwind_rule unwind_table__find(const struct unwind_table *table,
				      const struct unwind_rules *rules, uint64_t vaddr);

#endif
