/* SPDX-License-Identifier: BSD-2-Clause */
/* One mapped file and its names, shared by all processes that map it. Part of the symbolizer. */
#ifndef PERFTRACE_STACK_MODULE_H
#define PERFTRACE_STACK_MODULE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/image.h"
#include "elf/symbols.h"
#include "target/maps.h"

struct module {
	uint32_t dev_major, dev_minor; /* with inode its identity, as in /proc/PID/maps */
	uint64_t inode;
	char *path;
	const char *name;	 /* last part of path */
	struct elf_image *image; /* NULL: could not be opened, or is not ELF */
	bool symbols_tried;
	struct elf_symbols *symbols;
	char **readable; /* by symbol index: demangled name, NULL = not yet or none */
	char build_id[ELF_BUILD_ID_HEX_MAX];
};

/* A module without an image; NULL when out of memory. */
struct module *module__new(const struct mapping *m);
void module__free(struct module *module);
/* Opens the file behind the mapping of a running process, unless that was done. May fail. */
void module__open(struct module *module, pid_t pid, const struct mapping *m);
/* The kernel's own code in every process; from ours. NULL when there is none. */
struct module *module__new_vdso(void);
/* The function at a vaddr, NULL if unknown. Reads the symbols at its first call. */
const struct elf_symbol *module__function(struct module *module, uint64_t vaddr);
/* The function's name for people; owned by the module. */
const char *module__readable(struct module *module, const struct elf_symbol *function);

#endif
