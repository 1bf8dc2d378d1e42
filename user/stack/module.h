/* SPDX-License-Identifier: BSD-2-Clause */
/* One mapped file and its names, shared by all processes that map it. Part of the symbolizer. */
#ifndef PERFTRACE_STACK_MODULE_H
#define PERFTRACE_STACK_MODULE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/fde_index.h"
#include "elf/image.h"
#include "elf/imports.h"
#include "elf/symbols.h"
#include "stack/debug_file.h"
#include "stack/string_pool.h"
#include "target/maps.h"

/* Where names come from, in the order in which they are asked. */
enum module_source {
	MODULE_OWN,   /* .symtab and .dynsym of the file itself */
	MODULE_MINI,  /* .gnu_debugdata, where there is no .symtab */
	MODULE_DEBUG, /* its separate debug file, likewise */
	MODULE_SOURCES,
};

struct module_symbols {
	bool tried;
	struct elf_symbols *symbols; /* NULL: none */
	char **readable;	     /* by index: demangled name, NULL = not yet or none */
};

struct module {
	uint32_t dev_major, dev_minor; /* with inode its identity, as in /proc/PID/maps */
	uint64_t inode;
	char *path;
	const char *name;	       /* last part of path */
	struct elf_image *image;       /* NULL: could not be opened, or is not ELF */
	struct elf_image *debug;       /* its separate debug file; NULL: none, or not needed */
	const struct elf_image *dwarf; /* the one of them that has .debug_info; NULL: none */
	struct elf_image *common; /* what dwz moved away from it; NULL: nothing, or not found */
	bool has_symtab;
	struct module_symbols sources[MODULE_SOURCES];
	bool imports_tried;
	struct elf_imports *imports; /* NULL: not read */
	bool functions_tried;
	struct fde_index *functions; /* NULL: not read */
	char build_id[ELF_BUILD_ID_HEX_MAX];
};

/* Strings are the module's own or of the pool. */
struct module_name {
	const char *readable, *raw;
	uint64_t start; /* vaddr of the function */
};

/* A module without an image; NULL when out of memory. */
struct module *module__new(const struct mapping *m);
void module__free(struct module *module);
/*
 * Opens the file behind the mapping of a running process, unless that was done, its separate debug
 * file where its own symbols or debug information were stripped, and the common file of the debug
 * information. May fail.
 */
void module__open(struct module *module, pid_t pid, const struct mapping *m,
		  struct debug_file_facts *facts);
/* The kernel's own code in every process; from ours. NULL when there is none. */
struct module *module__new_vdso(void);
/*
 * What the code at a vaddr is called: a function, a label of assembly, "memcpy@plt". Reads the
 * symbols at its first call. False if nothing is known.
 */
bool module__find(struct module *module, uint64_t vaddr, struct string_pool *pool,
		  struct module_name *out);
/*
 * Where the function around a vaddr starts, by the unwind information: what tells functions apart
 * that have no names. 0 if that is not known.
 */
uint64_t module__function_start(struct module *module, uint64_t vaddr);

#endif
