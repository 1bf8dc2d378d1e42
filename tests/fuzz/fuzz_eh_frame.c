// SPDX-License-Identifier: BSD-2-Clause
/*
 * Call frame information that may say anything. The first byte chooses the format, the rest is the
 * section. Whatever comes of it must be a table that the kernel side can search.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "fuzz_table.h"

#define SECTION	 0x400000
#define CODE	 0x10000
#define CODE_END 0x200000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfi_section section = {.vaddr = SECTION};
	struct unwind_rules *rules;
	struct unwind_table table;

	if (!size)
		return 0;
	section.is_debug_frame = data[0] & 1;
	section.has_end = data[0] & 2;
	section.size = size - 1;
	section.data = malloc(size - 1 ? size - 1 : 1); /* exact: who reads past it is caught */
	rules = unwind_rules__new();
	if (!section.data || !rules)
		abort();
	memcpy(section.data, data + 1, size - 1);
	if (!unwind_table__build_section(&section, CODE, CODE_END, rules, &table)) {
		check_table(&table, rules);
		unwind_table__free(&table);
	}
	unwind_rules__free(rules);
	cfi_section__free(&section);
	return 0;
}
