/* SPDX-License-Identifier: BSD-2-Clause */
/* From the frames that the kernel side keeps to frames with names. */
#ifndef PERFTRACE_SESSION_NAMED_STACK_H
#define PERFTRACE_SESSION_NAMED_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "model/heap.h"
#include "model/names.h"
#include "stack/symbolize.h"

/*
 * Names the `depth` return addresses of a stack of that layout, which ended because of `stop` (enum
 * unwind_stop); `frames` has room for all. Returns how many frames it has: where a stack was
 * followed by frame pointers and is not complete, an address outside executable mappings is no
 * return address but what a stray pointer led to, and the stack ends before it. Strings belong to
 * `sym` and `names`.
 */
uint32_t named_stack(struct symbolizer *sym, struct names *names, uint64_t layout,
		     const uint64_t *addresses, uint32_t depth, unsigned int stop,
		     struct heap_frame *frames);

#endif
