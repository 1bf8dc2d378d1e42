/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes of a run: the roots that the user named and the children that are followed. Keeps
 * their links, their mappings for symbols and their address spaces in step with forks and exits,
 * and measures the gap in which a new child ran without its own probes.
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
#include "stack/symbolize.h"

struct family;

struct family_facts {
	uint64_t followed;     /* children that became targets after the attach */
	uint64_t never_linked; /* of those, gone before their own probes were in */
	uint64_t execs;
	uint64_t gap_ns_total, gap_ns_max; /* fork to own probes, over the linked ones */
	bool root_exited;
	uint32_t root_exit_code;	  /* of the last root that ended, as wait(2) encodes it */
	uint64_t gone_blocks, gone_bytes; /* live in an address space that ended */
};

/* Borrows all arguments; `symbolizer` NULL = no names are wanted. NULL when out of memory. */
struct family *family__new(struct kernel *kernel, struct attachment *attachment,
			   struct symbolizer *symbolizer);
void family__free(struct family *f);

/*
 * A root (`parent` 0), or a child of one that lived already: target, links, symbols. One that is
 * a member already is left alone. -ESRCH: it is gone.
 */
int family__add(struct family *f, const struct process *process, pid_t parent, struct error *err);
/* A notice of the kernel about a target. */
void family__on_life(struct family *f, const struct life_record *record);
/* Takes new mappings (dlopen) of the members into the symbols. */
void family__refresh_symbols(struct family *f);
/* Whose mappings explain addresses of `pid`: itself, or for a child too short-lived its parent. */
pid_t family__symbol_pid(const struct family *f, pid_t pid);
const struct family_facts *family__facts(const struct family *f);

#endif
