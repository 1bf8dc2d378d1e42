/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From addresses to names. An address means something in a layout: what processes map where, by the
 * number that the kernel side gives it (struct target in abi/heap.h); forked children share their
 * parent's. Its executable mappings are copied when it is added, and the mapped files are opened
 * then, so that names outlive the process and the files' directory entries. Symbols of a file are
 * read when its first address is asked for, once for all processes that map it.
 *
 * Strings are as found in the target, unescaped: whoever prints them escapes them.
 */
#ifndef PERFTRACE_STACK_SYMBOLIZE_H
#define PERFTRACE_STACK_SYMBOLIZE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/image.h"
#include "target/maps.h"

struct symbolizer;

/* All strings live until symbolizer__free(). */
struct frame {
	const char *function;		     /* readable name; NULL = unknown */
	const char *raw_name;		     /* as in the symbol table; NULL = unknown */
	const char *module;		     /* file name, "[anon]", "[vdso]"; NULL = not mapped */
	const char *path;		     /* in the process's own root; NULL if not a file */
	char build_id[ELF_BUILD_ID_HEX_MAX]; /* hex, "" = unknown */
	uint64_t file_vaddr_offset; /* the address in the module: a vaddr of its ELF file */
	uint64_t function_offset;   /* the address minus the function's start, bytes */
	bool return_address;	    /* resolved as such: the call before it is meant */
	bool executable_mapping;    /* false: not code, the other fields say nothing */
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

#endif
