/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plan put into effect: which links exist for which process, and taking them away again.
 *
 * Probes in shared libraries are linked once per process with a process filter: a bystander that
 * maps the same library must not pay. Probes in the service's own executable are linked once for
 * all if every process running it is a target, so that forked children are seen from their first
 * instruction; a link per process is the fallback. On request everything is linked for all.
 */
#ifndef PERFTRACE_SESSION_ATTACH_H
#define PERFTRACE_SESSION_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "probe/plan.h"
#include "session/kernel.h"
#include "target/maps.h"

struct attachment;

/* Borrows both; NULL when out of memory. */
struct attachment *attachment__new(struct plan *plan, const struct kernel *kernel);
/* Detaches what is still attached. */
void attachment__free(struct attachment *a);

enum attach_scope {
	SHARE_NOTHING,	   /* links per process only */
	SHARE_EXECUTABLES, /* executables are linked once for all processes that run them */
	SHARE_EVERYTHING,  /* all objects are; whoever else maps them pays, too */
};

/* Links what the scope shares and is not linked yet; again when the plan has grown. */
int attachment__share(struct attachment *a, enum attach_scope scope, struct error *err);
enum attach_scope attachment__scope(const struct attachment *a);
/*
 * Links for one process what it maps and is not linked yet; again when its mappings or the plan
 * have changed. -ESRCH: it is gone.
 */
int attachment__add_process(struct attachment *a, const struct process *process,
			    const struct maps *maps, struct error *err);
/*
 * When the last link was made of those that a process has now; 1 = it needs none, 0 = its malloc
 * is not linked: not mapped yet, or not known. As of its last attachment__add_process().
 */
uint64_t attachment__linked_ns(struct attachment *a, pid_t pid);
/*
 * Asks to be told when the process loads libraries. Apart, because nothing waits for it. True: from
 * now on; what it loaded since `maps` were read was not told.
 */
bool attachment__watch_loader(struct attachment *a, const struct process *process,
			      const struct maps *maps);
/*
 * Does a process need links of its own for its heap, or for any of its spans? Else a child is
 * covered from its birth.
 */
bool attachment__heap_is_per_process(const struct attachment *a);
bool attachment__spans_are_per_process(const struct attachment *a);
/* Drops the links of a process that is gone, in the background: it takes milliseconds each. */
void attachment__remove_process(struct attachment *a, pid_t pid);
/* Drops all links; returns when the kernel has taken the last probe out. */
void attachment__detach(struct attachment *a);

#endif
