// SPDX-License-Identifier: BSD-2-Clause
#include "probe/exits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RESTARTS_MAX 200
#define TABLES_MAX   256 /* jump tables looked at */
#define WANTS_MAX    1024

/* An indirect jump: to a label of the function (switch, computed goto), or out of it? */
enum jump {
	JUMP_INSIDE,
	JUMP_OUT,
	JUMP_PERHAPS_OUT, /* rsp says it might be a tail call */
	JUMP_UNSURE,
};

struct search {
	const struct exits_function *function;
	struct flow flow;
	struct exits *out;
	bool swept; /* unreached code was taken for the targets of a jump table */
};

static int refuse(struct search *s, const char *why)
{
	s->out->refused = why;
	return -ENOTSUP;
}

static bool read_table(const struct search *s, uint64_t vaddr, void *element, size_t size)
{
	return s->function->read && !s->function->read(s->function->context, vaddr, element, size);
}

/* The address in the i-th element of a table; false: it cannot be read, or is yet to be filled. */
static bool table_element(const struct search *s, struct value table, uint32_t i, uint64_t *target)
{
	uint64_t vaddr = (uint64_t)(int64_t)table.n;
	int32_t distance;

	if (table.kind != VALUE_FIXED)
		vaddr += s->flow.parts[0].vaddr;
	if (table.kind != VALUE_LABEL)
		return read_table(s, vaddr + 8ULL * i, target, sizeof(*target)) && *target;
	if (!read_table(s, vaddr + 4ULL * i, &distance, sizeof(distance)))
		return false;
	*target = vaddr + (uint64_t)(int64_t)distance;
	return true;
}

/* Labels of the function, or functions? */
static enum jump judge_table(const struct search *s, struct value table)
{
	uint32_t count = table.count ? table.count : 1;
	uint64_t target;
	size_t position;
	bool read = false;

	for (uint32_t i = 0; i < count && table_element(s, table, i, &target); i++) {
		if (flow__position(&s->flow, target, &position))
			return JUMP_INSIDE;
		read = true;
	}
	return read ? JUMP_OUT : JUMP_UNSURE;
}

static enum jump judge_jump(const struct search *s, size_t position, const struct insn *insn)
{
	const struct registers *r = flow__registers(&s->flow, position);
	struct value rsp = r->value[GPR_RSP], source;

	source = registers__jump_source(r, insn, flow__from_entry(&s->flow, position));
	/* "notrack": to labels without endbr64, which only switches have. */
	if (source.kind == VALUE_LABEL || (insn->prefixes & PREFIX_SEGMENT))
		return JUMP_INSIDE;
	if (rsp.kind == VALUE_STACK && rsp.n)
		return JUMP_INSIDE;
	if (source.kind == VALUE_POINTER || source.kind == VALUE_FIXED)
		return judge_table(s, source);
	if (rsp.kind != VALUE_STACK)
		return JUMP_UNSURE;
	return source.kind == VALUE_FOREIGN || source.kind == VALUE_FRAME ? JUMP_OUT
									  : JUMP_PERHAPS_OUT;
}

static bool is_padding(const struct insn *insn)
{
	return insn->kind == INSN_NOP || (insn->map == MAP_1BYTE && insn->opcode == 0xcc);
}

/* The next code at or behind `at` that the walk has not reached, padding left out. */
static bool next_gap(const struct search *s, size_t at, size_t *gap)
{
	while (at < s->flow.size) {
		struct insn insn;

		if (flow__covers(&s->flow, at)) {
			at++;
		} else if (!flow__decode(&s->flow, at, &insn) && is_padding(&insn)) {
			at += insn.length;
		} else {
			*gap = at;
			return true;
		}
	}
	return false;
}

/* What all instructions that `wanted` picks have in common; false if there are none. */
static bool common_state(const struct search *s,
			 bool (*wanted)(const struct search *s, size_t position,
					const struct insn *insn),
			 struct registers *out)
{
	bool found = false;

	for (size_t at = 0; at < s->flow.size; at++) {
		const struct registers *r = flow__registers(&s->flow, at);
		struct registers after;
		struct insn insn;

		if (!r || flow__decode(&s->flow, at, &insn) || !wanted(s, at, &insn))
			continue;
		after = *r;
		registers__step(&after, &insn, flow__from_entry(&s->flow, at));
		if (found)
			registers__meet(out, &after);
		else
			*out = after;
		found = true;
	}
	return found;
}

static bool is_call(const struct search *s, size_t position, const struct insn *insn)
{
	return insn->kind == INSN_CALL || insn->kind == INSN_CALL_INDIRECT;
}

static bool is_inner_jump(const struct search *s, size_t position, const struct insn *insn)
{
	return insn->kind == INSN_JMP_INDIRECT && judge_jump(s, position, insn) == JUMP_INSIDE;
}

static int walk_from_entry(struct search *s)
{
	struct registers entry;
	int err;

	registers__at_entry(&entry);
	err = flow__start(&s->flow, 0, &entry);
	return err ? err : flow__run(&s->flow);
}

static int walk_from_landing_pads(struct search *s)
{
	struct registers at_calls;
	int err = 0;

	if (!common_state(s, is_call, &at_calls))
		return 0;
	for (size_t i = 0; !err && i < s->function->landing_pad_count; i++) {
		size_t position;

		if (flow__position(&s->flow, s->function->landing_pads[i], &position))
			err = flow__start(&s->flow, position, &at_calls);
	}
	return err ? err : flow__run(&s->flow);
}

/* Where labels are jumped to through tables, what was not reached otherwise is reached by them. */
static int sweep_gaps(struct search *s)
{
	struct registers at_jumps;
	size_t gap = 0;
	int err = 0;

	s->swept = common_state(s, is_inner_jump, &at_jumps);
	if (!s->swept)
		return 0;
	while (!err && next_gap(s, gap, &gap)) {
		err = flow__start(&s->flow, gap, &at_jumps);
		if (!err)
			err = flow__run(&s->flow);
	}
	return err;
}

static int walk(struct search *s)
{
	int err = -EAGAIN;

	for (int i = 0; err == -EAGAIN && i < RESTARTS_MAX; i++) {
		flow__restart(&s->flow);
		err = walk_from_entry(s);
		if (!err)
			err = walk_from_landing_pads(s);
		if (!err)
			err = sweep_gaps(s);
	}
	if (err == -EAGAIN)
		return refuse(s, "it is too complicated");
	return err == -ENOTSUP ? refuse(s, s->flow.refused) : err;
}

static int add_want(struct search *s, uint64_t vaddr, bool certain)
{
	struct exit_want *want;

	if (s->out->wants.len == WANTS_MAX)
		return 0;
	want = vec_push(&s->out->wants);
	if (!want)
		return -ENOMEM;
	*want = (struct exit_want){.vaddr = vaddr, .certain = certain};
	return 0;
}

typedef VEC(struct value) table_list;

static int list_tables(const struct search *s, table_list *tables)
{
	for (size_t at = 0; at < s->flow.size && tables->len < TABLES_MAX; at++) {
		const struct registers *r = flow__registers(&s->flow, at);
		struct value *slot, table;
		struct insn insn;

		if (!r || flow__decode(&s->flow, at, &insn) || !is_inner_jump(s, at, &insn))
			continue;
		table = registers__jump_source(r, &insn, flow__from_entry(&s->flow, at));
		if (!table.count)
			continue;
		slot = vec_push(tables);
		if (!slot)
			return -ENOMEM;
		*slot = table;
	}
	return 0;
}

/* The bound checked before a jump may exceed what the compiler knew: no further than the next. */
static uint32_t table_length(const table_list *tables, const struct value *table)
{
	int64_t size = table->kind == VALUE_LABEL ? 4 : 8, length = table->count;
	const struct value *other;

	vec_for_each (tables, other) {
		int64_t distance = (int64_t)other->n - table->n;

		if (distance > 0 && distance / size < length)
			length = distance / size;
	}
	return (uint32_t)length;
}

/*
 * Labels outside the known parts. Those with one inside behind them are surely of this table; the
 * rest may belong to what follows it.
 */
static int want_labels(struct search *s, const struct value *table, uint32_t length)
{
	uint32_t sure = 0;
	uint64_t target;
	size_t position;
	int err = 0;

	for (uint32_t i = 0; i < length && table_element(s, *table, i, &target); i++) {
		if (flow__position(&s->flow, target, &position))
			sure = i;
	}
	for (uint32_t i = 0; !err && i < sure && table_element(s, *table, i, &target); i++) {
		if (!flow__position(&s->flow, target, &position))
			err = add_want(s, target, true);
	}
	for (uint32_t i = sure + 1; !err && i < length && table_element(s, *table, i, &target); i++)
		err = add_want(s, target, false);
	return err;
}

static int want_from_tables(struct search *s)
{
	table_list tables = {0};
	const struct value *table;
	int err = list_tables(s, &tables);

	if (!s->function->read)
		tables.len = 0;
	vec_for_each (&tables, table) {
		if (!err)
			err = want_labels(s, table, table_length(&tables, table));
	}
	vec_free(&tables);
	return err;
}

static int add_site(struct search *s, size_t position, const struct insn *insn, enum exit_kind kind)
{
	const struct value *rsp = &flow__registers(&s->flow, position)->value[GPR_RSP];
	struct exit_site *site;

	if (insn->refused)
		return refuse(s, "uprobes refuse the instruction at one of its exits");
	if (s->out->sites.len == EXITS_MAX)
		return refuse(s, "it has too many exits");
	site = vec_push(&s->out->sites);
	if (!site)
		return -ENOMEM;
	site->offset = flow__from_entry(&s->flow, position);
	site->kind = kind;
	site->condition = kind == EXIT_TAIL_JCC ? insn->opcode & 15 : 0;
	site->emulated = insn->emulated;
	site->proven = rsp->kind == VALUE_STACK;
	site->target =
		insn->relative ? flow__vaddr(&s->flow, position) + (uint64_t)insn->target : 0;
	insn_describe(insn, flow__code(&s->flow, position), site->instruction,
		      sizeof(site->instruction));
	return 0;
}

static int collect_return(struct search *s, size_t position, const struct insn *insn)
{
	const struct value *rsp = &flow__registers(&s->flow, position)->value[GPR_RSP];

	if (insn->opcode == 0xca || insn->opcode == 0xcb)
		return refuse(s, "it has a far return");
	if (rsp->kind == VALUE_STACK && rsp->n)
		return refuse(s, "it returns to an address that it put on the stack");
	return add_site(s, position, insn, EXIT_RET);
}

/*
 * A jump out with the frame in place. To exactly the end of a part go jumps that are never taken:
 * a call that does not return was the last thing there, and the compiler left it at that.
 */
static int collect_crossing(struct search *s, uint64_t target)
{
	int err = add_want(s, target, false);

	if (err)
		return err;
	for (size_t i = 0; i < s->flow.part_count; i++) {
		if (target == s->flow.parts[i].vaddr + s->flow.parts[i].len)
			return 0;
	}
	s->out->refused = "it jumps elsewhere with its frame still in place";
	return 0;
}

static int collect_branch(struct search *s, size_t position, const struct insn *insn)
{
	const struct value *rsp = &flow__registers(&s->flow, position)->value[GPR_RSP];
	uint64_t target = flow__vaddr(&s->flow, position) + (uint64_t)insn->target;
	size_t inside;

	if (flow__position(&s->flow, target, &inside)) {
		s->out->reenters |= inside == 0;
		return 0;
	}
	if (rsp->kind != VALUE_STACK || rsp->n)
		return collect_crossing(s, target);
	return add_site(s, position, insn, insn->kind == INSN_JCC ? EXIT_TAIL_JCC : EXIT_TAIL_JMP);
}

static int collect_indirect(struct search *s, size_t position, const struct insn *insn)
{
	size_t gap;

	switch (judge_jump(s, position, insn)) {
	case JUMP_INSIDE:
		return 0;
	case JUMP_PERHAPS_OUT:
	case JUMP_OUT:
		/*
		 * Code that nothing else leads to tells of jumps to labels. After a sweep there is
		 * none left to tell.
		 */
		if (!next_gap(s, 0, &gap) &&
		    (!s->swept || judge_jump(s, position, insn) == JUMP_OUT))
			return add_site(s, position, insn, EXIT_TAIL_INDIRECT);
		break;
	case JUMP_UNSURE:
		break;
	}
	return refuse(s, "an indirect jump may or may not leave it");
}

static int collect(struct search *s)
{
	int err = want_from_tables(s);

	for (size_t at = 0; !err && at < s->flow.size; at++) {
		struct insn insn;

		if (!flow__registers(&s->flow, at) || flow__decode(&s->flow, at, &insn))
			continue;
		if (insn.kind == INSN_RET)
			err = collect_return(s, at, &insn);
		else if (insn.kind == INSN_JMP_INDIRECT)
			err = collect_indirect(s, at, &insn);
		else if (insn.kind == INSN_JMP || insn.kind == INSN_JCC)
			err = collect_branch(s, at, &insn);
	}
	if (!err && !s->out->sites.len && !s->out->refused)
		err = refuse(s, "it never returns");
	return err;
}

int exits__find(const struct exits_function *function, struct exits *out)
{
	struct search s = {.function = function, .out = out};
	int err = flow__init(&s.flow, function->parts, function->part_count);

	if (err == -E2BIG)
		err = refuse(&s, "its code is too large");
	if (!err)
		err = walk(&s);
	if (!err)
		err = collect(&s);
	flow__free(&s.flow);
	if (out->refused)
		out->sites.len = 0;
	return err == -ENOTSUP ? 0 : err;
}

void exits__free(struct exits *exits)
{
	vec_free(&exits->wants);
	vec_free(&exits->sites);
}
