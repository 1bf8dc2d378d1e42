/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exits of a function of an ELF image: gathers what probe/exits.h needs to know. Parts that
 * the compiler moved away are found through the unwind information, so also where symbols were
 * stripped: code with unwind information of its own, no name but perhaps "NAME.cold", that the
 * function jumps to with its frame in place, or that jumps back into the function's middle.
 */
#ifndef PERFTRACE_PROBE_FUNCTION_EXITS_H
#define PERFTRACE_PROBE_FUNCTION_EXITS_H

#include <stdint.h>

#include "elf/fde_index.h"
#include "elf/image.h"
#include "elf/symbols.h"
#include "probe/exits.h"

struct function_source {
	const struct elf_image *image;
	const struct elf_symbols *symbols;
	const struct fde_index *fdes; /* NULL: it has no unwind information */
};

/*
 * `size` in bytes; 0 = not recorded, then it is taken from the unwind information. Fills `out` as
 * exits__find() does. 0, also for a refusal (code that cannot be read is one); -ENOMEM.
 */
int function_exits__find(const struct function_source *source, uint64_t vaddr, uint64_t size,
			 struct exits *out);

#endif
