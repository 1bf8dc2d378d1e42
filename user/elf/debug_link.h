/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the debug information of a stripped object says it is kept: the section .gnu_debuglink, a
 * file name and the CRC-32 of that file. Format: GDB manual, "Debugging Information in Separate
 * Files".
 */
#ifndef PERFTRACE_ELF_DEBUG_LINK_H
#define PERFTRACE_ELF_DEBUG_LINK_H

#include <stdint.h>

#include "elf/image.h"

struct elf_debug_link {
	char name[256]; /* of a file, without any directory */
	uint32_t crc;
};

/*
 * -ENOENT: it has none; -EINVAL: malformed, or the name is not that of a file ("..", one with
 * '/'); -ENAMETOOLONG; -ENOMEM or an errno of reading.
 */
int elf_debug_link__read(const struct elf_image *img, struct elf_debug_link *out);
/* The CRC-32 of a whole file, as .gnu_debuglink means it. 0 or an errno of reading. */
int elf_debug_link__crc(const struct elf_image *img, uint32_t *crc);

#endif
