/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USDT probes of an ELF image: the .note.stapsdt notes that sys/sdt.h leaves there.
 * Format: SystemTap wiki, "UserSpaceProbeImplementation" (note type 3, owner "stapsdt": three
 * addresses: probe, base, semaphore; then the strings provider, name, arguments).
 */
#ifndef PERFTRACE_ELF_NOTES_H
#define PERFTRACE_ELF_NOTES_H

#include <stdint.h>

#include "base/vec.h"
#include "elf/image.h"

#define USDT_NOTES_MAX 65536

/* One probe site. A probe name may have several, each with its own argument layout. */
struct usdt_note {
	char *provider;
	char *name;
	char *arguments;	   /* "-4@%edi 8@-8(%rbp)"; "" when it has none */
	uint64_t location;	   /* vaddr of the nop, corrected for prelink */
	uint64_t location_offset;  /* in the file */
	uint64_t semaphore;	   /* vaddr of its 16-bit counter, corrected; 0 = none */
	uint64_t semaphore_offset; /* in the file, what the kernel calls ref_ctr_offset; 0 = none */
};

struct usdt_notes {
	VEC(struct usdt_note) list;
	unsigned int
		malformed; /* notes skipped, as they made no sense or their addresses did not */
	bool truncated;	   /* there were more than USDT_NOTES_MAX */
};

/*
 * Fills `out` (zero-initialised by the caller, freed with usdt_notes__free() whatever is
 * returned). 0, also for an image without probes; -ENOMEM; an errno of reading the section.
 */
int usdt_notes__load(const struct elf_image *img, struct usdt_notes *out);
void usdt_notes__free(struct usdt_notes *notes);

#endif
