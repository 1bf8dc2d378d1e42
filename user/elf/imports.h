/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which functions of other objects an image calls, and through which slots of its GOT: enough to
 * say where a jump through the PLT goes. System V ABI, AMD64 supplement: relocation types
 * R_X86_64_JUMP_SLOT and R_X86_64_GLOB_DAT.
 */
#ifndef PERFTRACE_ELF_IMPORTS_H
#define PERFTRACE_ELF_IMPORTS_H

#include <stddef.h>
#include <stdint.h>

#include "elf/image.h"

#define ELF_IMPORTS_MAX 200000

struct elf_imports;

/* An image without dynamic relocations gives an empty list and 0. -E2BIG, -ENOMEM. */
int elf_imports__load(const struct elf_image *img, struct elf_imports **out);
void elf_imports__free(struct elf_imports *imports);

/* The symbol whose address the slot at `vaddr` will hold, without version; NULL if it is none. */
const char *elf_imports__of_slot(const struct elf_imports *imports, uint64_t vaddr);
/* The symbol to which the PLT stub at `vaddr` jumps; NULL if there is no stub. */
const char *elf_imports__of_stub(const struct elf_imports *imports, const struct elf_image *img,
				 uint64_t vaddr);

#endif
