/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the kernel's heap maps into the model, with names for addresses. */
#ifndef PERFTRACE_SESSION_HEAP_FACTS_H
#define PERFTRACE_SESSION_HEAP_FACTS_H

#include "model/heap.h"
#include "model/names.h"
#include "session/kernel.h"
#include "stack/symbolize.h"

/*
 * Fills totals and sites of *heap; what its header fields say (age_ns, taken_ns) is respected.
 * What is alive is counted in the live map itself, never derived from other counters. Strings of
 * the frames belong to `symbolizer` and `names`.
 */
int heap_facts__read(const struct kernel *kernel, struct symbolizer *symbolizer,
		     struct names *names, struct heap_snapshot *heap);

#endif
