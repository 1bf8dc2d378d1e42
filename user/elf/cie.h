/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Common information entries: what the descriptions of many functions share. Formats: Linux
 * Standard Base Core 5.0, section 10.6.1 (.eh_frame); DWARF 5, section 6.4.1 (.debug_frame).
 */
#ifndef PERFTRACE_ELF_CIE_H
#define PERFTRACE_ELF_CIE_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/cursor.h"

struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_register;
	uint8_t code_encoding, lsda_encoding; /* PE_*; PE_OMIT without one */
	bool augmented;			      /* descriptions carry a sized augmentation */
	bool has_personality;
	bool is_signal; /* frames that a signal interrupted: their address is exact */
};

/*
 * Reads one from behind its id field up to its instructions, where it leaves the cursor. -ENOTSUP:
 * a version or augmentation that nobody writes for x86-64; -EINVAL: it makes no sense.
 */
int cie__read(struct cursor *c, struct cie *out);

#endif
