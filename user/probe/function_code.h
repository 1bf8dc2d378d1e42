/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine code of one function, read from its file. */
#ifndef PERFTRACE_PROBE_FUNCTION_CODE_H
#define PERFTRACE_PROBE_FUNCTION_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "elf/fde_index.h"
#include "elf/image.h"
#include "elf/symbols.h"

#define FUNCTION_CODE_MAX (64 * 1024) /* bytes looked at; the rest of a longer one is left out */

struct function_code {
	uint64_t vaddr, offset; /* of its first byte: address in the ELF file, place in the file */
	uint8_t *bytes;		/* owned */
	size_t len;
};

/*
 * Its size is the symbol's or, for hand-written assembly, reaches to the next function with unwind
 * information (`functions`, may be NULL). -ENOENT: its code is not in the file; -EIO, -ENOMEM.
 */
int function_code__load(const struct elf_image *image, const struct elf_symbol *symbol,
			const struct fde_index *functions, struct function_code *code);
void function_code__free(struct function_code *code);

#endif
