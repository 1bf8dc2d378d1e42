// SPDX-License-Identifier: BSD-2-Clause
/* The functions that the user called allocators: found by name in the objects named. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/heap.h"
#include "elf/demangle.h"
#include "probe/plan_heap.h"

#define FUNCTIONS_MAX                                                               \
	256 /* of one rule in one object: a glob too wide must not probe everything \
	     */

static int note_rules(struct plan *plan, const alloc_rule_list *rules)
{
	while (plan->alloc_rules.len < rules->len) {
		const struct alloc_rule *rule = &rules->data[plan->alloc_rules.len];
		struct plan_alloc_rule *noted = vec_push(&plan->alloc_rules);

		if (!noted)
			return -ENOMEM;
		noted->rule = rule;
		nearest__init(&noted->nearest, rule->target.data[0].name);
	}
	return 0;
}

/* Where returns must be left alone, results are read inside: as of functions that may throw. */
static uint32_t describe(const struct alloc_rule *rule, const struct plan_hazards *hazards)
{
	return rule->description | (hazards->return_hook && !rule->frees ? HEAP_THROWS : 0);
}

static int match_symbol(struct heap_planner *p, struct plan_alloc_rule *noted,
			const struct plan_hazards *hazards, const struct elf_symbol *symbol,
			size_t *matched)
{
	const struct alloc_rule *rule = noted->rule;
	char *readable = demangle(symbol->name);
	char name[ELF_STRING_MAX + 1];
	bool wanted;
	int ret = 0;

	/* Without its version. */
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(symbol->name, "@"), symbol->name);
	wanted = function_rule__wants(&rule->target.data[0], name, readable);
	if (!wanted)
		nearest__offer(&noted->nearest, readable ? readable : name);
	else if (++*matched <= FUNCTIONS_MAX)
		ret = heap_planner__add(p, readable ? readable : name, symbol->vaddr, symbol->size,
					describe(rule, hazards));
	free(readable);
	return ret;
}

static int add_rule(struct heap_planner *p, struct plan_alloc_rule *noted,
		    const struct plan_hazards *hazards, struct plan_allocator *allocator)
{
	const struct elf_symbol *symbol;
	size_t matched = 0;
	int ret = 0;

	for (size_t i = 0; !ret && (symbol = elf_symbols__at(p->symbols, i)); i++) {
		if (!symbol->indirect)
			ret = match_symbol(p, noted, hazards, symbol, &matched);
	}
	if (!matched || ret)
		return ret;
	noted->found = true;
	allocator->found = allocator->has_rules = true;
	return plan_allocator__add_object(allocator, p->object);
}

static int add_rules(struct plan *plan, const struct heap_object *object,
		     const struct plan_hazards *hazards, struct plan_allocator *allocator)
{
	const struct elf_image *image = object->image->image;
	struct plan_alloc_rule *noted;
	bool is_open = false;
	struct heap_planner p;
	int ret = 0;

	vec_for_each (&plan->alloc_rules, noted) {
		if (ret || !function_rule__wants_object(&noted->rule->target.data[0], object->path,
							object->is_executable))
			continue;
		noted->object_found = true;
		noted->moves_stacks =
			plan->objects.data[object->image->object].runtime.moves_stacks;
		if (noted->moves_stacks && !noted->rule->frees)
			continue;
		if (!is_open) {
			ret = heap_planner__open(&p, plan, object->image->object, image);
			if (ret)
				return ret == -ENOMEM ? ret : 0;
			is_open = true;
		}
		ret = add_rule(&p, noted, hazards, allocator);
	}
	if (is_open)
		heap_planner__close(&p);
	return ret;
}

int plan_alloc_rules__add(struct plan *plan, const heap_object_list *objects,
			  const alloc_rule_list *rules, const struct plan_hazards *hazards,
			  struct plan_allocator *allocator)
{
	const struct heap_object *object;
	int ret = note_rules(plan, rules);

	vec_for_each (objects, object) {
		if (!ret)
			ret = add_rules(plan, object, hazards, allocator);
	}
	return ret;
}

static int explain(const struct plan_alloc_rule *noted, pid_t pid, struct error *err)
{
	const struct function_rule *target = &noted->rule->target.data[0];
	const char *option = noted->rule->frees ? "--free" : "--alloc";

	if (!noted->object_found)
		return error_set(err, EXIT_UNSUPPORTED, -ENOENT,
				 "%s '%s': %d has no library %s. grep %s /proc/%d/maps shows what "
				 "it has.",
				 option, noted->rule->text, pid, target->object, ".so", pid);
	if (noted->moves_stacks)
		return error_set(
			err, EXIT_UNSUPPORTED, -ENOTSUP,
			"%s '%s': its code moves or splits stacks (Go), so its calls cannot "
			"be followed. Name a C function.",
			option, noted->rule->text);
	if (noted->nearest.best[0])
		return error_set(err, EXIT_UNSUPPORTED, -ENOENT,
				 "%s '%s': no function %s in %s. Did you mean %s?", option,
				 noted->rule->text, target->name,
				 target->object ? target->object : "the executable",
				 noted->nearest.best);
	return error_set(err, EXIT_UNSUPPORTED, -ENOENT,
			 "%s '%s': no function %s in %s. Functions of stripped files have no "
			 "names; LIB:FUNCTION looks into a library.",
			 option, noted->rule->text, target->name,
			 target->object ? target->object : "the executable");
}

int plan__check_alloc_rules(const struct plan *plan, pid_t pid, struct error *err)
{
	const struct plan_alloc_rule *noted;

	vec_for_each (&plan->alloc_rules, noted) {
		if (!noted->found)
			return explain(noted, pid, err);
	}
	return 0;
}
