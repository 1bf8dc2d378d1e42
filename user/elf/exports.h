/* SPDX-License-Identifier: BSD-2-Clause */
/* What an ELF image exports, functions and data alike: its dynamic symbol table. */
#ifndef PERFTRACE_ELF_EXPORTS_H
#define PERFTRACE_ELF_EXPORTS_H

#include <stdint.h>

#include "elf/image.h"

/*
 * The vaddr of the first defined symbol `name` in .dynsym, whatever its type and version; -ENOENT,
 * also for tables that cannot be read; -ENOMEM.
 */
int elf_export__find(const struct elf_image *img, const char *name, uint64_t *vaddr);

#endif
