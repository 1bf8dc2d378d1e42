/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which call sites deserve to be looked at as leaks: those that hold memory, the largest first,
 * each with the criteria it meets, in numbers. Outstanding is not leaked; whether it is, the
 * verdict says, which is NULL until somebody judged.
 */
#ifndef PERFTRACE_INSIGHT_CANDIDATES_H
#define PERFTRACE_INSIGHT_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "insight/evidence.h"
#include "model/heap.h"

/* The criteria; every one can be set by the user. */
struct leak_limits {
	double growth_bytes_per_hour; /* more is suspicious */
	uint64_t large_bytes;	      /* more than this live, and ... */
	uint64_t recent_ns;	      /* ... an allocation at most this long ago */
	uint64_t many_blocks;	      /* more blocks than this live, and ... */
	uint64_t many_bytes;	      /* ... more bytes than this in them */
	double peak_ratio;	      /* peak of the whole heap over its current size */
};

#define LEAK_LIMITS_DEFAULT                                                                     \
	{                                                                                       \
		.growth_bytes_per_hour = 10.0 * (1 << 20), .large_bytes = 50ull << 20,          \
		.recent_ns = 60ull * 1000000000, .many_blocks = 1000, .many_bytes = 1ull << 20, \
		.peak_ratio = 2.0,                                                              \
	}

struct candidate_options {
	struct leak_limits limits;
	uint64_t min_bytes; /* sites that hold less are left out */
	size_t top;	    /* at most this many; 0 = all */
};

struct candidate {
	const struct call_site *site; /* of the snapshot */
	const char *verdict;	      /* NULL = not judged; "definite", "growing-cache", ... */
	/*
	 * Where the memory is asked for: file name of the first module that is not an allocator or
	 * a language's library, else that frame's function, else NULL. Borrowed from the frames.
	 */
	const char *component;
	/* What the site holds; with --older (heap.age_ns) only blocks of that age count. */
	uint64_t live_blocks, live_bytes;
	double average_bytes;
	bool growth_known; /* observed for at least 1 s */
	double growth_bytes_per_hour;
	unsigned criteria; /* how many of the limits it exceeds */
	struct evidence evidence;
};

struct candidates {
	VEC(struct candidate) list; /* most live bytes first */
	size_t hidden;		    /* sites with live memory that options left out */
	uint64_t hidden_bytes;
	struct evidence heap_evidence; /* about the heap as a whole */
};

/*
 * Ranks the sites of `heap` into `out` (zero-initialised), which borrows from it. 0 or -ENOMEM.
 * Free with candidates__free(), also after a failure.
 */
int candidates__find(struct candidates *out, const struct heap_snapshot *heap,
		     const struct candidate_options *options);
void candidates__free(struct candidates *out);

/* Is `module` (a path) an allocator, a C or C++ runtime library or the dynamic loader? */
bool candidates__is_runtime_module(const char *module);
/*
 * The frame a reader should look at first: of the module that `component` was taken from, and not
 * of the containers that a language's library puts there as templates; NULL if none.
 */
const struct heap_frame *call_site__caller(const struct call_site *site);

#endif
