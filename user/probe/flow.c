// SPDX-License-Identifier: BSD-2-Clause
#include "probe/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX (1000 * 1000)

enum mark {
	MARK_INSIDE = 1, /* behind the first byte of an instruction reached */
	MARK_QUEUED = 2,
	MARK_NO_RETURN = 4, /* the call here does not come back */
};

struct flow_place {
	struct registers registers;
	uint32_t behind; /* 1 + position of the call whose return alone leads here; 0 = sure */
};

/* Looks for the bytes of "mov %rsp,%reg". */
static uint16_t find_rsp_copies(const struct flow_part *part)
{
	uint16_t copies = 0;

	for (size_t i = 0; i + 2 < part->len; i++) {
		const uint8_t *c = part->code + i;

		if ((c[0] == 0x48 || c[0] == 0x49) && c[1] == 0x89 && (c[2] & 0xf8) == 0xe0)
			copies |= GPR_BIT((c[2] & 7) | (c[0] & 1 ? 8 : 0));
	}
	return copies;
}

int flow__init(struct flow *flow, const struct flow_part *parts, size_t n)
{
	memset(flow, 0, sizeof(*flow));
	if (!n || !parts[0].len)
		return -EINVAL;
	if (n > FLOW_PARTS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len > FLOW_BYTES_MAX - flow->size)
			return -E2BIG;
		if (parts[i].vaddr + parts[i].len < parts[i].vaddr)
			return -EINVAL;
		flow->base[i] = flow->size;
		flow->size += parts[i].len;
		flow->rsp_copies |= find_rsp_copies(&parts[i]);
	}
	flow->base[n] = flow->size;
	flow->parts = parts;
	flow->part_count = n;
	flow->place_of = calloc(flow->size, sizeof(flow->place_of[0]));
	flow->marks = calloc(flow->size, sizeof(flow->marks[0]));
	return flow->place_of && flow->marks ? 0 : -ENOMEM;
}

void flow__free(struct flow *flow)
{
	free(flow->place_of);
	free(flow->marks);
	vec_free(&flow->places);
	vec_free(&flow->queue);
	memset(flow, 0, sizeof(*flow));
}

void flow__restart(struct flow *flow)
{
	memset(flow->place_of, 0, flow->size * sizeof(flow->place_of[0]));
	for (size_t i = 0; i < flow->size; i++)
		flow->marks[i] &= MARK_NO_RETURN;
	flow->places.len = 0;
	flow->queue.len = 0;
	flow->contradiction = false;
}

static size_t part_of(const struct flow *flow, size_t position)
{
	size_t part = 0;

	while (position >= flow->base[part + 1])
		part++;
	return part;
}

size_t flow__part_end(const struct flow *flow, size_t position)
{
	return flow->base[part_of(flow, position) + 1];
}

uint64_t flow__vaddr(const struct flow *flow, size_t position)
{
	size_t part = part_of(flow, position);

	return flow->parts[part].vaddr + (position - flow->base[part]);
}

int64_t flow__from_entry(const struct flow *flow, size_t position)
{
	return (int64_t)(flow__vaddr(flow, position) - flow->parts[0].vaddr);
}

bool flow__position(const struct flow *flow, uint64_t vaddr, size_t *position)
{
	for (size_t i = 0; i < flow->part_count; i++) {
		uint64_t offset = vaddr - flow->parts[i].vaddr;

		if (offset < flow->parts[i].len) {
			*position = flow->base[i] + offset;
			return true;
		}
	}
	return false;
}

const uint8_t *flow__code(const struct flow *flow, size_t position)
{
	size_t part = part_of(flow, position);

	return flow->parts[part].code + (position - flow->base[part]);
}

int flow__decode(const struct flow *flow, size_t position, struct insn *insn)
{
	return insn_decode(flow__code(flow, position), flow__part_end(flow, position) - position,
			   insn);
}

const struct registers *flow__registers(const struct flow *flow, size_t position)
{
	uint32_t place = flow->place_of[position];

	return place ? &flow->places.data[place - 1].registers : NULL;
}

bool flow__covers(const struct flow *flow, size_t position)
{
	return flow->place_of[position] || (flow->marks[position] & MARK_INSIDE);
}

static int enqueue(struct flow *flow, size_t position)
{
	uint32_t *slot;

	if (flow->marks[position] & MARK_QUEUED)
		return 0;
	slot = vec_push(&flow->queue);
	if (!slot)
		return -ENOMEM;
	*slot = (uint32_t)position;
	flow->marks[position] |= MARK_QUEUED;
	return 0;
}

static int refuse(struct flow *flow, const char *why)
{
	flow->refused = why;
	return -ENOTSUP;
}

static bool disagree_on_stack(const struct registers *a, const struct registers *b)
{
	const struct value *left = &a->value[GPR_RSP], *right = &b->value[GPR_RSP];

	return left->kind == VALUE_STACK && right->kind == VALUE_STACK && left->n != right->n;
}

static int add_place(struct flow *flow, size_t position, const struct registers *registers,
		     uint32_t behind)
{
	struct flow_place *place = vec_push(&flow->places);

	if (!place)
		return -ENOMEM;
	place->registers = *registers;
	place->behind = behind;
	flow->place_of[position] = (uint32_t)flow->places.len;
	return enqueue(flow, position);
}

/* The walk comes to `position`; `behind` as in struct flow_place. */
static int arrive(struct flow *flow, size_t position, const struct registers *registers,
		  uint32_t behind)
{
	uint32_t known = flow->place_of[position];
	struct flow_place *place;

	if (!known)
		return add_place(flow, position, registers, behind);
	place = &flow->places.data[known - 1];
	if (disagree_on_stack(&place->registers, registers)) {
		if (behind) {
			flow->marks[behind - 1] |= MARK_NO_RETURN;
			return 0;
		}
		if (place->behind) {
			flow->marks[place->behind - 1] |= MARK_NO_RETURN;
			flow->contradiction = true;
			return -EAGAIN;
		}
	}
	if (!behind)
		place->behind = 0;
	return registers__meet(&place->registers, registers) ? enqueue(flow, position) : 0;
}

int flow__start(struct flow *flow, size_t position, const struct registers *registers)
{
	return flow->place_of[position] ? 0 : add_place(flow, position, registers, 0);
}

static int follow_branch(struct flow *flow, size_t position, const struct insn *insn,
			 struct registers after)
{
	size_t target;

	registers__branch(&after, insn, true);
	if (!flow__position(flow, flow__vaddr(flow, position) + (uint64_t)insn->target, &target))
		return insn->kind == INSN_LOOP || insn->kind == INSN_XBEGIN
			       ? refuse(flow, "a branch leaves it that cannot be probed")
			       : 0; /* a way out */
	return arrive(flow, target, &after, 0);
}

/*
 * Instructions that may be the last thing a function does without being a way out: a call of
 * abort(), the system call exit, a breakpoint.
 */
static bool may_not_return(const struct insn *insn)
{
	return insn->kind == INSN_CALL || insn->kind == INSN_CALL_INDIRECT ||
	       insn->kind == INSN_SYSCALL ||
	       (insn->kind == INSN_TRAP && insn->map == MAP_1BYTE &&
		(insn->opcode == 0xcc || insn->opcode == 0xcd));
}

static int fall_through(struct flow *flow, size_t position, const struct insn *insn,
			struct registers *after)
{
	size_t next = position + insn->length;
	uint32_t behind = 0;

	if (may_not_return(insn)) {
		behind = (uint32_t)position + 1;
		if (flow->marks[position] & MARK_NO_RETURN)
			return 0;
	} else if (insn->kind == INSN_NOP) {
		behind = flow->places.data[flow->place_of[position] - 1].behind;
	}
	if (next >= flow__part_end(flow, position))
		return behind ? 0 : refuse(flow, "it runs on into the next function");
	registers__branch(after, insn, false);
	return arrive(flow, next, after, behind);
}

/* An instruction and a branch into its middle: only past a lock prefix, as glibc has it. */
static int mark_bytes(struct flow *flow, size_t position, const struct insn *insn)
{
	if ((flow->marks[position] & MARK_INSIDE) && !(position && flow->place_of[position - 1]))
		return refuse(flow, "its instructions overlap");
	for (size_t i = 1; i < insn->length; i++) {
		if (flow->place_of[position + i] && !(i == 1 && (insn->prefixes & PREFIX_LOCK)))
			return refuse(flow, "its instructions overlap");
		flow->marks[position + i] |= MARK_INSIDE;
	}
	return 0;
}

/* mov %reg,%rsp with a register that some "mov %rsp,%reg" of the function has filled. */
static bool restores_rsp(const struct flow *flow, const struct insn *i)
{
	return i->form == FORM_LEGACY && i->map == MAP_1BYTE && i->opcode == 0x89 &&
	       (i->modrm & 0xc7) == (0xc0 | GPR_RSP) && (i->rex & 0x0b) == 0x08 &&
	       (flow->rsp_copies & GPR_BIT(((i->modrm >> 3) & 7) | (i->rex & 4 ? 8 : 0)));
}

static int check_stack(struct flow *flow, const struct insn *insn, struct registers *after)
{
	struct value *rsp = &after->value[GPR_RSP];

	/* Which value the copy has was lost where branches met, but it is a copy. */
	if (rsp->kind == VALUE_UNKNOWN && restores_rsp(flow, insn))
		*rsp = (struct value){.kind = VALUE_FRAME};

	if (rsp->kind != VALUE_STACK && rsp->kind != VALUE_FRAME)
		return refuse(flow, "it switches to another stack");
	if (rsp->kind == VALUE_STACK && rsp->n > 0)
		return refuse(flow, "it takes its return address off the stack");
	return 0;
}

/* A call into the function's own middle: a trick to learn the address, or a retpoline. */
static bool calls_itself(const struct flow *flow, size_t position, const struct insn *insn)
{
	size_t target;

	return insn->kind == INSN_CALL &&
	       flow__position(flow, flow__vaddr(flow, position) + (uint64_t)insn->target,
			      &target) &&
	       target;
}

static int visit(struct flow *flow, size_t position)
{
	struct registers after = *flow__registers(flow, position);
	struct insn insn;
	int err;

	if (flow->steps++ > STEPS_MAX)
		return refuse(flow, "it is too complicated");
	if (flow__decode(flow, position, &insn))
		return refuse(flow, "it has bytes that are not understood");
	err = mark_bytes(flow, position, &insn);
	if (err)
		return err;
	if (calls_itself(flow, position, &insn))
		return refuse(flow, "it calls into its own middle");
	if (insn.kind == INSN_RET || insn.kind == INSN_JMP_INDIRECT)
		return 0;
	if (insn.kind == INSN_TRAP && !may_not_return(&insn))
		return 0;
	registers__step(&after, &insn, flow__from_entry(flow, position));
	err = check_stack(flow, &insn, &after);
	if (!err && insn.relative && insn.kind != INSN_CALL)
		err = follow_branch(flow, position, &insn, after);
	if (!err && insn.kind != INSN_JMP)
		err = fall_through(flow, position, &insn, &after);
	return err;
}

int flow__run(struct flow *flow)
{
	int err = 0;

	while (!err && flow->queue.len) {
		size_t position = flow->queue.data[--flow->queue.len];

		flow->marks[position] &= (uint8_t)~MARK_QUEUED;
		err = visit(flow, position);
	}
	return err;
}
