/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where processes spent their CPU time, by samples: call stacks with their weights, and what that
 * makes for each function. Filled by the session after addresses were resolved.
 */
#ifndef PERFTRACE_MODEL_PROFILE_H
#define PERFTRACE_MODEL_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/heap.h"

/* What one sample at a time found again and again. Strings of frames are borrowed. */
struct profile_stack {
	struct heap_frame *frames; /* innermost first, owned; the kernel's before the process' */
	uint32_t depth;
	uint32_t kernel_depth; /* so many of them are the kernel's */
	bool complete;	       /* followed to the outermost frame */
	bool truncated;	       /* it went on, or the kernel's part did, deeper than is kept */
	uint64_t count;	       /* samples */
	uint32_t pid;
	char comm[16]; /* of the thread, unescaped */
};

/*
 * A function of a module. Functions without name are told apart by where they start; where that is
 * not known, too, they are one per module. Samples without any frame are one without module.
 * Samples, like `count` above.
 */
struct profile_function {
	const char *function, *module; /* borrowed from a frame; NULL = unknown */
	uint64_t unnamed_start;	       /* as in a frame */
	bool kernel;
	bool inlined;  /* wherever it was met */
	uint64_t flat; /* in the function itself */
	uint64_t cum;  /* in it or in what it called; once per stack, however it recurses */
};

/* Zero-initialise; profile__free() when done. */
struct profile {
	bool sampled;	    /* false: not asked for, or it could not be read */
	uint32_t hz;	    /* samples a second on each CPU */
	uint32_t cpus;	    /* that were sampled */
	uint64_t samples;   /* in the stacks */
	uint64_t in_kernel; /* of these: interrupted in the kernel */
	uint64_t complete;  /* of these: whose stack is complete */
	uint64_t lost;	    /* not in the stacks */
	bool cpu_known;
	uint64_t cpu_ns;  /* CPU time that the kernel charged the processes meanwhile */
	uint64_t cost_ns; /* CPU time that taking the samples took */
	VEC(struct profile_stack) stacks;
	VEC(struct profile_function) functions;
};

/* A new zeroed stack with a copy of `frames`; NULL when out of memory. Valid until the next add. */
struct profile_stack *profile__add_stack(struct profile *p, const struct heap_frame *frames,
					 uint32_t depth);
/*
 * When all stacks are there, and again when frames have changed: fills functions and the sums over
 * stacks, most samples first, ties by name. The flat of all functions adds up to `samples`. 0 or
 * -ENOMEM.
 */
int profile__settle(struct profile *p);
/* CPU time that `samples` stand for. */
uint64_t profile__time_ns(const struct profile *p, uint64_t samples);
void profile__free(struct profile *p);

#endif
