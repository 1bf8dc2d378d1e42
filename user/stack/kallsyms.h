/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for kernel addresses, from /proc/kallsyms (proc(5)): a line per symbol, "ADDRESS TYPE NAME"
 * and, of modules, "[MODULE]". Only code is kept. Where the kernel hides addresses
 * (kernel.kptr_restrict) they are all zero, and nothing is known.
 */
#ifndef PERFTRACE_STACK_KALLSYMS_H
#define PERFTRACE_STACK_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KALLSYMS_PATH "/proc/kallsyms"
#define KALLSYMS_CORE "[kernel]" /* the module of what belongs to none */

struct kallsyms;

struct kernel_symbol {
	const char *name;
	const char *module; /* "[ext4]", KALLSYMS_CORE */
	uint64_t start;
};

/* Reads `path` once, bounded; what cannot be read is not known. NULL when out of memory. */
struct kallsyms *kallsyms__load(const char *path);
void kallsyms__free(struct kallsyms *k);
/* How many symbols are known. */
size_t kallsyms__count(const struct kallsyms *k);
/* The function around `address`; false if none is known. Strings live until kallsyms__free(). */
bool kallsyms__find(const struct kallsyms *k, uint64_t address, struct kernel_symbol *out);

#endif
