/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The traced heap at one moment: totals and call sites, filled by the session from the kernel's
 * maps after addresses were resolved. Blocks older than the attach are not in it.
 *
 * Bytes are the bytes requested. Times are CLOCK_MONOTONIC nanoseconds, 0 = never.
 */
#ifndef PERFTRACE_MODEL_HEAP_H
#define PERFTRACE_MODEL_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

/*
 * One resolved frame. Strings are borrowed and must outlive the snapshot (names pool or symbol
 * store); NULL and line 0 are unknown.
 */
struct heap_frame {
	const char *function;	/* demangled */
	const char *module;	/* path of the mapped file */
	const char *build_id;	/* hex */
	uint64_t offset;	/* in the module's file; the address itself when module is NULL */
	uint64_t unnamed_start; /* of a function without name: where it starts; 0 = unknown */
	const char *file;
	uint32_t line;
	bool inlined; /* inlined into the next frame */
};

/* Everything allocated by one call stack. */
struct call_site {
	struct heap_frame *frames; /* innermost first, owned */
	uint32_t depth;
	bool truncated; /* the stack went on: `stop` says why it could not be followed */
	uint16_t stop;	/* enum unwind_stop */
	uint32_t pid;	/* of the process, or of the first of several that share the site */
	char comm[16];	/* its name, unescaped */
	uint64_t allocs, frees;
	uint64_t alloc_bytes, freed_bytes;
	uint64_t live_blocks, live_bytes;
	uint64_t aged_blocks, aged_bytes; /* of the live ones, those older than heap.age_ns */
	uint64_t lost;			  /* blocks that left the books because a free was missed */
	uint64_t first_ns, last_ns;	  /* first and last allocation */
	uint64_t largest;		  /* bytes of the largest block */
};

struct heap_totals {
	uint64_t allocs, frees, failed;
	uint64_t alloc_bytes, freed_bytes;
	uint64_t live_blocks, live_bytes;
	uint64_t peak_live_bytes;
	uint64_t unknown_frees; /* of blocks older than the attach */
};

/* Zero-initialise; heap_snapshot__free() when done. */
struct heap_snapshot {
	bool traced; /* false: no allocator was found, or the heap was not asked for */
	bool sampled;
	bool by_process;   /* sites of different processes are kept apart: everybody was traced */
	uint64_t begin_ns; /* since when the heap was traced */
	uint64_t taken_ns;
	uint64_t age_ns; /* what aged_* of the sites mean; 0 = they are not filled */
	struct heap_totals total;
	VEC(struct call_site) sites;
};

/* A copy that the caller frees, never of nothing; NULL when out of memory. */
struct heap_frame *heap_frames__copy(const struct heap_frame *frames, uint32_t depth);
/* A new zeroed site with a copy of `frames`; NULL when out of memory. Valid until the next add. */
struct call_site *heap_snapshot__add_site(struct heap_snapshot *heap,
					  const struct heap_frame *frames, uint32_t depth);
/*
 * Makes one site of those whose frames are the same places (build-id, or without one the module's
 * path, and offset): the same code reached in two processes (unless by_process), or by addresses
 * that differ only by where a library was mapped.
 */
void heap_snapshot__merge_sites(struct heap_snapshot *heap);
/* Most live bytes first; ties by live blocks, then by allocations. */
void heap_snapshot__sort_by_live(struct heap_snapshot *heap);
void heap_snapshot__free(struct heap_snapshot *heap);

#endif
