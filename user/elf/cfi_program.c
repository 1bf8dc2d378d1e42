// SPDX-License-Identifier: BSD-2-Clause
#include "elf/cfi_program.h"

#include <errno.h>

/* DW_CFA_*. The first three have an operand in their low six bits. */
#define ADVANCE_LOC 0x40
#define OFFSET	    0x80
#define RESTORE	    0xc0

enum {
	NOP,
	SET_LOC,
	ADVANCE_LOC1,
	ADVANCE_LOC2,
	ADVANCE_LOC4,
	OFFSET_EXTENDED,
	RESTORE_EXTENDED,
	UNDEFINED,
	SAME_VALUE,
	IN_REGISTER,
	REMEMBER_STATE,
	RESTORE_STATE,
	DEF_CFA,
	DEF_CFA_REGISTER,
	DEF_CFA_OFFSET,
	DEF_CFA_EXPRESSION,
	EXPRESSION,
	OFFSET_EXTENDED_SF,
	DEF_CFA_SF,
	DEF_CFA_OFFSET_SF,
	VAL_OFFSET,
	VAL_OFFSET_SF,
	VAL_EXPRESSION,
	MIPS_ADVANCE_LOC8 = 0x1d,
	GNU_ARGS_SIZE = 0x2e,
	GNU_NEGATIVE_OFFSET_EXTENDED,
};

struct program {
	struct cursor *c;
	const struct cie *cie;
	const struct cfi_state *initial; /* NULL while it is being made */
	const struct cfi_visitor *visitor;
	uint64_t at, end;
	unsigned int remembered;
	struct cfi_state state;
	struct cfi_state stack[CFI_REMEMBER_MAX];
};

/* What ends a program early, besides what a visitor returns (negative). */
#define FINISHED  1 /* the end of the function is reached */
#define SENSELESS 2

static uint8_t short_register(uint64_t reg)
{
	return reg < UINT8_MAX ? (uint8_t)reg : UINT8_MAX;
}

/* Registers that we do not keep are read and forgotten. */
static void set(struct program *p, uint64_t reg, struct cfi_rule rule)
{
	if (reg < CFI_REGISTERS)
		p->state.reg[reg] = rule;
}

static void set_offset(struct program *p, uint64_t reg, enum cfi_kind kind, uint64_t factored)
{
	set(p, reg,
	    (struct cfi_rule){.kind = (uint8_t)kind,
			      .offset = (int64_t)(factored * (uint64_t)p->cie->data_align)});
}

static void set_plain(struct program *p, uint64_t reg, enum cfi_kind kind)
{
	set(p, reg, (struct cfi_rule){.kind = (uint8_t)kind});
}

static void set_register(struct program *p)
{
	uint64_t reg = cursor__uleb(p->c);

	set(p, reg,
	    (struct cfi_rule){.kind = CFI_REGISTER, .reg = short_register(cursor__uleb(p->c))});
}

static struct cfi_rule take_expression(struct program *p, enum cfi_kind kind)
{
	uint64_t length = cursor__uleb(p->c);
	const uint8_t *bytes = cursor__bytes(p->c, length);

	if (!bytes || length > UINT32_MAX)
		return (struct cfi_rule){.kind = CFI_UNSPECIFIED};
	return (struct cfi_rule){
		.kind = (uint8_t)kind, .length = (uint32_t)length, .expression = bytes};
}

static void set_expression(struct program *p, enum cfi_kind kind)
{
	uint64_t reg = cursor__uleb(p->c);

	set(p, reg, take_expression(p, kind));
}

static int restore(struct program *p, uint64_t reg)
{
	if (!p->initial)
		return SENSELESS;
	if (reg < CFI_REGISTERS)
		p->state.reg[reg] = p->initial->reg[reg];
	return 0;
}

/* Word by word: for a struct of this size GCC takes `rep movs`, slow to start and here often. */
static void copy_state(struct cfi_state *to, const struct cfi_state *from)
{
	typedef uint64_t pair __attribute__((vector_size(16), may_alias, aligned(8)));
	const pair *source = (const pair *)from;
	pair *target = (pair *)to;

	_Static_assert(sizeof(*to) % sizeof(pair) == 0, "copied whole");
#pragma GCC unroll 19
	for (size_t i = 0; i < sizeof(*to) / sizeof(pair); i++)
		target[i] = source[i];
}

static int remember_state(struct program *p)
{
	if (p->remembered == CFI_REMEMBER_MAX)
		return SENSELESS;
	copy_state(&p->stack[p->remembered++], &p->state);
	return 0;
}

static int restore_state(struct program *p)
{
	if (!p->remembered)
		return SENSELESS;
	copy_state(&p->state, &p->stack[--p->remembered]);
	return 0;
}

static void define_cfa(struct program *p, uint64_t reg, uint64_t offset)
{
	p->state.plain_cfa = (struct cfi_rule){
		.kind = CFI_REGISTER, .reg = short_register(reg), .offset = (int64_t)offset};
	p->state.cfa = p->state.plain_cfa;
}

/*
 * Only the register or only the offset. Behind an expression, where DWARF forbids both, assembly of
 * libgcrypt relies on what libgcc's unwinder does: the register ends the expression and goes with
 * the last offset, an offset alone waits for that.
 */
static int change_cfa_register(struct program *p, uint64_t reg)
{
	if (p->state.plain_cfa.kind != CFI_REGISTER)
		return SENSELESS;
	p->state.plain_cfa.reg = short_register(reg);
	p->state.cfa = p->state.plain_cfa;
	return 0;
}

static int change_cfa_offset(struct program *p, uint64_t offset)
{
	if (p->state.plain_cfa.kind != CFI_REGISTER)
		return SENSELESS;
	p->state.plain_cfa.offset = (int64_t)offset;
	if (p->state.cfa.kind == CFI_REGISTER)
		p->state.cfa = p->state.plain_cfa;
	return 0;
}

static int show_row(struct program *p, uint64_t end)
{
	struct cfi_row row = {
		.start = p->at, .end = end, .state = &p->state, .is_signal = p->cie->is_signal};

	return p->visitor->row(p->visitor->arg, &row);
}

static int move_to(struct program *p, uint64_t to)
{
	bool finished = to >= p->end;
	int err;

	if (!p->initial || to < p->at || p->c->bad)
		return SENSELESS;
	if (to == p->at)
		return 0;
	err = show_row(p, finished ? p->end : to);
	p->at = to;
	return err < 0 ? err : finished ? FINISHED : 0;
}

static int advance(struct program *p, uint64_t delta)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(delta, p->cie->code_align, &bytes) ||
	    __builtin_add_overflow(p->at, bytes, &bytes))
		return SENSELESS;
	return move_to(p, bytes);
}

/* How the CFA is found, from here on. */
static int run_cfa(struct program *p, uint8_t opcode)
{
	uint64_t align = (uint64_t)p->cie->data_align, reg;

	switch (opcode) {
	case DEF_CFA:
		reg = cursor__uleb(p->c);
		define_cfa(p, reg, cursor__uleb(p->c));
		return 0;
	case DEF_CFA_SF:
		reg = cursor__uleb(p->c);
		define_cfa(p, reg, (uint64_t)cursor__sleb(p->c) * align);
		return 0;
	case DEF_CFA_REGISTER:
		return change_cfa_register(p, cursor__uleb(p->c));
	case DEF_CFA_OFFSET:
		return change_cfa_offset(p, cursor__uleb(p->c));
	case DEF_CFA_OFFSET_SF:
		return change_cfa_offset(p, (uint64_t)cursor__sleb(p->c) * align);
	case DEF_CFA_EXPRESSION:
		p->state.cfa = take_expression(p, CFI_IS_EXPRESSION);
		return 0;
	default:
		return SENSELESS;
	}
}

static int run_location(struct program *p, uint8_t opcode)
{
	switch (opcode) {
	case SET_LOC:
		return move_to(p, cursor__address(p->c, p->cie->code_encoding));
	case ADVANCE_LOC1:
		return advance(p, cursor__byte(p->c));
	case ADVANCE_LOC2:
		return advance(p, cursor__number(p->c, 2));
	case ADVANCE_LOC4:
		return advance(p, cursor__number(p->c, 4));
	case MIPS_ADVANCE_LOC8:
		return advance(p, cursor__number(p->c, 8));
	default:
		return run_cfa(p, opcode);
	}
}

static int run_extended(struct program *p, uint8_t opcode)
{
	uint64_t reg;

	switch (opcode) {
	case NOP:
		return 0;
	case OFFSET_EXTENDED:
		reg = cursor__uleb(p->c);
		set_offset(p, reg, CFI_AT_CFA, cursor__uleb(p->c));
		return 0;
	case OFFSET_EXTENDED_SF:
		reg = cursor__uleb(p->c);
		set_offset(p, reg, CFI_AT_CFA, (uint64_t)cursor__sleb(p->c));
		return 0;
	case GNU_NEGATIVE_OFFSET_EXTENDED:
		reg = cursor__uleb(p->c);
		set_offset(p, reg, CFI_AT_CFA, 0 - cursor__uleb(p->c));
		return 0;
	case VAL_OFFSET:
		reg = cursor__uleb(p->c);
		set_offset(p, reg, CFI_CFA_PLUS, cursor__uleb(p->c));
		return 0;
	case VAL_OFFSET_SF:
		reg = cursor__uleb(p->c);
		set_offset(p, reg, CFI_CFA_PLUS, (uint64_t)cursor__sleb(p->c));
		return 0;
	case RESTORE_EXTENDED:
		return restore(p, cursor__uleb(p->c));
	case UNDEFINED:
		set_plain(p, cursor__uleb(p->c), CFI_UNDEFINED);
		return 0;
	case SAME_VALUE:
		set_plain(p, cursor__uleb(p->c), CFI_SAME);
		return 0;
	case IN_REGISTER:
		set_register(p);
		return 0;
	case EXPRESSION:
		set_expression(p, CFI_AT_EXPRESSION);
		return 0;
	case VAL_EXPRESSION:
		set_expression(p, CFI_IS_EXPRESSION);
		return 0;
	case REMEMBER_STATE:
		return remember_state(p);
	case RESTORE_STATE:
		return restore_state(p);
	case GNU_ARGS_SIZE: /* arguments on the stack are in the CFA's offset already */
		cursor__uleb(p->c);
		return 0;
	default:
		return run_location(p, opcode);
	}
}

static int run(struct program *p)
{
	int stop = 0;

	while (!stop && p->c->pos < p->c->len) {
		uint8_t opcode = p->c->data[p->c->pos++], operand = opcode & 0x3f;

		if (opcode == NOP) /* entries are filled up with them */
			continue;
		switch (opcode & 0xc0) {
		case ADVANCE_LOC:
			stop = advance(p, operand);
			break;
		case OFFSET:
			set_offset(p, operand, CFI_AT_CFA, cursor__uleb(p->c));
			break;
		case RESTORE:
			stop = restore(p, operand);
			break;
		default:
			stop = run_extended(p, opcode);
		}
		if (p->c->bad && !stop)
			stop = SENSELESS;
	}
	return stop;
}

int cfi_program__initial(const struct cie *cie, struct cursor *instructions,
			 struct cfi_state *state)
{
	struct program p;

	p.c = instructions;
	p.cie = cie;
	p.initial = NULL;
	p.remembered = 0;
	memset(&p.state, 0, sizeof(p.state));
	if (run(&p))
		return -EINVAL;
	*state = p.state;
	return 0;
}

int cfi_program__run(const struct cie *cie, const struct cfi_state *initial,
		     struct cursor *instructions, uint64_t start, uint64_t end,
		     const struct cfi_visitor *visitor)
{
	struct program p; /* its stack is large and read only where it was written */
	int stop;

	p.c = instructions;
	p.cie = cie;
	p.initial = initial;
	p.visitor = visitor;
	p.at = start;
	p.end = end;
	p.remembered = 0;
	copy_state(&p.state, initial);
	stop = run(&p);
	if (!stop)
		stop = show_row(&p, end);
	if (stop == SENSELESS)
		return 1;
	return stop < 0 ? stop : 0;
}
