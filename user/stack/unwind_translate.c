// SPDX-License-Identifier: BSD-2-Clause
#include "stack/unwind_translate.h"

#include "elf/cursor.h"

/* DW_OP_*, DWARF 5, section 7.7.1. */
#define OP_DEREF       0x06
#define OP_CONST1U     0x08
#define OP_AND	       0x1a
#define OP_PLUS	       0x22
#define OP_PLUS_UCONST 0x23
#define OP_SHL	       0x24
#define OP_GE	       0x2a
#define OP_LIT0	       0x30
#define OP_LIT15       0x3f
#define OP_LIT31       0x4f
#define OP_BREG0       0x70

/* Saved registers in rt_sigframe, from rsp when the handler has returned: asm/sigcontext.h behind
 * the first five words of struct ucontext. */
#define SIGNAL_RBP 120
#define SIGNAL_RSP 160
#define SIGNAL_RIP 168

#define RETURN_ADDRESS (-8) /* from the CFA */

/* An expression's first step: register + offset. */
struct base {
	uint8_t reg;
	int64_t offset;
	bool alone; /* nothing follows */
};

static bool take_base(struct cursor *c, struct base *out)
{
	uint8_t op = cursor__byte(c);

	out->reg = (uint8_t)(op - OP_BREG0);
	out->offset = cursor__sleb(c);
	out->alone = c->pos == c->len;
	return !c->bad && op >= OP_BREG0 && out->reg <= CFI_RA;
}

static struct cursor expression(const struct cfi_rule *rule)
{
	return (struct cursor){.data = rule->expression, .len = rule->length};
}

/* Whether the rule is: saved at register + offset. */
static bool is_saved_at(const struct cfi_rule *rule, uint8_t reg, int64_t offset)
{
	struct cursor c = expression(rule);
	struct base base;

	return rule->kind == CFI_AT_EXPRESSION && take_base(&c, &base) && base.alone &&
	       base.reg == reg && base.offset == offset;
}

static struct unwind_rule register_plus(uint8_t reg, int64_t offset)
{
	struct unwind_rule rule = {.cfa = UNWIND_NONE};

	if (offset < INT32_MIN >> 4 || offset > INT32_MAX >> 4 || reg >= CFI_RA)
		return rule;
	rule.offset = (__s32)offset;
	if (reg == CFI_RSP) {
		rule.cfa = UNWIND_RSP;
	} else if (reg == CFI_RBP) {
		rule.cfa = UNWIND_RBP;
	} else {
		rule.cfa = UNWIND_REGISTER;
		rule.offset = (__s32)((__u32)offset << 4 | reg);
	}
	return rule;
}

/*
 * What linkers write for the stubs of a procedure linkage table: rsp + 8, and 8 more from some
 * instruction of each 16 bytes on.
 */
static bool take_plt(struct cursor *c, const struct base *base, __s32 *threshold)
{
	static const uint8_t before[] = {OP_BREG0 + CFI_RA, 0, OP_LIT15, OP_AND};
	static const uint8_t behind[] = {OP_GE, OP_LIT0 + 3, OP_SHL, OP_PLUS};
	const uint8_t *bytes = c->data + c->pos;
	size_t at = sizeof(before);

	if (base->reg != CFI_RSP || base->offset != 8 ||
	    c->len - c->pos != sizeof(before) + 1 + sizeof(behind))
		return false;
	if (memcmp(bytes, before, sizeof(before)) ||
	    memcmp(bytes + at + 1, behind, sizeof(behind)) || bytes[at] < OP_LIT0 ||
	    bytes[at] > OP_LIT15)
		return false;
	*threshold = bytes[at] - OP_LIT0;
	return true;
}

/* Behind the load of a word: nothing, or a small number that is added. */
static bool take_addend(struct cursor *c, uint64_t *add)
{
	uint8_t op;

	*add = 0;
	if (c->pos == c->len)
		return true;
	op = cursor__byte(c);
	if (op == OP_PLUS_UCONST) {
		*add = cursor__uleb(c);
	} else {
		if (op == OP_CONST1U)
			*add = cursor__byte(c);
		else if (op >= OP_LIT0 && op <= OP_LIT31)
			*add = op - OP_LIT0;
		else
			return false;
		if (cursor__byte(c) != OP_PLUS)
			return false;
	}
	return !c->bad && c->pos == c->len && *add <= UINT8_MAX;
}

static struct unwind_rule translate_expression(const struct cfi_rule *cfa)
{
	struct unwind_rule rule = {.cfa = UNWIND_NONE};
	struct cursor c = expression(cfa);
	struct base base;
	uint64_t add;

	if (!take_base(&c, &base))
		return rule;
	if (base.alone)
		return register_plus(base.reg, base.offset);
	if (take_plt(&c, &base, &rule.offset)) {
		rule.cfa = UNWIND_PLT;
		return rule;
	}
	if (cursor__byte(&c) != OP_DEREF || !take_addend(&c, &add) ||
	    base.offset < INT32_MIN >> 8 || base.offset > INT32_MAX >> 8 ||
	    (base.reg != CFI_RSP && base.reg != CFI_RBP))
		return rule;
	rule.cfa = base.reg == CFI_RSP ? UNWIND_DEREF_RSP : UNWIND_DEREF_RBP;
	rule.offset = UNWIND_DEREF(base.offset, add);
	return rule;
}

static struct unwind_rule translate_cfa(const struct cfi_rule *cfa)
{
	switch (cfa->kind) {
	case CFI_REGISTER:
		return register_plus(cfa->reg, cfa->offset);
	case CFI_IS_EXPRESSION:
		return translate_expression(cfa);
	default:
		return (struct unwind_rule){.cfa = UNWIND_NONE};
	}
}

static bool is_saved_from_rbp(const struct cfi_rule *rbp, struct base *base)
{
	struct cursor c = expression(rbp);

	return take_base(&c, base) && base->alone && base->reg == CFI_RBP;
}

static void translate_rbp(const struct cfi_rule *rbp, struct unwind_rule *out)
{
	enum unwind_rbp kind = UNWIND_RBP_UNKNOWN;
	int64_t offset = 0;
	struct base base;

	if (rbp->kind == CFI_UNSPECIFIED || rbp->kind == CFI_SAME) {
		kind = UNWIND_RBP_SAME;
	} else if (rbp->kind == CFI_AT_CFA) {
		kind = UNWIND_RBP_AT_CFA;
		offset = rbp->offset;
	} else if (rbp->kind == CFI_AT_EXPRESSION && is_saved_from_rbp(rbp, &base)) {
		kind = UNWIND_RBP_AT_RBP;
		offset = base.offset;
	}
	if (offset < INT16_MIN || offset > INT16_MAX) {
		kind = UNWIND_RBP_UNKNOWN;
		offset = 0;
	}
	out->rbp = (__u8)kind;
	out->rbp_offset = (__s16)offset;
}

static bool is_signal_frame(const struct cfi_row *row)
{
	const struct cfi_rule *cfa = &row->state->cfa, *reg = row->state->reg;
	struct cursor c = expression(cfa);
	struct base base;

	return row->is_signal && cfa->kind == CFI_IS_EXPRESSION && take_base(&c, &base) &&
	       base.reg == CFI_RSP && base.offset == SIGNAL_RSP && cursor__byte(&c) == OP_DEREF &&
	       c.pos == c.len && is_saved_at(&reg[CFI_RBP], CFI_RSP, SIGNAL_RBP) &&
	       is_saved_at(&reg[CFI_RA], CFI_RSP, SIGNAL_RIP);
}

struct unwind_rule unwind_translate(const struct cfi_row *row)
{
	const struct cfi_rule *ra = &row->state->reg[CFI_RA];
	struct unwind_rule rule = {.cfa = UNWIND_NONE};

	if (ra->kind == CFI_UNDEFINED)
		return (struct unwind_rule){.cfa = UNWIND_END};
	if (ra->kind == CFI_AT_CFA && ra->offset == RETURN_ADDRESS)
		rule = translate_cfa(&row->state->cfa);
	else if (is_signal_frame(row))
		rule.cfa = UNWIND_SIGNAL;
	if (rule.cfa != UNWIND_NONE && rule.cfa != UNWIND_SIGNAL)
		translate_rbp(&row->state->reg[CFI_RBP], &rule);
	return rule;
}
