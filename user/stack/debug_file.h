/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The separate file with the symbols and debug information of a stripped object, where a
 * distribution's debug packages and objcopy --add-gnu-debuglink put it (GDB manual, "Debugging
 * Information in Separate Files"): by build-id below /usr/lib/debug/.build-id, by the name in
 * .gnu_debuglink beside the object, in .debug there, and below /usr/lib/debug. And the file to
 * which dwz(1) moved what several of them have in common: by the path in .gnu_debugaltlink, or by
 * build-id in the same place.
 */
#ifndef PERFTRACE_STACK_DEBUG_FILE_H
#define PERFTRACE_STACK_DEBUG_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/image.h"

#define DEBUG_LINK_FILE_MAX (1ULL << 30) /* bytes; the check reads all of it */

/* What was found on the way, of all calls. Zero-initialise. */
struct debug_file_facts {
	uint64_t found;
	uint64_t common_found; /* files of dwz; not among `found` */
	/* Files that were not used, by reason. */
	uint64_t other_build_id;
	uint64_t other_crc; /* or larger than DEBUG_LINK_FILE_MAX */
	uint64_t unusable;  /* no regular file, or not ELF */
	/* .gnu_debuglink that names no plain file, or it or .gnu_debugaltlink is malformed. */
	uint64_t bad_links;
};

/*
 * Opens the debug file of `img`, which lies at `path` below the root directory `rootfd` of the
 * process (-1: not known, or it is gone): there first, then in our own root. Links never lead out
 * of the root they are in. A file with another build-id is never used, nor one with another CRC
 * than .gnu_debuglink says. *in_our_root: which of the two it was. The image is the caller's;
 * -ENOENT.
 */
int debug_file__open(const struct elf_image *img, const char *path, int rootfd,
		     struct debug_file_facts *facts, struct elf_image **out, bool *in_our_root);

/*
 * Opens the common file to which `debug` (a debug file, or an object with its own debug
 * information) refers, if it does. `rootfd` is the root in which `debug` lies (-1: our own): the
 * path in .gnu_debugaltlink means one there and never leads out of it; by build-id it is then
 * looked for in our own root, too. Only a file with the build-id of the link is used. The image is
 * the caller's; -ENOENT.
 */
int debug_file__open_common(const struct elf_image *debug, int rootfd,
			    struct debug_file_facts *facts, struct elf_image **out);

#endif
