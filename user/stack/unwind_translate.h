/* SPDX-License-Identifier: BSD-2-Clause */
/* From DWARF's terms to the few that the kernel side follows. */
#ifndef PERFTRACE_STACK_UNWIND_TRANSLATE_H
#define PERFTRACE_STACK_UNWIND_TRANSLATE_H

#include "abi/unwind.h"
#include "elf/cfi.h"

/* What does not fit is UNWIND_NONE; fields that a kind does not use are 0, so equal is equal. */
struct unwind_rule unwind_translate(const struct cfi_row *row);

#endif
