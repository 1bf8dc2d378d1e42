// SPDX-License-Identifier: BSD-2-Clause
/* The span probes of one object: USDT pairs it already has, and our own header's macros. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/exports.h"
#include "elf/fde_index.h"
#include "elf/notes.h"
#include "probe/plan.h"
#include "probe/usdt_arg.h"

/*
 * Pairing compares probes with each other, and the list comes from the target: more than any real
 * program has would only cost us time.
 */
#define NOTES_PLANNED_MAX 2048
#define LOOKUPS_MAX	  256 /* of variables: each reads the symbol table */

static const struct {
	const char *name;
	enum site_role role;
	enum plan_kind kind;
} own_probes[] = {
	{"span_start", SITE_START, PLAN_SPAN},
	{"span_end", SITE_END, PLAN_SPAN},
	{"checkpoint", SITE_CHECKPOINT, PLAN_MARK},
	{"event", SITE_EVENT, PLAN_MARK},
};

struct planner {
	struct plan *plan;
	const struct plan_image *image;
	const struct usdt_notes *notes;
	const usdt_pair_list *pairs;
	size_t first_pair;	     /* index in plan->pairs of pairs->data[0] */
	struct fde_index *functions; /* may be NULL */
	unsigned int lookups;	     /* of variables in arguments */
};

/*
 * Only the one-byte nop is safe: newer kernels turn a five-byte nop into a call, whose return
 * address lands in the red zone that a leaf function may be using.
 */
const char *plan_usdt__refuse(const struct elf_image *image, const struct usdt_note *note)
{
	static const unsigned char nop5[] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
	unsigned char code[5] = {0};

	if (elf_image__read(image, note->location_offset, code, 1))
		return "its address is not in the file";
	if (code[0] == 0x90)
		return NULL;
	elf_image__read(image, note->location_offset, code, sizeof(code));
	if (!memcmp(code, nop5, sizeof(nop5)))
		return "five-byte nop: a probe could overwrite the red zone of its function";
	return "no nop at its address";
}

/* Finds the role of a note in the pairs of its object. */
static bool find_pair(const struct planner *p, const struct usdt_note *note, size_t *pair,
		      enum site_role *role)
{
	for (size_t i = 0; i < p->pairs->len; i++) {
		const struct usdt_pair *candidate = &p->pairs->data[i];

		if (strcmp(candidate->provider, note->provider))
			continue;
		*pair = p->first_pair + i;
		if (!strcmp(candidate->start, note->name)) {
			*role = SITE_START;
			return true;
		}
		for (size_t e = 0; e < candidate->n_ends; e++) {
			if (!strcmp(candidate->ends[e], note->name)) {
				*role = SITE_END;
				return true;
			}
		}
	}
	return false;
}

/* Any argument of pointer size may be text; which ones are is learned while tracing. */
static void take_strings(struct span_site *site, const struct arg_spec *args, size_t n)
{
	for (size_t i = 0; i < n && site->strings < SPAN_STRINGS_MAX; i++) {
		if (args[i].size == sizeof(void *) && args[i].kind != ARG_NONE &&
		    args[i].kind != ARG_CONST)
			site->string[site->strings++] = args[i];
	}
}

static int find_variable(void *arg, const char *name, uint64_t *vaddr)
{
	struct planner *p = arg;

	if (p->lookups++ >= LOOKUPS_MAX)
		return -E2BIG;
	return elf_variable__find(p->image->image, name, vaddr);
}

static int add_site(struct planner *p, const struct usdt_note *note, enum plan_kind kind,
		    size_t pair, enum site_role role)
{
	struct usdt_place place = {note->location, find_variable, p};
	struct arg_spec args[USDT_ARGS_MAX];
	size_t n = usdt_arg__parse(note->arguments, &place, args, USDT_ARGS_MAX);
	struct plan_probe *probe;
	struct span_site *site;
	char symbol[512];

	snprintf(symbol, sizeof(symbol), "%s:%s", note->provider, note->name);
	probe = plan__add_probe(p->plan, kind, p->image->object, symbol);
	if (!probe)
		return -ENOMEM;
	probe->offset = probe->site_offset = note->location_offset;
	probe->ref_ctr_offset = note->semaphore_offset;
	snprintf(probe->instruction, sizeof(probe->instruction), "nop");
	probe->emulated = true;
	probe->refused = plan_usdt__refuse(p->image->image, note);
	for (size_t i = 0; i < n; i++) {
		if (args[i].kind == ARG_NONE)
			probe->why = "an argument of an unknown form is left out";
	}
	if (kind == PLAN_USDT || probe->refused)
		return 0;
	site = vec_push(&p->plan->sites);
	if (!site)
		return -ENOMEM;
	probe->cookie = p->plan->sites.len - 1;
	site->pair = pair;
	site->role = role;
	if (pair == PLAN_OWN_PAIR) {
		site->named = 1;
		site->name = n ? args[0] : (struct arg_spec){0};
		take_strings(site, args + 1, n > 1 ? n - 1 : 0);
	} else {
		take_strings(site, args, n);
	}
	return 0;
}

static int add_own_site(struct planner *p, const struct usdt_note *note)
{
	for (size_t i = 0; i < sizeof(own_probes) / sizeof(own_probes[0]); i++) {
		if (!strcmp(note->name, own_probes[i].name))
			return add_site(p, note, own_probes[i].kind, PLAN_OWN_PAIR,
					own_probes[i].role);
	}
	return 0;
}

/* Notes of one probe at one place occur twice where the compiler duplicated the asm label. */
static bool is_repeated(const struct usdt_notes *notes, const struct usdt_note *note)
{
	const struct usdt_note *other;

	for (other = notes->list.data; other < note; other++) {
		if (other->location == note->location && !strcmp(other->name, note->name) &&
		    !strcmp(other->provider, note->provider))
			return true;
	}
	return false;
}

/* Do a start and an end of the pair lie in one function? Then they probably share a frame. */
static bool in_one_function(const struct planner *p, const struct usdt_pair *pair, size_t index)
{
	const struct usdt_note *start, *end;
	uint64_t start_function, end_function;
	enum site_role role;
	size_t found;

	if (!p->functions)
		return true;
	vec_for_each (&p->notes->list, start) {
		if (strcmp(start->provider, pair->provider) || strcmp(start->name, pair->start) ||
		    fde_index__function_start(p->functions, start->location, &start_function))
			continue;
		vec_for_each (&p->notes->list, end) {
			if (find_pair(p, end, &found, &role) && found == index &&
			    role == SITE_END &&
			    !fde_index__function_start(p->functions, end->location,
						       &end_function) &&
			    end_function == start_function)
				return true;
		}
	}
	return false;
}

static int add_pairs(struct planner *p)
{
	p->first_pair = p->plan->pairs.len;
	for (size_t i = 0; i < p->pairs->len; i++) {
		struct plan_pair *pair = vec_push(&p->plan->pairs);

		if (!pair)
			return -ENOMEM;
		pair->name = strdup(p->pairs->data[i].span_name);
		if (!pair->name)
			return -ENOMEM;
	}
	for (size_t i = 0; i < p->pairs->len; i++) {
		size_t index = p->first_pair + i;

		p->plan->pairs.data[index].abi.scoped_hint =
			in_one_function(p, &p->pairs->data[i], index);
	}
	return 0;
}

/* Rules choose among the macros, too: "perftrace:*" names them. */
static bool wants_own_macros(const pair_rule_list *rules)
{
	const struct pair_rule *rule;

	if (!rules || !rules->len)
		return true;
	vec_for_each (rules, rule) {
		if (!rule->n_ends && !fnmatch(rule->provider, PERFTRACE_PROVIDER, 0))
			return true;
	}
	return false;
}

static int add_sites(struct planner *p, bool own_macros)
{
	const struct usdt_note *note;
	enum site_role role;
	size_t pair;
	int ret = 0;

	vec_for_each (&p->notes->list, note) {
		if (ret)
			break;
		if (is_repeated(p->notes, note))
			continue;
		if (!strcmp(note->provider, PERFTRACE_PROVIDER))
			ret = own_macros ? add_own_site(p, note) : 0;
		else if (!strcmp(note->provider, TOLD_PROVIDER))
			continue; /* no spans: plan_told.c */
		else if (find_pair(p, note, &pair, &role))
			ret = add_site(p, note, PLAN_SPAN, pair, role);
		else
			ret = add_site(p, note, PLAN_USDT, 0, 0);
	}
	return ret;
}

int plan_spans__add(struct plan *plan, const struct plan_image *image, const pair_rule_list *rules)
{
	struct usdt_notes notes = {0};
	usdt_pair_list pairs = {0};
	struct planner p = {.plan = plan, .image = image, .notes = &notes, .pairs = &pairs};
	struct usdt_name *names = NULL;
	size_t notes_left = 0;
	int ret = usdt_notes__load(image->image, &notes);

	if (ret) {
		/* An object whose notes cannot be read has no probes for us; only memory is fatal.
		 */
		usdt_notes__free(&notes);
		return ret == -ENOMEM ? ret : 0;
	}
	if (notes.list.len > NOTES_PLANNED_MAX) {
		plan->notes_left_out += notes.list.len - NOTES_PLANNED_MAX;
		notes_left = notes.list.len;
		notes.list.len = NOTES_PLANNED_MAX;
	}
	if (notes.list.len) {
		names = calloc(notes.list.len, sizeof(*names));
		if (!names) {
			ret = -ENOMEM;
			goto out;
		}
		for (size_t i = 0; i < notes.list.len; i++)
			names[i] = (struct usdt_name){notes.list.data[i].provider,
						      notes.list.data[i].name};
		ret = usdt_pairs__find(names, notes.list.len, rules, &pairs);
		if (ret)
			goto out;
		if (fde_index__load(image->image, &p.functions))
			p.functions = NULL;
		ret = add_pairs(&p);
		if (!ret)
			ret = add_sites(&p, wants_own_macros(rules));
	}
out:
	fde_index__free(p.functions);
	usdt_pairs__free(&pairs);
	if (notes_left)
		notes.list.len = notes_left; /* the whole list is freed */
	usdt_notes__free(&notes);
	free(names);
	return ret;
}
