/* SPDX-License-Identifier: BSD-2-Clause */
/* Which places of an array are free: runs of them are taken and given back. First fit. */
#ifndef PERFTRACE_STACK_EXTENTS_H
#define PERFTRACE_STACK_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct extent {
	uint32_t first, n;
};

/* Zero-initialise; extents__free() when done. */
struct extents {
	VEC(struct extent) free; /* ascending, disjoint, none empty */
	uint32_t boundary;	 /* no run crosses a multiple of it; 0 = there is none */
	uint64_t left;		 /* free places, together */
};

/* All of [0, n) is free. 0 or -ENOMEM. */
int extents__init(struct extents *e, uint32_t n, uint32_t boundary);
void extents__free(struct extents *e);
/* A run of n places, n > 0. False: no gap is that large. */
bool extents__take(struct extents *e, uint32_t n, uint32_t *first);
/* Gives back what was taken, or a part of it. Out of memory it may be lost, no more. */
void extents__give(struct extents *e, uint32_t first, uint32_t n);

#endif
