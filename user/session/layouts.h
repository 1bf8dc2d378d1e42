/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the traced processes map, kept true on both sides: in the unwind tables that the kernel side
 * follows stacks with, and in the symbolizer that names the frames.
 *
 * A layout has a number (struct target in abi/heap.h). Forked children have their parent's, a new
 * program image has a new one. A process gets a new one, too, when code of files that it had goes
 * or is replaced: then addresses kept under the old number keep their names. Code that is only
 * added changes nothing about these, so the number stays, and so it does when code that was made at
 * run time goes. A process that shares its number and maps something of its own has to leave the
 * others.
 *
 * Changes are noticed by the dynamic linker's notices, by the kernel side's about code in no known
 * mapping, and by looking at /proc/PID/maps 20 times per second: at its executable lines only, and
 * less often where that costs more than 1/256 of a CPU.
 */
#ifndef PERFTRACE_SESSION_LAYOUTS_H
#define PERFTRACE_SESSION_LAYOUTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "session/kernel.h"
#include "stack/symbolize.h"
#include "target/maps.h"

struct layouts;

/* Borrows the symbolizer. NULL when out of memory. */
struct layouts *layouts__new(struct symbolizer *symbolizer);
void layouts__free(struct layouts *l);

/* Before the kernel side is loaded: what a process maps, for the size of the tables. */
void layouts__learn(struct layouts *l, pid_t pid, const struct maps *maps);
/* See unwind_store__needs(). */
void layouts__needs(const struct layouts *l, size_t *shards, size_t *pages);
/* The kernel side is loaded. Borrows it. 0 or a negative errno. */
int layouts__bind(struct layouts *l, struct kernel *kernel);

/*
 * A process is a target, a new one or one that runs a new program: it has the layout that the
 * kernel side says. What it maps is learned by the next layouts__update() or layouts__tick().
 */
void layouts__add(struct layouts *l, pid_t pid);
/* It has ended. Its names stay. */
void layouts__remove(struct layouts *l, pid_t pid);

/* What a process maps now. 0, -ENOENT: it was not added; -ENOMEM. */
int layouts__update(struct layouts *l, pid_t pid, const struct maps *maps);
/* The kernel side met code of the process in no mapping that it knows. */
void layouts__unknown_code(struct layouts *l, pid_t pid);

/*
 * Looks at whom it is due to look at, and updates them. To be called often. `loaded` is called for
 * those that map other files than before: there may be more to probe in them.
 */
typedef void (*layouts_loaded_fn)(void *arg, pid_t pid);
void layouts__tick(struct layouts *l, uint64_t now_ns, layouts_loaded_fn loaded, void *arg);

/* Looks at everybody now. */
void layouts__refresh(struct layouts *l);

#endif
