/* SPDX-License-Identifier: BSD-2-Clause */
/* Call stacks with file, line and the functions that were inlined. */
#ifndef PERFTRACE_SESSION_CALL_LINES_H
#define PERFTRACE_SESSION_CALL_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "model/heap.h"
#include "stack/source_lines.h"
#include "stack/symbolize.h"

/* A stack that is to be expanded in place; *frames is an allocation, which may be exchanged. */
struct call_lines_stack {
	struct heap_frame **frames;
	uint32_t *depth;
};

/*
 * Puts file and line into the frames of `stacks`, and before each frame the functions that were
 * inlined there. Takes up to LINES_WORKER_SECONDS for each object, so only for what is shown.
 * Names live as long as `symbolizer`. 0 or -ENOMEM: then some stacks are as they were.
 */
int call_lines__add(struct symbolizer *symbolizer, const struct call_lines_stack *stacks, size_t n,
		    struct source_facts *facts);

#endif
