// SPDX-License-Identifier: BSD-2-Clause
#include "probe/results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/heap.h"
#include "probe/insn.h"

/* Allocators stay far below these; the code comes from the target and might have been made to. */
#define REGIONS_MAX	32
#define REGION_SIZE_MAX (64 * 1024)
#define STEPS_MAX	20000
#define SITES_MAX	64
#define WALK_MAX	128 /* instructions in one walk back */

/* One instruction; those of a region stand together in order. */
struct step {
	uint64_t vaddr;
	struct insn insn;
	uint8_t code[INSN_LENGTH_MAX];
	bool first; /* of its region */
};

struct region {
	uint64_t start, end; /* vaddrs */
};

struct jump {
	uint64_t target; /* vaddr */
	size_t step;
};

struct search {
	const struct result_code *code;
	struct region regions[REGIONS_MAX];
	size_t n_regions;
	VEC(struct step) steps;
	VEC(struct jump) jumps;	 /* by target */
	result_site_list sites;	 /* of the walks that succeeded */
	result_site_list walked; /* of the present one */
	size_t walk_length;
	const char *why;
};

/* What is known before an instruction: every path from it returns what is in `reg` now. */
struct state {
	uint8_t reg;
	uint16_t words; /* rsp is that far below its value at the entry */
};

/* ---- the code ---- */

static const struct region *region_of(const struct search *s, uint64_t vaddr)
{
	for (size_t i = 0; i < s->n_regions; i++) {
		if (vaddr >= s->regions[i].start && vaddr < s->regions[i].end)
			return &s->regions[i];
	}
	return NULL;
}

/* The function around `vaddr`, by its symbol or else by its unwind information. */
static int find_bounds(const struct search *s, uint64_t vaddr, struct region *region)
{
	const struct elf_symbol *symbol = elf_symbols__find_address(s->code->symbols, vaddr);
	const struct fde_index *functions = s->code->functions;

	if (functions && !fde_index__function_start(functions, vaddr, &region->start)) {
		if (fde_index__next_start(functions, vaddr, &region->end))
			region->end = region->start + REGION_SIZE_MAX;
		if (symbol && symbol->vaddr == region->start && symbol->size &&
		    symbol->size < region->end - region->start &&
		    vaddr - symbol->vaddr < symbol->size)
			region->end = symbol->vaddr + symbol->size;
	} else if (symbol && symbol->size) {
		region->start = symbol->vaddr;
		region->end = symbol->vaddr + symbol->size;
	} else {
		return -ENOENT;
	}
	return region->end - region->start > REGION_SIZE_MAX ? -E2BIG : 0;
}

/* Where a jump to a stub ends up, if that is in this image. */
static uint64_t behind_stub(const struct search *s, uint64_t vaddr)
{
	const char *name = elf_imports__of_stub(s->code->imports, s->code->image, vaddr);
	const struct elf_symbol *symbol = NULL;

	if (!name)
		return vaddr;
	while ((symbol = elf_symbols__lookup(s->code->symbols, name, symbol))) {
		if (!symbol->indirect)
			return symbol->vaddr;
	}
	return 0;
}

static uint64_t target_of(const struct step *step)
{
	return step->vaddr + (uint64_t)step->insn.target;
}

static bool is_jump(const struct step *step)
{
	return step->insn.kind == INSN_JMP || step->insn.kind == INSN_JCC ||
	       step->insn.kind == INSN_LOOP;
}

static int add_step(struct search *s, const struct region *region, const uint8_t *bytes,
		    size_t left, uint64_t vaddr, size_t *length)
{
	struct step *step;

	if (s->steps.len == STEPS_MAX) {
		s->why = "it has too much code";
		return -ENOTSUP;
	}
	step = vec_push(&s->steps);
	if (!step)
		return -ENOMEM;
	if (insn_decode(bytes, left, &step->insn)) {
		s->steps.len--;
		/* The rest of a function cut off by the section's end, or padding, is no code. */
		if (!left)
			return 0;
		s->why = "its code is not understood";
		return -ENOTSUP;
	}
	step->vaddr = vaddr;
	step->first = vaddr == region->start;
	memcpy(step->code, bytes, step->insn.length);
	*length = step->insn.length;
	return 0;
}

static int decode_region(struct search *s, struct region *region)
{
	size_t size = region->end - region->start, at = 0, length = 0;
	uint8_t *bytes = malloc(size);
	uint64_t offset;
	int ret = bytes ? 0 : -ENOMEM;

	if (!ret && (elf_image__vaddr_to_offset(s->code->image, region->start, &offset) ||
		     elf_image__read(s->code->image, offset, bytes, size))) {
		s->why = "its code could not be read";
		ret = -ENOTSUP;
	}
	while (!ret && at < size) {
		ret = add_step(s, region, bytes + at, size - at, region->start + at, &length);
		/* A jump table could lead behind a site, a tail call out of sight. */
		if (!ret && s->steps.data[s->steps.len - 1].insn.kind == INSN_JMP_INDIRECT) {
			s->why = "it jumps where only a register or a table tells";
			ret = -ENOTSUP;
		}
		at += length;
	}
	free(bytes);
	return ret;
}

/* Adds the function around `vaddr` unless it is there. */
static int add_region(struct search *s, uint64_t vaddr)
{
	struct region *region = &s->regions[s->n_regions];

	if (region_of(s, vaddr))
		return 0;
	if (s->n_regions == REGIONS_MAX) {
		s->why = "it goes on in too many other functions";
		return -ENOTSUP;
	}
	memset(region, 0, sizeof(*region));
	if (find_bounds(s, vaddr, region)) {
		s->why = "it goes on in a function whose bounds are not known";
		return -ENOTSUP;
	}
	s->n_regions++;
	return decode_region(s, region);
}

/* The function and all that it jumps into. */
static int gather(struct search *s, uint64_t vaddr)
{
	int ret = add_region(s, vaddr);

	for (size_t i = 0; !ret && i < s->steps.len; i++) {
		uint64_t target = target_of(&s->steps.data[i]);

		if (!is_jump(&s->steps.data[i]) || region_of(s, target))
			continue;
		target = behind_stub(s, target);
		if (!target) {
			s->why = "it goes on in another library";
			return -ENOTSUP;
		}
		ret = add_region(s, target);
	}
	return ret;
}

static int compare_jumps(const void *left, const void *right)
{
	const struct jump *a = left, *b = right;

	return a->target < b->target ? -1 : a->target > b->target;
}

static int sort_jumps(struct search *s)
{
	for (size_t i = 0; i < s->steps.len; i++) {
		struct jump *jump;

		if (!is_jump(&s->steps.data[i]))
			continue;
		jump = vec_push(&s->jumps);
		if (!jump)
			return -ENOMEM;
		*jump = (struct jump){target_of(&s->steps.data[i]), i};
	}
	if (s->jumps.len)
		qsort(s->jumps.data, s->jumps.len, sizeof(s->jumps.data[0]), compare_jumps);
	return 0;
}

/* The first jump to `vaddr`; jumps.len if there is none. */
static size_t first_jump_to(const struct search *s, uint64_t vaddr)
{
	size_t low = 0, high = s->jumps.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->jumps.data[mid].target < vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- one instruction, backwards ---- */

static bool is_wide_move(const struct insn *i)
{
	return i->form == FORM_LEGACY && i->map == MAP_1BYTE && !i->prefixes && (i->rex & 8) &&
	       (i->opcode == 0x89 || i->opcode == 0x8b) && i->modrm >= 0xc0;
}

static uint8_t modrm_reg(const struct insn *i)
{
	return ((i->modrm >> 3) & 7) | (i->rex & 4 ? 8 : 0);
}

static uint8_t modrm_rm(const struct insn *i)
{
	return (i->modrm & 7) | (i->rex & 1 ? 8 : 0);
}

/* add or sub $imm,%rsp: how many bytes it adds. */
static bool moves_stack_by(const struct step *step, int32_t *bytes)
{
	const struct insn *i = &step->insn;

	if (i->form != FORM_LEGACY || i->map != MAP_1BYTE || i->prefixes || i->rex != 0x48 ||
	    (i->modrm != 0xc4 && i->modrm != 0xec))
		return false;
	if (i->opcode == 0x83)
		*bytes = (int8_t)step->code[3];
	else if (i->opcode == 0x81)
		memcpy(bytes, step->code + 3, sizeof(*bytes));
	else
		return false;
	if (i->modrm == 0xec)
		*bytes = -*bytes;
	return *bytes % 8 == 0 && *bytes > -(1 << 18) && *bytes < 1 << 18;
}

/* How far rsp was below the entry's before this instruction, if it was `words` after it. */
static bool stack_before(const struct step *step, uint16_t *words)
{
	const struct insn *i = &step->insn;
	int32_t bytes = 0, before;

	if (!(i->writes & GPR_BIT(GPR_RSP)))
		return true;
	if (i->kind == INSN_PUSH)
		bytes = -8;
	else if (i->form == FORM_LEGACY && i->map == MAP_1BYTE && i->opcode >= 0x58 &&
		 i->opcode <= 0x5f && !i->prefixes)
		bytes = 8;
	else if (!moves_stack_by(step, &bytes))
		return false;
	before = *words + bytes / 8;
	if (before < 0 || before > HEAP_RESULT_WORDS_MAX)
		return false;
	*words = before;
	return true;
}

/* The state before a plain instruction, from the one after it. */
static bool step_back(const struct step *step, struct state *state)
{
	const struct insn *i = &step->insn;

	if (i->writes == GPR_ALL || !stack_before(step, &state->words))
		return false;
	if (!(i->writes & GPR_BIT(state->reg)))
		return true;
	if (!is_wide_move(i))
		return false; /* the value comes to be here */
	state->reg = i->opcode == 0x89 ? modrm_reg(i) : modrm_rm(i);
	return state->reg != GPR_RSP;
}

/* ---- walking back ---- */

static int add_site(struct search *s, const struct step *step, struct state state,
		    uint32_t condition)
{
	struct result_site *site;

	if (s->walked.len == SITES_MAX)
		return -ENOTSUP;
	site = vec_push(&s->walked);
	if (!site)
		return -ENOMEM;
	site->vaddr = step->vaddr;
	site->description = HEAP_RESULT_IN((uint32_t)state.reg, condition, (uint32_t)state.words);
	site->emulated = step->insn.emulated;
	insn_describe(&step->insn, step->code, site->instruction, sizeof(site->instruction));
	return 0;
}

/* 1 + the condition under which a jcc jumps, or does not. */
static uint32_t condition_of(const struct step *step, bool jumps)
{
	return 1 + ((step->insn.opcode & 15) ^ (jumps ? 0 : 1));
}

/* Jumps to the instruction: each is a site of its own. -ENOTSUP: one of them cannot be. */
static int cover_jumps(struct search *s, size_t index, struct state state)
{
	uint64_t vaddr = s->steps.data[index].vaddr;
	int ret = 0;

	for (size_t i = first_jump_to(s, vaddr);
	     !ret && i < s->jumps.len && s->jumps.data[i].target == vaddr; i++) {
		const struct step *step = &s->steps.data[s->jumps.data[i].step];

		if (!step->insn.emulated)
			return -ENOTSUP;
		ret = add_site(s, step, state,
			       step->insn.kind == INSN_JCC ? condition_of(step, true) : 0);
	}
	return ret;
}

static bool falls_through(const struct step *step)
{
	switch (step->insn.kind) {
	case INSN_JMP:
	case INSN_JMP_INDIRECT:
	case INSN_RET:
	case INSN_TRAP:
		return false;
	default:
		return true;
	}
}

/*
 * Finds sites that see every path into the instruction at `index`, before which `state` holds.
 * A straight line upwards: jumps end it or are sites themselves.
 */
static int cover(struct search *s, size_t index, struct state state)
{
	int ret = 0;

	while (!ret) {
		const struct step *before;

		if (s->walk_length++ > WALK_MAX || s->steps.data[index].first)
			return -ENOTSUP;
		ret = cover_jumps(s, index, state);
		before = &s->steps.data[index - 1];
		if (ret || !falls_through(before))
			return ret;
		if (before->insn.kind == INSN_JCC && before->insn.emulated)
			return add_site(s, before, state, condition_of(before, false));
		if (is_jump(before) || !step_back(before, &state))
			return -ENOTSUP;
		index--;
	}
	return ret;
}

/* ---- putting sites together ---- */

static struct result_site *site_at(result_site_list *list, uint64_t vaddr)
{
	struct result_site *site;

	vec_for_each (list, site) {
		if (site->vaddr == vaddr)
			return site;
	}
	return NULL;
}

static uint32_t unconditional(uint32_t description)
{
	return description & ~(uint32_t)(31 << 7);
}

/* One place has one cookie: both ways of a jcc together are "always", anything else conflicts. */
static bool can_merge(const struct result_site *known, const struct result_site *site)
{
	uint32_t a = HEAP_RESULT_CONDITION(known->description);
	uint32_t b = HEAP_RESULT_CONDITION(site->description);

	if (unconditional(known->description) != unconditional(site->description))
		return false;
	return !a || a == b || ((a - 1) ^ 1) == b - 1;
}

static int merge(result_site_list *list, const struct result_site *site)
{
	struct result_site *known = site_at(list, site->vaddr);

	if (known) {
		if (!can_merge(known, site))
			return -ENOTSUP;
		if (known->description != site->description)
			known->description = unconditional(known->description);
		return 0;
	}
	if (list->len == SITES_MAX)
		return -ENOTSUP;
	known = vec_push(list);
	if (!known)
		return -ENOMEM;
	*known = *site;
	return 0;
}

/* Adds the sites of the walk, all or none. */
static int take_walk(struct search *s, uint64_t entry)
{
	const struct result_site *site;
	result_site_list merged = {0};
	int ret = 0;

	vec_for_each (&s->sites, site) {
		if (!ret)
			ret = merge(&merged, site);
	}
	vec_for_each (&s->walked, site) {
		/* The entry has a probe of its own. */
		if (!ret)
			ret = site->vaddr == entry ? -ENOTSUP : merge(&merged, site);
	}
	if (ret) {
		vec_free(&merged);
		return ret;
	}
	vec_free(&s->sites);
	memcpy(&s->sites, &merged, sizeof(merged));
	return 0;
}

static int add_return(struct search *s, size_t index, uint64_t entry)
{
	const struct step *step = &s->steps.data[index];
	struct state state = {.reg = GPR_RAX};
	int ret;

	s->walked.len = 0;
	s->walk_length = 0;
	ret = cover(s, index, state);
	if (!ret)
		ret = take_walk(s, entry);
	if (ret != -ENOTSUP)
		return ret;
	s->walked.len = 0;
	ret = add_site(s, step, state, 0);
	return ret ? ret : take_walk(s, entry);
}

int results__find(const struct result_code *code, uint64_t vaddr, result_site_list *out,
		  const char **why)
{
	struct search s = {.code = code, .why = "its code is not understood"};
	const struct result_site *site;
	int ret = gather(&s, vaddr);

	if (!ret)
		ret = sort_jumps(&s);
	for (size_t i = 0; !ret && i < s.steps.len; i++) {
		if (s.steps.data[i].insn.kind == INSN_RET)
			ret = add_return(&s, i, vaddr);
	}
	if (!ret && !s.sites.len)
		ret = -ENOENT;
	vec_for_each (&s.sites, site) {
		struct result_site *slot = ret ? NULL : vec_push(out);

		if (slot)
			*slot = *site;
		else if (!ret)
			ret = -ENOMEM;
	}
	if (ret == -ENOTSUP)
		*why = s.why;
	vec_free(&s.steps);
	vec_free(&s.jumps);
	vec_free(&s.sites);
	vec_free(&s.walked);
	return ret;
}
