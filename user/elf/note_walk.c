// SPDX-License-Identifier: BSD-2-Clause
#include "elf/note_walk.h"

#include <elf.h>
#include <string.h>

static size_t aligned(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

bool note_walk_next(struct note_walk *walk, struct note *out)
{
	size_t left = walk->size - walk->pos, name_room;
	Elf64_Nhdr head;

	if (left < sizeof(head)) {
		walk->torn |= left != 0;
		return false;
	}
	memcpy(&head, walk->data + walk->pos, sizeof(head));
	left -= sizeof(head);
	/* 32-bit sizes: the sums cannot overflow 64 bits. The last note may lack its padding. */
	name_room = aligned(head.n_namesz);
	if (name_room > left || head.n_descsz > left - name_room) {
		walk->torn = true;
		walk->pos = walk->size;
		return false;
	}
	out->type = head.n_type;
	out->name = (const char *)walk->data + walk->pos + sizeof(head);
	out->name_size = head.n_namesz;
	out->desc = walk->data + walk->pos + sizeof(head) + name_room;
	out->desc_size = head.n_descsz;
	left -= name_room;
	walk->pos += sizeof(head) + name_room;
	walk->pos += aligned(head.n_descsz) < left ? aligned(head.n_descsz) : left;
	return true;
}

bool note_is(const struct note *note, const char *name, uint32_t type)
{
	size_t len = strlen(name);

	return note->type == type && note->name_size >= len && note->name_size <= len + 1 &&
	       !memcmp(note->name, name, len);
}
