// SPDX-License-Identifier: BSD-2-Clause
/* The heap's probes: on which functions, and where in them. */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "abi/heap.h"
#include "elf/fde_index.h"
#include "elf/imports.h"
#include "elf/symbols.h"
#include "probe/function_code.h"
#include "probe/heap_objects.h"
#include "probe/insn.h"
#include "probe/place.h"
#include "probe/plan.h"
#include "probe/plan_heap.h"
#include "probe/results.h"

#define FORWARD_MAX 16 /* instructions of a function that only passes its arguments on */

int heap_planner__open(struct heap_planner *p, struct plan *plan, size_t object,
		       const struct elf_image *image)
{
	int ret;

	memset(p, 0, sizeof(*p));
	p->plan = plan;
	p->object = object;
	p->image = image;
	ret = elf_symbols__load(image, &p->symbols);
	if (!ret)
		ret = elf_imports__load(image, &p->imports);
	if (ret)
		heap_planner__close(p);
	else if (fde_index__load(image, &p->functions))
		p->functions = NULL;
	return ret;
}

void heap_planner__close(struct heap_planner *p)
{
	elf_symbols__free(p->symbols);
	elf_imports__free(p->imports);
	fde_index__free(p->functions);
	memset(p, 0, sizeof(*p));
}

static bool is_planned(const struct plan *plan, size_t object, uint64_t offset)
{
	const struct plan_probe *probe;

	vec_for_each (&plan->probes, probe) {
		if (probe->kind == PLAN_ALLOC && probe->object == object &&
		    probe->offset == offset && !probe->is_result)
			return true;
	}
	return false;
}

/* Chooses the instruction; leaves the entry and says why when the code cannot be read. */
static int place(const struct heap_planner *p, uint64_t vaddr, uint64_t size,
		 struct plan_probe *probe)
{
	uint32_t description = probe->cookie;
	enum place_need need =
		description__frees(description) ? PLACE_ENTRY_SKIPS_NULL : PLACE_RETURN;
	struct elf_symbol symbol = {.vaddr = vaddr, .size = size};
	struct function_code code;
	struct placement at;
	int ret = function_code__load(p->image, &symbol, p->functions, &code);

	probe->site_offset = probe->offset;
	if (ret == -ENOENT) {
		probe->refused = "its code is not in the file";
		return 0;
	}
	if (ret) {
		probe->why = "code could not be read, probed at the entry";
		return ret == -ENOMEM ? ret : 0;
	}
	if (place_probe_following(code.bytes, code.len, vaddr, need,
				  description__registers(description), &at))
		probe->refused = "the kernel refuses its first instruction";
	else
		probe->cookie = description__relocate(description, at.argument_now);
	plan_probe__set_site(probe, &at);
	function_code__free(&code);
	return 0;
}

/* ---- functions that an exception may leave ---- */

static int add_result(struct heap_planner *p, const char *symbol, uint64_t entry,
		      const struct result_site *site)
{
	const struct plan_probe *known;
	struct plan_probe *probe;
	uint64_t offset;

	if (elf_image__vaddr_to_offset(p->image, site->vaddr, &offset))
		return 0;
	/* Functions share their slow paths; the same place tells the same. */
	vec_for_each (&p->plan->probes, known) {
		if (known->is_result && known->object == p->object && known->site_offset == offset)
			return 0;
	}
	probe = plan__add_probe(p->plan, PLAN_ALLOC, p->object, symbol);
	if (!probe)
		return -ENOMEM;
	probe->is_result = true;
	probe->offset = offset < entry ? offset : entry;
	probe->site_offset = offset;
	probe->cookie = site->description;
	probe->hook = HOOK_SITE;
	probe->emulated = site->emulated;
	probe->why =
		"here its result is known; its return is not hooked, an exception may leave it";
	snprintf(probe->instruction, sizeof(probe->instruction), "%s", site->instruction);
	return 0;
}

static bool conflicts(const struct heap_planner *p, const struct result_site *site)
{
	const struct plan_probe *known;
	uint64_t offset;

	if (elf_image__vaddr_to_offset(p->image, site->vaddr, &offset))
		return true;
	vec_for_each (&p->plan->probes, known) {
		if (known->kind == PLAN_ALLOC && known->object == p->object &&
		    known->site_offset == offset && known->cookie != site->description)
			return true;
	}
	return false;
}

static int add_results(struct heap_planner *p, size_t index, uint64_t vaddr)
{
	struct result_code code = {p->image, p->symbols, p->imports, p->functions};
	struct plan_probe *probe = &p->plan->probes.data[index];
	const struct result_site *site;
	result_site_list sites = {0};
	uint64_t entry = probe->offset;
	char *symbol = probe->symbol;
	int ret = results__find(&code, vaddr, &sites, &probe->refused);

	if (ret == -ENOENT) {
		probe->refused =
			"an exception may leave it, and no place was found where it returns";
		ret = 0;
	} else if (ret == -ENOTSUP) {
		ret = 0; /* results__find() said why */
	}
	vec_for_each (&sites, site) {
		if (conflicts(p, site))
			probe->refused = "an exception may leave it, and where it returns is "
					 "another probe";
	}
	if (!probe->refused) {
		vec_for_each (&sites, site) {
			if (!ret)
				ret = add_result(p, symbol, entry, site);
		}
	}
	vec_free(&sites);
	return ret;
}

int heap_planner__add(struct heap_planner *p, const char *symbol, uint64_t vaddr, uint64_t size,
		      uint32_t description)
{
	struct plan_probe *probe;
	uint64_t offset;
	size_t index;
	int ret;

	/* Two names of one function (memalign, aligned_alloc) are one probe. */
	if (elf_image__vaddr_to_offset(p->image, vaddr, &offset) ||
	    is_planned(p->plan, p->object, offset))
		return 0;
	probe = plan__add_probe(p->plan, PLAN_ALLOC, p->object, symbol);
	if (!probe)
		return -ENOMEM;
	index = p->plan->probes.len - 1;
	probe->offset = offset;
	probe->cookie = description;
	/* Results have probes of their own, and frees none. */
	probe->hook = description & HEAP_THROWS || description__frees(description) ||
				      (description & HEAP_KIND_MASK) == HEAP_RAISES
			      ? HOOK_SITE
			      : HOOK_CALL;
	ret = place(p, vaddr, size, probe);
	if (!ret && (description & HEAP_THROWS) && !probe->refused)
		ret = add_results(p, index, vaddr);
	return ret;
}

/* ---- functions that only pass on ---- */

/* Of which the callee may have more: whether an exception leaves it is its own affair. */
static bool same_call(uint32_t description, uint32_t callee)
{
	uint32_t kind = description & HEAP_KIND_MASK;

	if (kind == HEAP_FREES)
		return (callee & HEAP_KIND_MASK) == HEAP_FREES &&
		       HEAP_ARGUMENT(description, HEAP_BLOCK) == HEAP_ARGUMENT(callee, HEAP_BLOCK);
	return ((description ^ callee) & ~(uint32_t)HEAP_THROWS) == 0;
}

/* What a jump or call to `vaddr` reaches, if that is probed. */
static const struct heap_definition *definition_behind(const struct heap_planner *p,
						       const struct heap_object *object,
						       const heap_object_list *objects,
						       uint64_t vaddr)
{
	const char *name = elf_imports__of_stub(p->imports, p->image, vaddr);
	const struct heap_definition *d;

	if (name)
		return heap_objects__find(objects, name);
	vec_for_each (&object->definitions, d) {
		if (d->serves && d->vaddr == vaddr)
			return d;
	}
	return NULL;
}

/*
 * Does the function nothing but hand its arguments to one that is probed as well (operator delete
 * to free)? Then one probe is enough. A free may return early for NULL.
 */
static bool only_forwards(const struct heap_planner *p, const struct heap_object *object,
			  const heap_object_list *objects, const struct heap_definition *d)
{
	uint32_t description = d->match.function->description;
	uint32_t registers = description__registers(description);
	struct elf_symbol symbol = {.vaddr = d->vaddr, .size = d->size};
	const struct heap_definition *callee = NULL;
	struct function_code code;
	struct insn insn;
	size_t at = 0;

	if (function_code__load(p->image, &symbol, p->functions, &code))
		return false;
	for (int i = 0; i < FORWARD_MAX && !insn_decode(code.bytes + at, code.len - at, &insn);
	     i++) {
		if (insn.kind == INSN_JMP || insn.kind == INSN_CALL) {
			callee = definition_behind(p, object, objects,
						   d->vaddr + at + (uint64_t)insn.target);
			break;
		}
		if (insn.kind == INSN_JCC && !description__frees(description))
			break;
		if ((insn.kind != INSN_PLAIN && insn.kind != INSN_NOP && insn.kind != INSN_ENDBR &&
		     insn.kind != INSN_PUSH && insn.kind != INSN_JCC) ||
		    (insn.writes & registers))
			break;
		at += insn.length;
	}
	function_code__free(&code);
	return callee && callee->vaddr != d->vaddr &&
	       same_call(description, callee->match.function->description);
}

/* ---- an object, a process ---- */

static bool is_wanted(const struct heap_definition *d, bool throws)
{
	return d->serves && (d->match.group != ALLOCATOR_RAISES || throws);
}

/* Then the object need not be read again. */
static bool is_planned_entirely(const struct plan *plan, const struct heap_object *object,
				bool throws)
{
	const struct heap_definition *d;
	uint64_t offset;

	vec_for_each (&object->definitions, d) {
		if (is_wanted(d, throws) &&
		    !elf_image__vaddr_to_offset(object->image->image, d->vaddr, &offset) &&
		    !is_planned(plan, object->image->object, offset))
			return false;
	}
	return true;
}

static int add_object(struct plan *plan, const heap_object_list *objects,
		      const struct heap_object *object, bool throws)
{
	const struct heap_definition *d;
	struct heap_planner p;
	int ret;

	if (is_planned_entirely(plan, object, throws))
		return 0;
	ret = heap_planner__open(&p, plan, object->image->object, object->image->image);
	if (ret)
		return ret == -ENOMEM ? ret : 0;
	vec_for_each (&object->definitions, d) {
		uint32_t description = d->match.function->description;

		if (!is_wanted(d, throws) || only_forwards(&p, object, objects, d))
			continue;
		/* libc's own free is where all others end. */
		if (object->is_libc)
			description &= ~(uint32_t)HEAP_FORWARDS;
		ret = heap_planner__add(&p, d->name, d->vaddr, d->size, description);
		if (ret)
			break;
	}
	heap_planner__close(&p);
	return ret;
}

int plan_allocator__add_object(struct plan_allocator *allocator, size_t object)
{
	size_t *slot;

	if (plan_allocator__serves(allocator, object))
		return 0;
	slot = vec_push(&allocator->objects);
	if (!slot)
		return -ENOMEM;
	*slot = object;
	return 0;
}

static bool any_throws(const heap_object_list *objects, const struct plan_options *options)
{
	const struct heap_object *object;
	const struct heap_definition *d;

	if (options->alloc_rules && options->alloc_rules->len)
		return true;
	vec_for_each (objects, object) {
		vec_for_each (&object->definitions, d) {
			if (d->serves && (d->match.function->description & HEAP_THROWS))
				return true;
		}
	}
	return false;
}

static int add_serving(struct plan *plan, const heap_object_list *objects,
		       struct plan_allocator *allocator, const struct plan_options *options)
{
	bool throws = any_throws(objects, options);
	const struct heap_object *object;
	const struct heap_definition *d;
	int ret = 0;

	vec_for_each (objects, object) {
		bool any = false;

		vec_for_each (&object->definitions, d) {
			any |= is_wanted(d, throws);
			allocator->found |= d->serves && d->match.group != ALLOCATOR_RAISES;
		}
		if (!any)
			continue;
		ret = add_object(plan, objects, object, throws);
		if (!ret)
			ret = plan_allocator__add_object(allocator, object->image->object);
		if (ret)
			break;
	}
	return ret;
}

/* Why no malloc was found. */
static const char *explain_absence(const heap_object_list *objects)
{
	const struct heap_object *object;

	vec_for_each (objects, object) {
		if (!object->is_executable)
			continue;
		if (elf_image__has_interp(object->image->image))
			break;
		return object->has_symbols ? "it is statically linked, and no symbol of it is "
					     "called malloc"
					   : "it is statically linked and stripped, so its malloc "
					     "has no name";
	}
	return "neither it nor its libraries have a function called malloc";
}

static void describe(struct plan_allocator *allocator, const heap_object_list *objects,
		     struct strbuf *label)
{
	heap_objects__label(objects, label);
	if (allocator->sampled)
		strbuf_puts(label, label->len ? " + " TOLD_PROVIDER : TOLD_PROVIDER);
	if (allocator->has_rules)
		strbuf_puts(label, label->len ? " + --alloc" : "--alloc");
	snprintf(allocator->label, sizeof(allocator->label), "%s", strbuf_str(label));
	allocator->why = allocator->found ? NULL : explain_absence(objects);
}

static bool is_told(const struct plan *plan, size_t object)
{
	const struct plan_probe *probe;

	vec_for_each (&plan->probes, probe) {
		if (probe->kind == PLAN_TOLD && probe->object == object && !probe->refused)
			return true;
	}
	return false;
}

/* Objects that tell of their heap; where functions are probed every call is seen already. */
static int add_told(struct plan *plan, const struct plan_image *images, size_t n,
		    struct plan_allocator *allocator)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < n; i++) {
		struct plan_probe *probe;

		if (!is_told(plan, images[i].object))
			continue;
		if (!plan_allocator__serves(allocator, images[i].object)) {
			allocator->found = allocator->sampled = true;
			ret = plan_allocator__add_object(allocator, images[i].object);
			continue;
		}
		if (allocator->sampled)
			continue; /* chosen for its samples before */
		vec_for_each (&plan->probes, probe) {
			if (probe->kind == PLAN_TOLD && probe->object == images[i].object)
				probe->refused = "its functions are traced, every call of them";
		}
	}
	return ret;
}

static int note_seen(struct plan_allocator *allocator, const struct plan_image *images, size_t n)
{
	size_t *slot;

	for (size_t i = 0; i < n; i++) {
		if (plan_allocator__has_seen(allocator, images[i].object))
			continue;
		slot = vec_push(&allocator->seen);
		if (!slot)
			return -ENOMEM;
		*slot = images[i].object;
	}
	return 0;
}

static struct plan_allocator *allocator_of(struct plan *plan, const struct process *process)
{
	struct plan_allocator *allocator;

	vec_for_each (&plan->allocators, allocator) {
		if (allocator->exe_dev == process->exe_dev &&
		    allocator->exe_inode == process->exe_inode)
			return allocator;
	}
	allocator = vec_push(&plan->allocators);
	if (allocator) {
		allocator->exe_dev = process->exe_dev;
		allocator->exe_inode = process->exe_inode;
	}
	return allocator;
}

int plan_heap__add(struct plan *plan, const struct process *process, const struct maps *maps,
		   const struct plan_image *images, size_t n, const struct plan_options *options,
		   const struct plan_hazards *hazards)
{
	struct plan_allocator *allocator = allocator_of(plan, process);
	heap_object_list objects = {0};
	struct strbuf label = {0};
	int ret = allocator ? 0 : -ENOMEM;

	if (!ret)
		ret = heap_objects__load(plan, process, maps, images, n, &objects);
	if (!ret)
		ret = add_serving(plan, &objects, allocator, options);
	if (!ret)
		ret = add_told(plan, images, n, allocator);
	if (!ret && options->alloc_rules)
		ret = plan_alloc_rules__add(plan, &objects, options->alloc_rules, hazards,
					    allocator);
	if (!ret) {
		describe(allocator, &objects, &label);
		ret = strbuf_error(&label);
	}
	if (!ret)
		ret = note_seen(allocator, images, n);
	strbuf_free(&label);
	heap_objects__free(&objects);
	return ret;
}
