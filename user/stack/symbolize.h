/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From addresses to names. An address means something in a layout: what processes map where, by the
 * number that the kernel side gives it (struct target in abi/heap.h); forked children share their
 * parent's. Its executable mappings are copied when it is added, and the mapped files are opened
 * then, so that names outlive the process and the files' directory entries. Symbols of a file are
 * read when its first address is asked for, once for all processes that map it: from .symtab and
 * .dynsym, .gnu_debugdata, a separate debug file; those of code without a file from the process's
 * perf map.
 *
 * Strings are as found in the target, unescaped: whoever prints them escapes them.
 */
#ifndef PERFTRACE_STACK_SYMBOLIZE_H
#define PERFTRACE_STACK_SYMBOLIZE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/image.h"
#include "stack/debug_file.h"
#include "target/maps.h"

struct symbolizer;

/* All strings live until symbolizer__free(). */
struct frame {
	const char *function; /* readable name; NULL = unknown */
	const char *raw_name; /* as in the symbol table; NULL = unknown */
	/* File name, "[vdso]", "[anon]", "[jit]" (named by a perf map); NULL = not mapped. */
	const char *module;
	const char *path;		     /* in the process's own root; NULL if not a file */
	char build_id[ELF_BUILD_ID_HEX_MAX]; /* hex, "" = unknown */
	/* The address in the module: a vaddr of its ELF file. Without a file the address itself. */
	uint64_t file_vaddr_offset;
	uint64_t function_offset; /* the address minus the function's start, bytes */
	/* Of a function without name: the vaddr where it starts, by unwind information; 0 =
	 * unknown. */
	uint64_t unnamed_start;
	bool return_address;	 /* resolved as such: the call before it is meant */
	bool executable_mapping; /* false: not code, the other fields say nothing */
};

/* What was met on the way to names, for those who ask why some are missing. */
struct symbolizer_facts {
	struct debug_file_facts debug_files;
	uint64_t perf_maps; /* that were read */
	/* Perf maps that were refused: somebody else's, or no regular files. */
	uint64_t foreign_perf_maps, odd_perf_maps;
};

/* NULL when out of memory. */
struct symbolizer *symbolizer__new(void);
void symbolizer__free(struct symbolizer *sym);

/*
 * Remembers the executable mappings in `maps`, those of `pid`, which should still run, as those of
 * a layout. Calling it again replaces them; mappings that are gone still resolve where nothing new
 * has taken their addresses. A file that cannot be opened only costs its names. 0 or -ENOMEM.
 */
int symbolizer__add_layout(struct symbolizer *sym, uint64_t layout, pid_t pid,
			   const struct maps *maps);

/*
 * Fills `out` with all that is known about `address`. For a return address the instruction before
 * it is looked up: a call may be the last instruction of its function. 0; -ESRCH: the layout was
 * never added; -ENOENT: no executable mapping there. `out` is always valid.
 */
int symbolizer__resolve(struct symbolizer *sym, uint64_t layout, uint64_t address,
			bool is_return_address, struct frame *out);

void symbolizer__facts(const struct symbolizer *sym, struct symbolizer_facts *out);

#endif
