/* SPDX-License-Identifier: BSD-2-Clause */
/* Call frame instructions: DWARF 5, section 6.4.2, and what GCC has added. */
#ifndef PERFTRACE_ELF_CFI_PROGRAM_H
#define PERFTRACE_ELF_CFI_PROGRAM_H

#include "elf/cfi.h"
#include "elf/cie.h"

/* GCC and LLVM remember one state at a time, hand-written assembly two or three. */
#define CFI_REMEMBER_MAX 16

/*
 * What all functions of a CIE start with: runs its instructions, to the end of the cursor.
 * -EINVAL.
 */
int cfi_program__initial(const struct cie *cie, struct cursor *instructions,
			 struct cfi_state *state);

/*
 * Runs a function's instructions and shows its rows. 0; what the visitor stopped with; 1: they
 * make no sense from some row on.
 */
int cfi_program__run(const struct cie *cie, const struct cfi_state *initial,
		     struct cursor *instructions, uint64_t start, uint64_t end,
		     const struct cfi_visitor *visitor);

#endif
