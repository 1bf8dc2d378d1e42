/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks ELF notes (System V ABI, "Note Section") in memory that may hold anything. */
#ifndef PERFTRACE_ELF_NOTE_WALK_H
#define PERFTRACE_ELF_NOTE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct note_walk {
	const uint8_t *data;
	size_t size;
	size_t pos; /* of the next note */
	bool torn;  /* set when the rest could not be read as notes */
};

struct note {
	uint32_t type;
	const char *name; /* not necessarily NUL-terminated */
	size_t name_size;
	const uint8_t *desc;
	size_t desc_size;
};

/* false at the end, and when the next note does not fit. Notes are aligned to 4 bytes. */
bool note_walk_next(struct note_walk *walk, struct note *out);
/* Whether the owner's name is `name`, with or without its NUL. */
bool note_is(const struct note *note, const char *name, uint32_t type);

#endif
