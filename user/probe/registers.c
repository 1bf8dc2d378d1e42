// SPDX-License-Identifier: BSD-2-Clause
#include "probe/registers.h"

#include <string.h>

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

/* Low half of the opcode of conditional jumps. */
#define CONDITION_AE 3
#define CONDITION_NE 5
#define CONDITION_BE 6
#define CONDITION_A  7

/* Preserved by every function that is called. */
#define CALLEE_SAVED                                                                          \
	(GPR_BIT(GPR_RSP) | GPR_BIT(GPR_RBP) | GPR_BIT(GPR_RBX) | GPR_BIT(12) | GPR_BIT(13) | \
	 GPR_BIT(14) | GPR_BIT(15))

static const struct value unknown = {.kind = VALUE_UNKNOWN}, frame = {.kind = VALUE_FRAME},
			  foreign = {.kind = VALUE_FOREIGN};

/* A memory operand; registers by number, -1 = none. */
struct memory {
	int base, index;
	unsigned int scale;
	int32_t disp;
	bool rip, thread_local;
};

static unsigned int reg_of(const struct insn *i)
{
	return ((i->modrm >> 3) & 7) | (i->rex & REX_R ? 8 : 0);
}

static unsigned int rm_of(const struct insn *i)
{
	return (i->modrm & 7) | (i->rex & REX_B ? 8 : 0);
}

static bool is_memory(const struct insn *i)
{
	return i->has_modrm && i->modrm < 0xc0;
}

static struct memory memory_of(const struct insn *i)
{
	struct memory m = {.base = -1, .index = -1, .scale = 1, .disp = i->disp};
	uint8_t mod = i->modrm >> 6, rm = i->modrm & 7;

	m.thread_local = i->prefixes & PREFIX_FS_GS;
	if (rm == 4) {
		int index = ((i->sib >> 3) & 7) | (i->rex & REX_X ? 8 : 0);

		m.index = index == 4 ? -1 : index;
		m.scale = 1U << (i->sib >> 6);
		if ((i->sib & 7) != 5 || mod)
			m.base = (i->sib & 7) | (i->rex & REX_B ? 8 : 0);
	} else if (rm == 5 && !mod) {
		m.rip = true;
	} else {
		m.base = (int)rm_of(i);
	}
	return m;
}

/* Stack addresses survive any sum, though not as exact ones; others only if they fit. */
static struct value plus(struct value v, int64_t n)
{
	int64_t sum = v.n + n;

	if (v.kind == VALUE_FRAME)
		return frame;
	if (v.kind != VALUE_STACK && v.kind != VALUE_ADDRESS)
		return unknown;
	if (sum < INT32_MIN || sum > INT32_MAX)
		return v.kind == VALUE_STACK ? frame : unknown;
	v.n = (int32_t)sum;
	return v;
}

static bool is_stack(struct value v)
{
	return v.kind == VALUE_STACK || v.kind == VALUE_FRAME;
}

static struct value address(int64_t n)
{
	return plus((struct value){.kind = VALUE_ADDRESS}, n);
}

/* Sum of two registers. */
static struct value sum(struct value a, struct value b)
{
	if (b.kind == VALUE_ELEMENT) {
		struct value swap = a;

		a = b;
		b = swap;
	}
	if (a.kind != VALUE_ELEMENT)
		return is_stack(a) || is_stack(b) ? frame : unknown;
	/* Relative to the table, or in hand-made ones to a label. */
	if (b.kind != VALUE_ADDRESS || a.n != b.n)
		a.n = a.count = 0;
	a.kind = VALUE_LABEL;
	return a;
}

void registers__at_entry(struct registers *r)
{
	memset(r, 0, sizeof(*r));
	for (unsigned int reg = 0; reg < 16; reg++)
		r->value[reg] = foreign;
	r->value[GPR_RSP] = (struct value){.kind = VALUE_STACK};
}

static struct value effective_address(const struct registers *r, const struct insn *i, int64_t at)
{
	struct memory m = memory_of(i);

	if (m.thread_local)
		return unknown;
	if (m.rip)
		return address(at + i->length + m.disp);
	if (m.base < 0)
		return unknown;
	if (m.index < 0)
		return plus(r->value[m.base], m.disp);
	if (m.scale != 1 || m.disp)
		return is_stack(r->value[m.base]) ? frame : unknown;
	return sum(r->value[m.base], r->value[m.index]);
}

/* How many elements an indexed table has. */
static uint16_t count_of(const struct registers *r, const struct memory *m)
{
	const struct value *index = m->index < 0 ? &unknown : &r->value[m->index];

	return index->kind == VALUE_INDEX ? index->count : 0;
}

/* A 64-bit load: an element of a table, a slot of the own frame, or anything else. */
static struct value load(const struct registers *r, const struct insn *i, int64_t at)
{
	struct memory m = memory_of(i);
	struct value base = m.base < 0 ? unknown : r->value[m.base], table;

	if (m.thread_local)
		return unknown;
	if (m.index < 0)
		return is_stack(base) ? frame : foreign;
	if (m.scale != 8)
		return foreign;
	table = m.base < 0 ? (struct value){.kind = VALUE_FIXED, .n = m.disp} : plus(base, m.disp);
	if (table.kind == VALUE_ADDRESS)
		table.kind = VALUE_POINTER;
	else if (table.kind != VALUE_FIXED)
		return unknown;
	table.count = count_of(r, &m);
	return table;
}

/*
 * movslq of an element. Where the index is a constant, compilers read the element directly. An
 * array whose address is not known here counts as well.
 */
static struct value load_element(const struct registers *r, const struct insn *i, int64_t at)
{
	struct memory m = memory_of(i);
	struct value table = unknown;

	if (m.thread_local || (!m.rip && (m.base < 0 || m.index < 0 || m.scale != 4)))
		return unknown;
	if (m.rip)
		table = effective_address(r, i, at);
	else
		table = plus(r->value[m.base], m.disp);
	if (table.kind != VALUE_ADDRESS)
		return (struct value){.kind = VALUE_ELEMENT};
	return (struct value){
		.kind = VALUE_ELEMENT, .n = table.n, .count = m.rip ? 1 : count_of(r, &m)};
}

static struct value source(const struct registers *r, const struct insn *i, int64_t at)
{
	return is_memory(i) ? load(r, i, at) : r->value[rm_of(i)];
}

static void move_rsp(struct registers *r, int64_t bytes)
{
	r->value[GPR_RSP] = plus(r->value[GPR_RSP], bytes);
}

static void step_pop(struct registers *r, unsigned int reg)
{
	move_rsp(r, 8);
	/* r10 holds the frame of functions that align their stack, others are the caller's. */
	r->value[reg] = reg == 10 ? frame : reg == GPR_RSP ? unknown : foreign;
}

/* Instructions that only move rsp, or restore it. False: not one of them. */
static bool step_stack(struct registers *r, const struct insn *i)
{
	unsigned int extension = (i->modrm >> 3) & 7;
	bool narrow = i->prefixes & PREFIX_66;

	switch (i->map == MAP_1BYTE ? i->opcode : 0x100 | i->opcode) {
	case 0x50 ... 0x57:
	case 0x68:
	case 0x6a:
	case 0x9c:
	case 0x1a0:
	case 0x1a8: /* push */
		move_rsp(r, narrow ? -2 : -8);
		return true;
	case 0xff:
		if (extension != 6)
			return false;
		move_rsp(r, narrow ? -2 : -8);
		return true;
	case 0x58 ... 0x5f:
		step_pop(r, (i->opcode & 7) | (i->rex & REX_B ? 8 : 0));
		return true;
	case 0x8f:
		if (is_memory(i))
			move_rsp(r, 8);
		else
			step_pop(r, rm_of(i));
		return true;
	case 0x9d:
	case 0x1a1:
	case 0x1a9: /* popf, pop %fs, pop %gs */
		move_rsp(r, narrow ? 2 : 8);
		return true;
	case 0xc8: /* enter */
		move_rsp(r, -8);
		r->value[GPR_RBP] = r->value[GPR_RSP];
		r->value[GPR_RSP] = frame;
		return true;
	case 0xc9: /* leave */
		r->value[GPR_RSP] = plus(r->value[GPR_RBP], 8);
		r->value[GPR_RBP] = unknown;
		return true;
	default:
		return false;
	}
}

/* add, sub, and of a 64-bit register. */
static bool step_sum(struct registers *r, const struct insn *i)
{
	struct value *to = &r->value[rm_of(i)];
	unsigned int extension = (i->modrm >> 3) & 7;

	switch (i->opcode) {
	case 0x01: /* add reg, rm */
		*to = sum(*to, r->value[reg_of(i)]);
		return true;
	case 0x03: /* add rm, reg */
		to = &r->value[reg_of(i)];
		*to = is_memory(i) ? (is_stack(*to) ? frame : unknown)
				   : sum(*to, r->value[rm_of(i)]);
		return true;
	case 0x21: /* and reg, rm */
	case 0x29: /* sub reg, rm */
		*to = is_stack(*to) ? frame : unknown;
		return true;
	case 0x23:
	case 0x2b: /* sub rm, reg */
		to = &r->value[reg_of(i)];
		*to = is_stack(*to) ? frame : unknown;
		return true;
	case 0x81:
	case 0x83:
		if (extension == 0 || extension == 5)
			*to = plus(*to, extension ? -(int64_t)i->imm : i->imm);
		else if (extension == 4)
			*to = is_stack(*to) ? frame : unknown;
		else if (extension != 7)
			*to = unknown;
		return true;
	default:
		return false;
	}
}

/* 64-bit moves. */
static bool step_move(struct registers *r, const struct insn *i, int64_t at)
{
	switch (i->opcode) {
	case 0x89:
		r->value[rm_of(i)] = r->value[reg_of(i)];
		return true;
	case 0x8b:
		r->value[reg_of(i)] = source(r, i, at);
		return true;
	case 0x8d:
		r->value[reg_of(i)] = effective_address(r, i, at);
		return true;
	case 0x63: /* movslq */
		r->value[reg_of(i)] = is_memory(i) ? load_element(r, i, at) : unknown;
		return true;
	default:
		return false;
	}
}

/* Copies of an index: mov of 32 bits, movzbl, movzwl, movslq, cltq. */
static bool step_index(struct registers *r, const struct insn *i)
{
	unsigned int to = reg_of(i), from = rm_of(i), opcode = i->opcode;
	bool byte = false;

	if (i->map == MAP_1BYTE && opcode == 0x98)
		return r->value[GPR_RAX].kind == VALUE_INDEX;
	if (!i->has_modrm || is_memory(i))
		return false;
	if (i->map == MAP_1BYTE && opcode == 0x89) {
		to = rm_of(i);
		from = reg_of(i);
	} else if (i->map == MAP_0F && (opcode == 0xb6 || opcode == 0xb7)) {
		byte = opcode == 0xb6;
	} else if (i->map != MAP_1BYTE || (opcode != 0x8b && opcode != 0x63)) {
		return false;
	}
	if ((byte && !i->rex && from >= 4) || r->value[from].kind != VALUE_INDEX)
		return false;
	r->value[to] = r->value[from];
	return true;
}

/* cmp of a register with a small constant. */
static struct comparison compared_with_limit(const struct insn *i)
{
	struct comparison c = {.limit = (uint16_t)i->imm};
	unsigned int opcode = i->opcode;

	if (i->form != FORM_LEGACY || i->map != MAP_1BYTE || i->imm < 0 || i->imm >= UINT16_MAX)
		return c;
	if (opcode == 0x80 || opcode == 0x81 || opcode == 0x83) {
		c.valid = ((i->modrm >> 3) & 7) == 7 && !is_memory(i) &&
			  (opcode != 0x80 || i->rex || rm_of(i) < 4);
		c.reg = (uint8_t)rm_of(i);
	} else {
		c.valid = opcode == 0x3c || opcode == 0x3d;
		c.reg = GPR_RAX;
	}
	return c;
}

/* cmp of rsp with another register, as loops that probe the stack have it. */
static uint8_t compared_with_rsp(const struct insn *i)
{
	if (i->map != MAP_1BYTE || (i->opcode != 0x39 && i->opcode != 0x3b) || is_memory(i) ||
	    !(i->rex & REX_W))
		return 0;
	if (rm_of(i) == GPR_RSP)
		return (uint8_t)(1 + reg_of(i));
	return reg_of(i) == GPR_RSP ? (uint8_t)(1 + rm_of(i)) : 0;
}

static void forget(struct registers *r, uint16_t bits)
{
	for (unsigned int reg = 0; reg < 16; reg++)
		if (bits & GPR_BIT(reg))
			r->value[reg] = unknown;
}

void registers__step(struct registers *r, const struct insn *i, int64_t at)
{
	bool plain = i->form == FORM_LEGACY && i->map == MAP_1BYTE, wide = i->rex & REX_W;

	if (i->kind == INSN_JCC || i->kind == INSN_NOP)
		return;
	r->compared = i->form == FORM_LEGACY ? compared_with_rsp(i) : 0;
	r->limited = compared_with_limit(i);
	if (i->kind == INSN_CALL || i->kind == INSN_CALL_INDIRECT) {
		forget(r, GPR_ALL & ~CALLEE_SAVED);
		r->value[GPR_RAX] = foreign;
		return;
	}
	if (i->form == FORM_LEGACY && i->map <= MAP_0F && step_stack(r, i))
		return;
	if (i->form == FORM_LEGACY && step_index(r, i))
		return;
	/* What writes memory (89, 01, 81 and their kin) writes no register. */
	if (plain && wide && i->writes && (step_move(r, i, at) || step_sum(r, i)))
		return;
	forget(r, i->writes == GPR_ALL ? GPR_ALL & ~CALLEE_SAVED : i->writes);
}

static void prove_index(struct registers *r, unsigned int condition, bool taken)
{
	struct value *v = &r->value[r->limited.reg];
	unsigned int count = 0;

	if (condition == (taken ? CONDITION_BE : CONDITION_A))
		count = r->limited.limit + 1U;
	else if (condition == CONDITION_AE && !taken)
		count = r->limited.limit;
	if (count &&
	    (v->kind == VALUE_UNKNOWN || v->kind == VALUE_FOREIGN || v->kind == VALUE_INDEX))
		*v = (struct value){.kind = VALUE_INDEX, .count = (uint16_t)count};
}

void registers__branch(struct registers *r, const struct insn *i, bool taken)
{
	if (i->kind != INSN_JCC)
		return;
	/* Behind "cmp %r11,%rsp; jne", as loops that probe the stack end, rsp is what r11 is. */
	if (r->compared && !taken && (i->opcode & 15) == CONDITION_NE &&
	    r->value[r->compared - 1].kind == VALUE_STACK)
		r->value[GPR_RSP] = r->value[r->compared - 1];
	if (r->limited.valid)
		prove_index(r, i->opcode & 15, taken);
}

static bool same(struct value a, struct value b)
{
	return a.kind == b.kind && a.count == b.count && a.n == b.n;
}

static bool same_comparison(struct comparison a, struct comparison b)
{
	return a.valid == b.valid && a.reg == b.reg && a.limit == b.limit;
}

static struct value meet(struct value a, struct value b)
{
	if (same(a, b))
		return a;
	if (a.kind == b.kind && (a.kind == VALUE_ELEMENT || a.kind == VALUE_LABEL))
		return (struct value){.kind = a.kind};
	return is_stack(a) && is_stack(b) ? frame : unknown;
}

bool registers__meet(struct registers *r, const struct registers *other)
{
	bool changed = false;

	for (unsigned int reg = 0; reg < 16; reg++) {
		struct value v = meet(r->value[reg], other->value[reg]);

		changed |= !same(v, r->value[reg]);
		r->value[reg] = v;
	}
	if (r->compared != other->compared) {
		changed |= r->compared != 0;
		r->compared = 0;
	}
	if (!same_comparison(r->limited, other->limited)) {
		changed |= r->limited.valid;
		r->limited = (struct comparison){0};
	}
	return changed;
}

struct value registers__jump_source(const struct registers *r, const struct insn *i, int64_t at)
{
	return source(r, i, at);
}
