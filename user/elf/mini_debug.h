/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "MiniDebugInfo": the symbol table of a stripped object, as an ELF file compressed by xz in its
 * section .gnu_debugdata. Format: GDB manual, "Debugging information in a special section".
 */
#ifndef PERFTRACE_ELF_MINI_DEBUG_H
#define PERFTRACE_ELF_MINI_DEBUG_H

#include <stdbool.h>

#include "elf/image.h"

#define MINI_DEBUG_MAX	      (64U << 20)  /* bytes, unpacked */
#define MINI_DEBUG_MEMORY_MAX (160U << 20) /* what the decoder may ask for */

/* Whether this build reads them. */
extern const bool mini_debug_supported;

/*
 * Unpacks it into memory, as an image of its own that the caller frees. -ENOENT: there is none;
 * -ENOTSUP: built without liblzma; -EFBIG: unpacks to more than MINI_DEBUG_MAX or needs too much
 * memory for it; -EINVAL: not xz, or what it holds is no ELF file; -ENOMEM or another errno.
 */
int elf_mini_debug__open(const struct elf_image *img, struct elf_image **out);

#endif
