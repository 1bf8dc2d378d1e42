/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mapped files whose code may be on a stack, each with its unwind table: built once, however
 * many processes map it, and placed in the arrays that the kernel side reads. Part of the unwind
 * store (stack/unwind_store.h), which says what is mapped where.
 *
 * A file is the same object as another one when build-id and size are; without a build-id when it
 * is the same file by device, inode, size and time of modification. Files are held open, so that
 * device and inode keep their meaning, and looked at again when they were written to.
 */
#ifndef PERFTRACE_STACK_UNWIND_OBJECTS_H
#define PERFTRACE_STACK_UNWIND_OBJECTS_H

#include "stack/unwind_store.h"

struct unwind_objects;
struct unwind_object;

/* `build` as unwind_table__build(). NULL when out of memory. */
struct unwind_objects *unwind_objects__new(unwind_build_fn build);
void unwind_objects__free(struct unwind_objects *o);

/* Halfwords and pages of all objects known, for unwind_store__needs(). */
void unwind_objects__sum(const struct unwind_objects *o, uint64_t *halves, uint64_t *pages);
/* Moves the tables built so far into the arrays, where all later ones go at once. */
int unwind_objects__bind(struct unwind_objects *o, const struct unwind_memory *memory,
			 uint64_t now_ns);

/*
 * The object behind an executable mapping of a running process, with a reference for the caller.
 * NULL: not a file with code, or one that cannot be had. *vaddr becomes the vaddr of the file that
 * is mapped at m->start.
 */
struct unwind_object *unwind_objects__get(struct unwind_objects *o, pid_t pid,
					  const struct mapping *m, uint64_t now_ns,
					  uint64_t *vaddr);
/* The reference goes. Nobody may reach its tables from now on; they are reused later, if at all. */
void unwind_objects__put(struct unwind_objects *o, struct unwind_object *object, uint64_t now_ns);

/* Where its pages are: `n` of them from vaddr *vaddr on; 0: it has none. */
uint32_t unwind_object__pages(const struct unwind_object *object, uint64_t *vaddr, uint32_t *first);
/* It found no room (yet). */
bool unwind_object__is_cut(const struct unwind_object *object);

void unwind_objects__facts(const struct unwind_objects *o, struct unwind_store_facts *facts);

#endif
