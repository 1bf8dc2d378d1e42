/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the debug information of a stripped object says it is kept: the section .gnu_debuglink, a
 * file name and the CRC-32 of that file. Format: GDB manual, "Debugging Information in Separate
 * Files". And where what it shares with others is, which dwz(1) moved to a common file: the section
 * .gnu_debugaltlink, a path and the build-id of that file. Format: DWARF 5, 7.3.6 has the same as
 * .debug_sup; what dwz writes is a path, a NUL and 20 bytes.
 */
#ifndef PERFTRACE_ELF_DEBUG_LINK_H
#define PERFTRACE_ELF_DEBUG_LINK_H

#include <limits.h>
#include <stdint.h>

#include "elf/image.h"

struct elf_debug_link {
	char name[256]; /* of a file, without any directory */
	uint32_t crc;
};

struct elf_debug_altlink {
	char path[PATH_MAX]; /* absolute, or relative to the directory of the object */
	char build_id[ELF_BUILD_ID_HEX_MAX];
};

/*
 * -ENOENT: it has none; -EINVAL: malformed, or the name is not that of a file ("..", one with
 * '/'); -ENAMETOOLONG; -ENOMEM or an errno of reading.
 */
int elf_debug_link__read(const struct elf_image *img, struct elf_debug_link *out);
/* The same; ".." and '/' are normal in this one. */
int elf_debug_altlink__read(const struct elf_image *img, struct elf_debug_altlink *out);
/* The CRC-32 of a whole file, as .gnu_debuglink means it. 0 or an errno of reading. */
int elf_debug_link__crc(const struct elf_image *img, uint32_t *crc);

#endif
