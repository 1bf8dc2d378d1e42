// SPDX-License-Identifier: BSD-2-Clause
#include "probe/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Further on, a probe would no longer be "at the entry" in any sense. */
#define PASS_MAX 128

/* A walk down the straight line from the entry. */
struct walk {
	const uint8_t *code;
	size_t len;
	enum place_need need;
	uint32_t needed;		       /* argument registers */
	bool following;			       /* copies of arguments are as good as they */
	uint16_t holders[PLACE_ARGUMENTS + 1]; /* registers that hold argument N; 0 = not needed */
	size_t at;
	struct insn insn;     /* the one at `at` */
	uint32_t stack_moved; /* before that instruction */
	bool tested_null;     /* the instruction before was test %rdi,%rdi */
	const char *stopped;  /* why the walk ended without a site */
};

/* sub $imm,%rsp: the one change of rsp that can be followed exactly. */
static bool is_stack_allocation(const struct insn *insn, const uint8_t *code, uint32_t *bytes)
{
	uint32_t imm;

	if (insn->prefixes || insn->rex != 0x48 || insn->form != FORM_LEGACY ||
	    insn->map != MAP_1BYTE || insn->modrm != 0xec)
		return false;
	if (insn->opcode == 0x83) {
		imm = code[3];
	} else if (insn->opcode == 0x81) {
		memcpy(&imm, code + 3, sizeof(imm));
	} else {
		return false;
	}
	if (imm > (insn->opcode == 0x83 ? 0x7fU : 1U << 20))
		return false;
	*bytes = imm;
	return true;
}

static bool is_null_test(const struct insn *insn)
{
	return !insn->prefixes && insn->rex == 0x48 && insn->form == FORM_LEGACY &&
	       insn->map == MAP_1BYTE && insn->opcode == 0x85 && insn->modrm == 0xff;
}

static const enum gpr argument_registers[PLACE_ARGUMENTS + 1] = {
	[1] = GPR_RDI, [2] = GPR_RSI, [3] = GPR_RDX, [4] = GPR_RCX, [5] = GPR_R8, [6] = GPR_R9,
};

static void begin_following(struct walk *w, bool following)
{
	w->following = following;
	for (int n = 1; n <= PLACE_ARGUMENTS; n++) {
		uint16_t bit = GPR_BIT(argument_registers[n]);

		w->holders[n] = w->needed & bit;
	}
}

/* mov of a whole register to another. */
static bool is_copy(const struct insn *i, enum gpr *from, enum gpr *to)
{
	enum gpr reg = ((i->modrm >> 3) & 7) | (i->rex & 4 ? 8 : 0);
	enum gpr rm = (i->modrm & 7) | (i->rex & 1 ? 8 : 0);

	if (i->form != FORM_LEGACY || i->map != MAP_1BYTE || i->prefixes || !(i->rex & 8) ||
	    (i->opcode != 0x89 && i->opcode != 0x8b) || i->modrm < 0xc0)
		return false;
	*from = i->opcode == 0x89 ? reg : rm;
	*to = i->opcode == 0x89 ? rm : reg;
	return true;
}

/* Of the registers that hold argument `n`, one whose number a program can be told; 0 = none. */
static int argument_now(const struct walk *w, int n)
{
	if (w->holders[n] & GPR_BIT(argument_registers[n]))
		return n;
	for (int other = 1; other <= PLACE_ARGUMENTS; other++) {
		if (w->holders[n] & GPR_BIT(argument_registers[other]))
			return other;
	}
	return 0;
}

/* Are all arguments still to be had behind this instruction? */
static bool keeps_arguments(struct walk *w)
{
	enum gpr from = GPR_RSP, to = GPR_RSP;
	bool copies = is_copy(&w->insn, &from, &to);

	if (!w->following)
		return !(w->insn.writes & w->needed);
	for (int n = 1; n <= PLACE_ARGUMENTS; n++) {
		bool copied = copies && (w->holders[n] & GPR_BIT(from));

		if (!w->holders[n])
			continue;
		w->holders[n] &= ~w->insn.writes;
		if (copied)
			w->holders[n] |= GPR_BIT(to);
		if (!argument_now(w, n))
			return false;
	}
	return true;
}

/* Whether the site may lie behind this instruction. */
static bool may_pass(struct walk *w)
{
	const struct insn *i = &w->insn;
	uint32_t bytes;

	if (i->kind != INSN_PLAIN && i->kind != INSN_NOP && i->kind != INSN_ENDBR) {
		w->stopped = "entry: a branch, call or return comes before any cheap instruction";
		return false;
	}
	if (i->writes == GPR_ALL) {
		w->stopped = "entry: an instruction with unknown effects comes first";
		return false;
	}
	if (!keeps_arguments(w)) {
		w->stopped = "entry: an argument register is overwritten early";
		return false;
	}
	if (!(i->writes & GPR_BIT(GPR_RSP)))
		return true;
	if (w->need != PLACE_RETURN && is_stack_allocation(i, w->code + w->at, &bytes)) {
		w->stack_moved += bytes;
		return true;
	}
	w->stopped = "entry: the stack pointer moves early";
	return false;
}

static bool decode_here(struct walk *w)
{
	if (w->at <= PASS_MAX && w->at < w->len &&
	    !insn_decode(w->code + w->at, w->len - w->at, &w->insn))
		return true;
	w->stopped = w->at > PASS_MAX ? "entry: no cheap instruction near it"
				      : "entry: an instruction is not understood";
	return false;
}

/* Moves to the next emulated instruction, the present one included. */
static bool find_emulated(struct walk *w)
{
	while (decode_here(w)) {
		if (w->insn.emulated)
			return true;
		if (!may_pass(w))
			return false;
		/* Nops and endbr64 between test and branch change nothing. */
		if (w->insn.kind == INSN_PLAIN)
			w->tested_null = is_null_test(&w->insn);
		w->at += w->insn.length;
	}
	return false;
}

static bool is_je(const struct insn *insn)
{
	return insn->kind == INSN_JCC && (insn->opcode & 15) == 4;
}

/*
 * Whether a relative branch anywhere in the function lands behind its entry and not behind the
 * site: such a site would be passed twice by one call, or not with the arguments.
 */
static bool is_reached_otherwise(const struct walk *w, size_t site, const char **why)
{
	size_t at = 0;
	struct insn insn;

	while (at < w->len) {
		int64_t target;
		int err = insn_decode(w->code + at, w->len - at, &insn);

		if (err == -ENODATA) /* cut off at the end */
			return false;
		if (err) {
			*why = "entry: the function has bytes that are not understood";
			return true;
		}
		target = (int64_t)at + insn.target;
		if (insn.relative && target > 0 && target <= (int64_t)site) {
			*why = "entry: a branch leads back before the next cheap instruction";
			return true;
		}
		at += insn.length;
	}
	return false;
}

/* Calls of itself are calls; whatever else leads to the entry passes it once more. */
static bool is_reentered(const uint8_t *code, size_t len)
{
	struct insn insn;

	for (size_t at = 0; at < len; at += insn.length) {
		if (insn_decode(code + at, len - at, &insn))
			return false;
		if (insn.relative && insn.kind != INSN_CALL && (int64_t)at + insn.target == 0)
			return true;
	}
	return false;
}

static void describe_site(const struct walk *w, const char *why, struct placement *out)
{
	out->site_offset = (uint32_t)w->at;
	out->stack_moved = w->stack_moved;
	out->emulated = w->insn.emulated;
	for (int n = 1; n <= PLACE_ARGUMENTS; n++)
		out->argument_now[n] = w->holders[n] ? argument_now(w, n) : 0;
	out->why = why;
	insn_describe(&w->insn, w->code + w->at, out->instruction, sizeof(out->instruction));
}

static int stay_at_entry(const uint8_t *code, size_t len, uint32_t needed, const char *why,
			 struct placement *out)
{
	struct walk w = {.code = code, .len = len, .needed = needed};

	begin_following(&w, false);
	if (insn_decode(code, len, &w.insn)) {
		*out = (struct placement){.why = why};
		for (int n = 1; n <= PLACE_ARGUMENTS; n++)
			out->argument_now[n] = w.holders[n] ? n : 0;
		snprintf(out->instruction, sizeof(out->instruction), "unknown");
		return 0;
	}
	*out = (struct placement){0};
	describe_site(&w, w.insn.refused ? "uprobes refuse the instruction at the entry" : why,
		      out);
	return w.insn.refused ? -ENOTSUP : 0;
}

/* Behind "test %rdi,%rdi; je": calls with NULL have left. */
static bool pass_null_check(const struct walk *at_je, struct walk *out)
{
	*out = *at_je;
	out->at += at_je->insn.length;
	/* A backward je would be a loop. */
	return at_je->need == PLACE_ENTRY_SKIPS_NULL && at_je->tested_null && is_je(&at_je->insn) &&
	       at_je->insn.target > 0 && find_emulated(out);
}

static int choose_site(const uint8_t *code, size_t len, enum place_need need,
		       uint32_t arg_regs_needed_mask, bool following, struct placement *out)
{
	struct walk w = {.code = code, .len = len, .need = need, .needed = arg_regs_needed_mask};
	struct walk filtered;
	const char *why;

	begin_following(&w, following);
	if (!find_emulated(&w))
		return stay_at_entry(code, len, w.needed, w.stopped, out);
	if (!w.at) {
		describe_site(&w, "the first instruction is cheap", out);
		return 0;
	}
	if (pass_null_check(&w, &filtered) && !is_reached_otherwise(&w, filtered.at, &why)) {
		describe_site(&filtered, "moved to a cheap instruction behind the NULL check", out);
		out->null_filtered = true;
		return 0;
	}
	if (is_reached_otherwise(&w, w.at, &why))
		return stay_at_entry(code, len, w.needed, why, out);
	describe_site(&w, "moved to the first cheap instruction", out);
	return 0;
}

static int place(const uint8_t *code, size_t len, enum place_need need,
		 uint32_t arg_regs_needed_mask, bool following, struct placement *out)
{
	int ret;

	memset(out, 0, sizeof(*out));
	if (!len)
		return -EINVAL;
	ret = choose_site(code, len, need, arg_regs_needed_mask, following, out);
	out->reentered = is_reentered(code, len);
	return ret;
}

int place_probe(const uint8_t *code, size_t len, uint64_t entry_vaddr, enum place_need need,
		uint32_t arg_regs_needed_mask, struct placement *out)
{
	return place(code, len, need, arg_regs_needed_mask, false, out);
}

int place_probe_following(const uint8_t *code, size_t len, uint64_t entry_vaddr,
			  enum place_need need, uint32_t arg_regs_needed_mask,
			  struct placement *out)
{
	return place(code, len, need, arg_regs_needed_mask, true, out);
}
