// SPDX-License-Identifier: BSD-2-Clause
#include "stack/lines_dwarf.h"

#ifdef HAVE_LIBDW
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 256 /* blocks and functions within each other */

struct lines_dwarf {
	Dwarf *dwarf;
};

struct lines_dwarf *lines_dwarf__open(int fd, int common)
{
	struct lines_dwarf *d = calloc(1, sizeof(*d));
	Dwarf *alternate;

	if (!d)
		return NULL;
	d->dwarf = dwarf_begin(fd, DWARF_C_READ);
	if (!d->dwarf) {
		free(d);
		return NULL;
	}
	alternate = common >= 0 ? dwarf_begin(common, DWARF_C_READ) : NULL;
	if (alternate)
		dwarf_setalt(d->dwarf, alternate);
	return d;
}

/* Compilers need not write .debug_aranges (clang does not): then every unit is asked. */
static bool find_unit(struct lines_dwarf *d, uint64_t vaddr, Dwarf_Die *unit)
{
	Dwarf_Off at = 0, next;
	size_t header;

	if (dwarf_addrdie(d->dwarf, vaddr, unit))
		return true;
	for (; !dwarf_nextcu(d->dwarf, at, &next, &header, NULL, NULL, NULL); at = next)
		if (dwarf_offdie(d->dwarf, at + header, unit) && dwarf_haspc(unit, vaddr) == 1)
			return true;
	return false;
}

static bool has_code(int tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine ||
	       tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/* Rust and clang put functions into their namespaces and types. */
static bool holds_functions(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_structure_type ||
	       tag == DW_TAG_class_type || tag == DW_TAG_union_type ||
	       tag == DW_TAG_enumeration_type;
}

/* Functions around vaddr, outermost first. */
struct path {
	Dwarf_Die functions[SOURCE_FRAMES_MAX];
	uint32_t count;
};

static bool descend(Dwarf_Die *parent, uint64_t vaddr, struct path *path, int depth)
{
	Dwarf_Die child;

	if (depth > NESTING_MAX || dwarf_child(parent, &child))
		return false;
	do {
		int tag = dwarf_tag(&child);

		if (holds_functions(tag)) {
			if (descend(&child, vaddr, path, depth + 1))
				return true;
			continue;
		}
		if (!has_code(tag) || dwarf_haspc(&child, vaddr) != 1)
			continue;
		if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) {
			if (path->count == SOURCE_FRAMES_MAX)
				return true;
			path->functions[path->count++] = child;
		}
		descend(&child, vaddr, path, depth + 1);
		return true;
	} while (!dwarf_siblingof(&child, &child));
	return false;
}

static const char *name_of(Dwarf_Die *function)
{
	Dwarf_Attribute attribute;
	const char *name = NULL;

	if (dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(function, DW_AT_MIPS_linkage_name, &attribute))
		name = dwarf_formstring(&attribute);
	return name ? name : dwarf_diename(function);
}

/* Where the compiler says that an inlined function is called. */
static void call_place(Dwarf_Die *unit, Dwarf_Die *inlined, struct source_frame *caller)
{
	Dwarf_Attribute attribute;
	Dwarf_Files *files;
	Dwarf_Word file, line;
	size_t count;

	if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) &&
	    line <= UINT32_MAX)
		caller->line = (uint32_t)line;
	if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) &&
	    !dwarf_getsrcfiles(unit, &files, &count) && file < count)
		caller->file = dwarf_filesrc(files, file, NULL, NULL);
}

uint32_t lines_dwarf__find(struct lines_dwarf *d, uint64_t vaddr,
			   struct source_frame frames[SOURCE_FRAMES_MAX])
{
	struct path path = {.count = 0};
	Dwarf_Die unit;
	Dwarf_Line *line;
	uint32_t n;

	if (!find_unit(d, vaddr, &unit))
		return 0;
	descend(&unit, vaddr, &path, 0);
	n = path.count ? path.count : 1;
	memset(frames, 0, n * sizeof(*frames));
	line = dwarf_getsrc_die(&unit, vaddr);
	if (line) {
		int number;

		frames[0].file = dwarf_linesrc(line, NULL, NULL);
		if (!dwarf_lineno(line, &number) && number > 0)
			frames[0].line = (uint32_t)number;
	}
	for (uint32_t i = 0; i < path.count; i++) {
		Dwarf_Die *function = &path.functions[path.count - 1 - i];

		frames[i].function = name_of(function);
		if (i + 1 == path.count)
			break;
		/* A function that stands inside another one without being inlined is its own. */
		if (dwarf_tag(function) != DW_TAG_inlined_subroutine)
			return i + 1;
		frames[i].inlined = true;
		call_place(&unit, function, &frames[i + 1]);
	}
	return n;
}

#else

struct lines_dwarf *lines_dwarf__open(int fd, int common)
{
	return NULL;
}

uint32_t lines_dwarf__find(struct lines_dwarf *d, uint64_t vaddr,
			   struct source_frame frames[SOURCE_FRAMES_MAX])
{
	return 0;
}

#endif
