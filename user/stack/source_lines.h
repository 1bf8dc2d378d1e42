/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * File, line and inlined functions of code addresses, from DWARF. Costly next to symbols, so only
 * asked for what is shown.
 *
 * The reader is libdw, which was not written for hostile files. So it runs in a process of its own
 * for each object (stack/lines_worker.h), which has nothing but the open file and a pipe; if it
 * dies or takes too long, only lines are missing.
 */
#ifndef PERFTRACE_STACK_SOURCE_LINES_H
#define PERFTRACE_STACK_SOURCE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_FRAMES_MAX 64 /* of one address: functions inlined into each other */

struct symbolizer;

struct source_frame {
	const char *function; /* readable; NULL = unknown */
	const char *file;     /* as in the debug information; NULL = unknown */
	uint32_t line;	      /* 0 = unknown */
	bool inlined;	      /* into the next one */
};

/* A question, and its answer. */
struct source_place {
	/* As in struct frame of symbolize.h; the address is a return address. */
	const char *path, *build_id; /* build_id may be NULL or "" */
	uint64_t vaddr;
	/* Innermost first, the last one is the function itself; strings are the symbolizer's. */
	struct source_frame *frames; /* the caller frees; NULL = nothing is known */
	uint32_t count;
};

/* What became of the objects that were asked. */
struct source_facts {
	uint64_t objects;    /* with debug information */
	uint64_t unreadable; /* the reader died or said no */
	uint64_t too_slow;   /* was stopped at the time limit, or not begun any more */
};

/* Whether this build can. */
extern const bool source_lines_supported;

/* Answers all `places`. Adds to `facts`. 0 or -ENOMEM. */
int symbolizer__find_lines(struct symbolizer *sym, struct source_place *places, size_t n,
			   struct source_facts *facts);

#endif
