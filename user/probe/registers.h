/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the general registers hold at an instruction of a function, as far as it decides where the
 * function is left: the stack pointer and its copies relative to the entry, and addresses on their
 * way from a jump table to an indirect jump. An abstract interpretation: a value that differs
 * between two ways to one instruction is given up there.
 */
#ifndef PERFTRACE_PROBE_REGISTERS_H
#define PERFTRACE_PROBE_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/insn.h"

enum value_kind {
	VALUE_UNKNOWN,
	VALUE_FRAME,   /* an address in this thread's stack that the function computed itself */
	VALUE_STACK,   /* rsp as it was at the entry, plus n: [rsp] holds the return address */
	VALUE_ADDRESS, /* n, relative to the function's entry */
	VALUE_INDEX,   /* less than count */
	VALUE_ELEMENT, /* a 4-byte element of the table at n, sign-extended */
	VALUE_LABEL,   /* such an element plus an address (that of the table, if count is known) */
	VALUE_POINTER, /* an 8-byte element of the table at n, relative to the entry */
	VALUE_FIXED,   /* an 8-byte element of the table at n, an absolute address */
	VALUE_FOREIGN, /* from the caller, from memory that is no table, or from a call */
};

struct value {
	uint16_t kind;	/* enum value_kind */
	uint16_t count; /* of elements that the table at n has; 0 = not known */
	int32_t n;
};

/* "cmp $limit,%reg" was the last thing done. */
struct comparison {
	bool valid;
	uint8_t reg;
	uint16_t limit;
};

struct registers {
	struct value value[16]; /* by enum gpr */
	uint8_t compared;	/* 1 + the register just compared with rsp; 0 = none */
	struct comparison limited;
};

/* At the entry: rsp is known, all else is the caller's. */
void registers__at_entry(struct registers *r);
/*
 * Executes `insn`; a call is taken to return, with the registers that it must preserve. `at`: its
 * place in bytes from the entry.
 */
void registers__step(struct registers *r, const struct insn *insn, int64_t at);
/* What a conditional jump proves on top, taken or not. */
void registers__branch(struct registers *r, const struct insn *insn, bool taken);
/* Gives up in `r` what `other` does not agree with; whether that changed `r`. */
bool registers__meet(struct registers *r, const struct registers *other);
/* The address that an indirect jump or its memory operand goes through. */
struct value registers__jump_source(const struct registers *r, const struct insn *insn, int64_t at);

#endif
