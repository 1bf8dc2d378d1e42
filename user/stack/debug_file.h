/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The separate file with the symbols and debug information of a stripped object, where a
 * distribution's debug packages and objcopy --add-gnu-debuglink put it (GDB manual, "Debugging
 * Information in Separate Files"): by build-id below /usr/lib/debug/.build-id, by the name in
 * .gnu_debuglink beside the object, in .debug there, and below /usr/lib/debug.
 */
#ifndef PERFTRACE_STACK_DEBUG_FILE_H
#define PERFTRACE_STACK_DEBUG_FILE_H

#include <stdint.h>

#include "elf/image.h"

#define DEBUG_LINK_FILE_MAX (1ULL << 30) /* bytes; the check reads all of it */

/* What was found on the way, of all calls. Zero-initialise. */
struct debug_file_facts {
	uint64_t found;
	/* Files that were not used, by reason. */
	uint64_t other_build_id;
	uint64_t other_crc; /* or larger than DEBUG_LINK_FILE_MAX */
	uint64_t unusable;  /* no regular file, or not ELF */
	uint64_t bad_links; /* .gnu_debuglink sections that name no plain file, or are malformed */
};

/*
 * Opens the debug file of `img`, which lies at `path` below the root directory `rootfd` of the
 * process (-1: not known, or it is gone): there first, then in our own root. Links never lead out
 * of the root they are in. A file with another build-id is never used, nor one with another CRC
 * than .gnu_debuglink says. The image is the caller's; -ENOENT.
 */
int debug_file__open(const struct elf_image *img, const char *path, int rootfd,
		     struct debug_file_facts *facts, struct elf_image **out);

#endif
