/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of an ELF image looked up one by one, functions and data alike. */
#ifndef PERFTRACE_ELF_EXPORTS_H
#define PERFTRACE_ELF_EXPORTS_H

#include <stdint.h>

#include "elf/image.h"

/*
 * The vaddr of a variable, exported or not: in .dynsym, then in .symtab. -ENOENT, -ENOMEM as below.
 */
int elf_variable__find(const struct elf_image *img, const char *name, uint64_t *vaddr);

/*
 * The vaddr of the first defined symbol `name` in .dynsym, whatever its type and version; -ENOENT,
 * also for tables that cannot be read; -ENOMEM.
 */
int elf_export__find(const struct elf_image *img, const char *name, uint64_t *vaddr);

#endif
