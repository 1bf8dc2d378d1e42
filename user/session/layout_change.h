/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process has mapped as code, and what a change of it means for addresses that were kept:
 * part of session/layouts.h.
 */
#ifndef PERFTRACE_SESSION_LAYOUT_CHANGE_H
#define PERFTRACE_SESSION_LAYOUT_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "target/maps.h"

struct code_range {
	uint64_t start, end, file_offset;
	uint32_t dev_major, dev_minor;
	uint64_t inode; /* 0 = made at run time, or the kernel's */
};

/* Zero-initialise; code_list__free() when done. */
struct code_list {
	VEC(struct code_range) now;  /* ascending */
	VEC(struct code_range) past; /* made at run time, and gone */
};

/* Fills an empty list. 0 or -ENOMEM. */
int code_list__take(struct code_list *list, const struct maps *maps);
void code_list__free(struct code_list *list);

enum code_change {
	CODE_SAME,
	CODE_ADDED,    /* addresses that meant something before mean the same */
	CODE_REPLACED, /* a file's code is gone, or other code is where some was */
};

enum code_change code_list__compare(const struct code_list *was, const struct code_list *is);

/* `is`, whose content it takes over, follows after `was`. */
void code_list__replace(struct code_list *was, struct code_list *is);

#endif
