/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who serves a process' memory: which allocator functions each of its objects defines, and which
 * of the definitions are called.
 *
 * Of a name that several objects export, calls reach the first in the dynamic linker's search
 * order (target/link_order.h). What an object defines for itself (static executables, hidden or
 * -Bsymbolic copies) and what has a name of its own (je_malloc, mi_malloc) serves besides.
 */
#ifndef PERFTRACE_PROBE_HEAP_OBJECTS_H
#define PERFTRACE_PROBE_HEAP_OBJECTS_H

#include "base/strbuf.h"
#include "probe/allocators.h"
#include "probe/plan.h"

#define HEAP_NAME_MAX 64

struct heap_definition {
	struct allocator_match match;
	char name[HEAP_NAME_MAX];
	uint64_t vaddr, size;
	bool exported;
	bool serves; /* calls reach it */
};

/* Whose work an allocator is, as its symbols tell. */
enum heap_maker { MAKER_UNKNOWN, MAKER_GLIBC, MAKER_MUSL };

struct heap_object {
	const struct plan_image *image;
	const char *path;
	bool is_executable, is_libc;
	bool is_dynamic_linker; /* it serves itself alone */
	bool has_symbols;
	enum heap_maker maker;
	VEC(struct heap_definition) definitions;
};

typedef VEC(struct heap_object) heap_object_list;

/*
 * Lists the objects in search order, those without definitions included, and marks the
 * definitions that serve. Borrows plan and images. 0 or -ENOMEM; free in any case.
 */
int heap_objects__load(const struct plan *plan, const struct process *process,
		       const struct maps *maps, const struct plan_image *images, size_t n,
		       heap_object_list *out);
void heap_objects__free(heap_object_list *objects);

/* Appends "glibc malloc + jemalloc (_rjem_)"; nothing if no definition serves. */
void heap_objects__label(const heap_object_list *objects, struct strbuf *label);

/* The definition that serves calls of `name` from other objects; NULL if there is none. */
const struct heap_definition *heap_objects__find(const heap_object_list *objects, const char *name);

#endif
