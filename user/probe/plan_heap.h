/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the planners of heap probes (plan_heap.c, plan_alloc_rules.c), for nobody else. */
#ifndef PERFTRACE_PROBE_PLAN_HEAP_H
#define PERFTRACE_PROBE_PLAN_HEAP_H

#include "elf/fde_index.h"
#include "elf/imports.h"
#include "elf/symbols.h"
#include "probe/alloc_rules.h"
#include "probe/heap_objects.h"
#include "probe/plan.h"

/* One object while its functions are planned. */
struct heap_planner {
	struct plan *plan;
	size_t object;
	const struct elf_image *image;
	struct elf_symbols *symbols;
	struct elf_imports *imports;
	struct fde_index *functions; /* may be NULL */
};

/* -E2BIG: more symbols or imports than any real object has; -ENOMEM. */
int heap_planner__open(struct heap_planner *p, struct plan *plan, size_t object,
		       const struct elf_image *image);
void heap_planner__close(struct heap_planner *p);
/* Plans a function's probes, unless there are some: what is refused is said in the plan. */
int heap_planner__add(struct heap_planner *p, const char *symbol, uint64_t vaddr, uint64_t size,
		      uint32_t description);

int plan_allocator__add_object(struct plan_allocator *allocator, size_t object);

/* Plans the functions that the rules name and notes in the plan which rules found some. */
int plan_alloc_rules__add(struct plan *plan, const heap_object_list *objects,
			  const alloc_rule_list *rules, const struct plan_hazards *hazards,
			  struct plan_allocator *allocator);

#endif
