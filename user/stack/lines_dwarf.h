/* SPDX-License-Identifier: BSD-2-Clause */
/* What libdw knows about an address. Only ever called inside the worker (lines_worker.h). */
#ifndef PERFTRACE_STACK_LINES_DWARF_H
#define PERFTRACE_STACK_LINES_DWARF_H

#include <stdint.h>

#include "stack/source_lines.h"

struct lines_dwarf;

/*
 * `common`: the file with what dwz moved away from `fd`, or -1; without it, or if it cannot be
 * read, names that are there are missing. NULL: no DWARF in `fd`, or nothing that libdw can read.
 */
struct lines_dwarf *lines_dwarf__open(int fd, int common);
/* Fills frames, innermost first; returns how many, 0 = unknown. Strings live with the reader. */
uint32_t lines_dwarf__find(struct lines_dwarf *d, uint64_t vaddr,
			   struct source_frame frames[SOURCE_FRAMES_MAX]);

#endif
