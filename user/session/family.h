/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes of a run: the roots that the user named and the children that are followed. Keeps
 * their links, their layouts and their address spaces in step with forks, execs,
 * loaded libraries and exits, and measures the gap in which a new child or a new program image ran
 * without its own probes.
 */
#ifndef PERFTRACE_SESSION_FAMILY_H
#define PERFTRACE_SESSION_FAMILY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/records.h"
#include "base/error.h"
#include "probe/plan.h"
#include "session/attach.h"
#include "session/kernel.h"
#include "session/layouts.h"

struct family;

struct family_facts {
	uint64_t followed;     /* children that became targets after the attach */
	uint64_t never_linked; /* of those, without all their own probes to the end, or until now */
	uint64_t execs;
	uint64_t gap_ns_total, gap_ns_max; /* fork or exec to own probes, over the linked ones */
	uint64_t late_objects;		   /* files with probes that were mapped after the attach */
	bool root_exited;
	uint32_t root_exit_code;	  /* of the last root that ended, as wait(2) encodes it */
	uint64_t gone_blocks, gone_bytes; /* live in an address space that ended */
};

struct family_options {
	struct kernel *kernel;
	struct attachment *attachment;
	struct layouts *layouts; /* NULL = no stacks are wanted */
	/* Adds what a process offers to the plan; *grown = there was something new. */
	int (*plan)(void *arg, const struct process *process, const struct maps *maps, bool *grown);
	void *plan_arg;
	bool children_end; /* what a root leaves is gone at its end, as with children */
};

/* Borrows what the options point to. NULL when out of memory. */
struct family *family__new(const struct family_options *options);
void family__free(struct family *f);

/*
 * A root (`parent` 0), or a child of one that lived already: target, links, layout. One that is
 * a member already is left alone. -ESRCH: it is gone.
 */
int family__add(struct family *f, const struct process *process, pid_t parent, struct error *err);
/* Is it a member that lives? */
bool family__has(const struct family *f, pid_t pid);
/* A notice of the kernel about a target. */
void family__on_life(struct family *f, const struct life_record *record);
/*
 * Looks again at the members whose mappings have changed or may have: plans and links what is new,
 * keeps their layouts true. To be called often; it does something only when it is due.
 */
void family__tick(struct family *f, uint64_t now_ns);
/* When family__tick() has something to do that was asked for; UINT64_MAX = nothing is. */
uint64_t family__next_look(const struct family *f);
/* Takes the blocks of processes that are gone out of the books: before those are read. */
void family__purge_gone(struct family *f);
const struct family_facts *family__facts(const struct family *f);

#endif
