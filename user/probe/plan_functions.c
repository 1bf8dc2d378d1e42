// SPDX-License-Identifier: BSD-2-Clause
/*
 * Functions as spans. The entry is probed where it is cheapest; how the end is seen depends on
 * what may happen to the frame, see add_function().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/demangle.h"
#include "elf/fde_index.h"
#include "elf/symbols.h"
#include "probe/function_code.h"
#include "probe/function_exits.h"
#include "probe/place.h"
#include "probe/plan.h"
#include "probe/special_functions.h"

struct planner {
	struct plan *plan;
	const struct plan_image *image;
	const struct elf_symbols *symbols;
	struct fde_index *fdes; /* may be NULL */
	const struct plan_hazards *hazards;
};

/* Parts that compilers move out of a function have names, but nobody calls them. */
static bool is_fragment(const char *name)
{
	const char *cold = strstr(name, ".cold");

	return cold && (!cold[5] || cold[5] == '.');
}

/* Suggests a name as programmers write it. */
static void offer(struct nearest *nearest, const struct elf_symbol *symbol, const char *demangled)
{
	char plain[NEAREST_MAX + 1];

	if (demangled && function_name__plain(demangled, plain, sizeof(plain)))
		nearest__offer(nearest, plain);
	else
		nearest__offer(nearest, demangled ? demangled : symbol->name);
}

static bool is_wanted(const struct planner *p, const function_rule_list *rules,
		      const struct elf_symbol *symbol, const char *demangled)
{
	const struct plan_object *object = &p->plan->objects.data[p->image->object];
	bool wanted = false;

	for (size_t i = 0; i < rules->len; i++) {
		struct plan_search *search = &p->plan->searches.data[i];

		if (!function_rule__wants_object(&rules->data[i], object->path,
						 object->is_executable))
			continue;
		search->names++;
		if (function_rule__wants(&rules->data[i], symbol->name, demangled)) {
			search->found++;
			wanted = true;
		} else if (!search->found) {
			offer(&search->nearest, symbol, demangled);
		}
	}
	return wanted;
}

static struct plan_probe *add_site(struct planner *p, const char *name, size_t pair,
				   enum site_role role)
{
	struct plan_probe *probe = plan__add_probe(p->plan, PLAN_FUNCTION, p->image->object, name);
	struct span_site *site = probe ? vec_push(&p->plan->sites) : NULL;

	if (!site)
		return NULL;
	site->pair = pair;
	site->role = role;
	probe->cookie = p->plan->sites.len - 1;
	return probe;
}

static int add_pair(struct plan *plan, const char *name, size_t *index)
{
	struct plan_pair *pair = vec_push(&plan->pairs);

	if (!pair)
		return -ENOMEM;
	pair->abi.scoped_hint = 1;
	pair->is_function = true;
	pair->name = strdup(name);
	*index = plan->pairs.len - 1;
	return pair->name ? 0 : -ENOMEM;
}

/* A span or mark probe at the very same place: two have no order, and may differ in semaphores. */
static bool is_taken(const struct plan *plan, const struct plan_probe *start)
{
	const struct plan_probe *other;

	vec_for_each (&plan->probes, other) {
		if ((other->kind == PLAN_SPAN || other->kind == PLAN_MARK) && !other->refused &&
		    other->object == start->object && other->site_offset == start->site_offset)
			return true;
	}
	return false;
}

/* Its first instruction is its exit: why there is nothing to probe. */
static const char *no_place_for_entry(enum exit_kind exit)
{
	switch (exit) {
	case EXIT_RET:
		return "it only returns: there is nothing to time";
	case EXIT_TAIL_JCC:
		return "its first instruction may leave it already";
	default:
		return "it only jumps on to another function: name that one";
	}
}

static const char *move_to_first_instruction(struct planner *p, const struct elf_symbol *symbol,
					     struct plan_probe *start, const char *why)
{
	struct function_code code;
	struct insn insn;

	if (function_code__load(p->image->image, symbol, p->fdes, &code))
		return "its code is not in the file";
	start->site_offset = start->offset;
	p->plan->sites.data[start->cookie].stack_moved = 0;
	start->why = why;
	if (insn_decode(code.bytes, code.len, &insn)) {
		function_code__free(&code);
		return "an instruction is not understood";
	}
	start->emulated = insn.emulated;
	insn_describe(&insn, code.bytes, start->instruction, sizeof(start->instruction));
	function_code__free(&code);
	return insn.refused ? "its first instruction cannot be probed" : NULL;
}

/* Why its return must not be hooked; NULL: it may. */
static const char *no_return_hook(const struct planner *p, const struct elf_symbol *symbol)
{
	const struct special_function *special = special_function__find(symbol->name);

	if (p->hazards->return_hook)
		return p->hazards->return_hook;
	return special ? special->why : NULL;
}

/* The exits of a function, each a site of its own; on a refusal the reason is the answer. */
static int add_exits(struct planner *p, const struct elf_symbol *symbol, size_t entry, size_t pair,
		     const char **refused)
{
	struct function_source source = {p->image->image, p->symbols, p->fdes};
	struct exits exits = {0};
	const struct exit_site *at;
	int ret = function_exits__find(&source, symbol->vaddr, symbol->size, &exits);

	*refused = exits.refused;
	if (!ret && !exits.refused && exits.reenters)
		*refused = "its entry is inside a loop";
	vec_for_each (&exits.sites, at) {
		struct plan_probe *start, *probe;
		uint64_t offset;

		if (ret || *refused)
			break;
		start = &p->plan->probes.data[entry];
		/* Two probes at one place have no order: the entry keeps away from the exits. */
		if (at->offset == (int64_t)(start->site_offset - start->offset))
			*refused = start->site_offset == start->offset
					   ? no_place_for_entry(at->kind)
					   : move_to_first_instruction(
						     p, symbol, start,
						     "entry: the next cheap instruction is a way "
						     "out");
		if (*refused)
			break;
		if (elf_image__vaddr_to_offset(p->image->image, symbol->vaddr + at->offset,
					       &offset)) {
			*refused = "its code is not in the file";
			break;
		}
		probe = add_site(p, start->symbol, pair, SITE_END);
		if (!probe) {
			ret = -ENOMEM;
			break;
		}
		probe->offset = p->plan->probes.data[entry].offset;
		probe->site_offset = offset;
		probe->emulated = at->emulated;
		probe->why = no_return_hook(p, symbol);
		snprintf(probe->instruction, sizeof(probe->instruction), "%s", at->instruction);
		p->plan->sites.data[probe->cookie].condition =
			at->kind == EXIT_TAIL_JCC ? 1 + at->condition : 0;
	}
	exits__free(&exits);
	return ret;
}

/* Chooses the instruction for the entry; the reason why not is the answer, or NULL. */
static const char *place_entry(struct planner *p, const struct elf_symbol *symbol,
			       struct plan_probe *probe, int *ret)
{
	struct function_code code = {0};
	const char *refused = NULL;
	struct placement at;

	*ret = function_code__load(p->image->image, symbol, p->fdes, &code);
	probe->offset = probe->site_offset = code.offset;
	if (*ret == -ENOMEM)
		return NULL;
	if (symbol->indirect)
		refused = "it only chooses among implementations (IFUNC): name one of those";
	else if (*ret)
		refused = "its code is not in the file";
	else if (place_probe(code.bytes, code.len, symbol->vaddr,
			     probe->hook == HOOK_CALL ? PLACE_RETURN : PLACE_ENTRY, 0, &at))
		refused = "its first instruction cannot be probed";
	else if (at.reentered && symbol->size) /* else it may be another's jump */
		refused = "its entry is inside a loop";
	else
		plan_probe__set_site(probe, &at);
	if (!refused)
		p->plan->sites.data[probe->cookie].stack_moved = at.stack_moved;
	function_code__free(&code);
	*ret = 0;
	return refused;
}

/*
 * How its end is seen. Hooking the return is cheap, but it puts another return address into the
 * frame: an exception or panic that passes ends in terminate(). Where that may happen, or the
 * function itself looks at that address, every way out is probed instead, and where stacks move
 * (Go) or cannot be followed, nothing is.
 */
static int add_function(struct planner *p, const struct elf_symbol *symbol, const char *name)
{
	struct plan_probe *probe;
	const struct plan_object *object = &p->plan->objects.data[p->image->object];
	const struct special_function *special = special_function__find(symbol->name);
	const char *by_exits = no_return_hook(p, symbol), *refused = NULL;
	size_t pair, entry;
	int ret = add_pair(p->plan, name, &pair);

	probe = ret ? NULL : add_site(p, name, pair, SITE_START);
	if (!probe)
		return -ENOMEM;
	entry = probe - p->plan->probes.data;
	probe->hook = by_exits ? HOOK_SITE : HOOK_CALL;
	p->plan->sites.data[probe->cookie].flags =
		SPAN_FLAG_BARE | (by_exits ? SPAN_FLAG_EXITS : 0);
	if (special && special->refused)
		refused = special->why;
	else if (object->runtime.kind == RUNTIME_GO)
		refused = "Go: its stacks move, and its exits cannot be told";
	else if (object->runtime.moves_stacks)
		refused = "its stack is made of pieces that move (split stacks)";
	else
		refused = place_entry(p, symbol, probe, &ret);
	if (!ret && !refused && is_taken(p->plan, probe)) {
		refused = move_to_first_instruction(
			p, symbol, probe, "entry: a span begins at the next cheap instruction");
		if (!refused && is_taken(p->plan, probe))
			refused = "a span begins at its first instruction: the two have no order";
	}
	if (!ret && !refused && by_exits) {
		ret = add_exits(p, symbol, entry, pair, &refused);
		/* Half of the exits would be worse than none. */
		if (refused)
			plan__refuse_from(p->plan, entry, refused);
	}
	p->plan->probes.data[entry].refused = refused;
	return ret;
}

/* A function may have several names at one address: the first one that a rule asks for is shown. */
static int add_wanted(struct planner *p, const function_rule_list *rules)
{
	uint64_t added_at = 0;
	bool added = false;

	for (size_t i = 0; i < elf_symbols__count(p->symbols); i++) {
		const struct elf_symbol *symbol = elf_symbols__at(p->symbols, i);
		char *demangled;
		int ret = 0;

		if (is_fragment(symbol->name))
			continue;
		demangled = demangle(symbol->name);
		if (is_wanted(p, rules, symbol, demangled) &&
		    !(added && added_at == symbol->vaddr)) {
			if (p->plan->functions < PLAN_FUNCTIONS_MAX)
				ret = add_function(p, symbol, demangled ? demangled : symbol->name);
			p->plan->functions++;
			added_at = symbol->vaddr;
			added = true;
		}
		free(demangled);
		if (ret)
			return ret;
	}
	return 0;
}

static bool any_rule_wants(const struct plan *plan, const struct plan_image *image,
			   const function_rule_list *rules)
{
	const struct plan_object *object = &plan->objects.data[image->object];
	const struct function_rule *rule;

	vec_for_each (rules, rule) {
		if (function_rule__wants_object(rule, object->path, object->is_executable))
			return true;
	}
	return false;
}

/* One entry per rule, once. */
static int begin_searches(struct plan *plan, const function_rule_list *rules)
{
	while (plan->searches.len < rules->len) {
		struct plan_search *search = vec_push(&plan->searches);

		if (!search)
			return -ENOMEM;
		nearest__init(&search->nearest, rules->data[plan->searches.len - 1].name);
	}
	return 0;
}

int plan_functions__add(struct plan *plan, const struct plan_image *image,
			const function_rule_list *rules, const struct plan_hazards *hazards)
{
	struct planner p = {.plan = plan, .image = image, .hazards = hazards};
	struct elf_symbols *symbols;
	int ret = begin_searches(plan, rules);

	if (ret || !any_rule_wants(plan, image, rules))
		return ret;
	ret = elf_symbols__load(image->image, &symbols);
	if (ret)
		return ret == -ENOMEM ? ret : 0;
	p.symbols = symbols;
	if (fde_index__load(image->image, &p.fdes))
		p.fdes = NULL;
	for (size_t i = 0; i < rules->len; i++)
		plan->searches.data[i].objects += function_rule__wants_object(
			&rules->data[i], plan->objects.data[image->object].path,
			plan->objects.data[image->object].is_executable);
	ret = add_wanted(&p, rules);
	fde_index__free(p.fdes);
	elf_symbols__free(symbols);
	return ret;
}
