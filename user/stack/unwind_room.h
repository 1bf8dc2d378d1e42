/* SPDX-License-Identifier: BSD-2-Clause */
/* Places of unwind tables in the arrays that the kernel side reads. Part of the unwind store. */
#ifndef PERFTRACE_STACK_UNWIND_ROOM_H
#define PERFTRACE_STACK_UNWIND_ROOM_H

#include "stack/extents.h"
#include "stack/unwind_store.h"

/* Zero-initialise; unwind_room__free() when done. */
struct unwind_room {
	struct unwind_memory memory;
	size_t rules_copied;
	struct extents halves, pages; /* free ones */
};

/* Where one table is. Zero-initialise; unwind_room__give() when done. */
struct unwind_placement {
	uint32_t first_page, n_pages; /* n_pages 0 = nowhere */
	VEC(struct extent) halves;
};

/* 0 or -ENOMEM. */
int unwind_room__init(struct unwind_room *room, const struct unwind_memory *memory);
void unwind_room__free(struct unwind_room *room);
/* Copies the rules that are new: to be done before a row refers to them. */
void unwind_room__add_rules(struct unwind_room *room, const struct unwind_rules *rules);
/* Takes pages without rows. False: there is no room. */
bool unwind_room__take_pages(struct unwind_room *room, struct unwind_placement *p, size_t n);
/*
 * Gives these pages, which may be in use, the rows of `table`: all of them, or none and false:
 * there is no room, or its pages make no sense.
 */
bool unwind_room__take_rows(struct unwind_room *room, struct unwind_placement *p,
			    const struct unwind_table *table);
/* Nobody may be reading it any more. */
void unwind_room__give(struct unwind_room *room, struct unwind_placement *p);

#endif
