/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small x86-64 (64-bit mode) instruction decoder: how long an instruction is, where a relative
 * branch goes, which general registers it writes, and whether the kernel's uprobes emulate it or
 * have to single-step it, which costs 3 to 33 times as much.
 *
 * Sources: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2
 * (formats) and appendix A (opcode maps); for emulation the Linux kernel,
 * arch/x86/kernel/uprobes.c (branch_setup_xol_ops, push_setup_xol_ops).
 */
#ifndef PERFTRACE_PROBE_INSN_H
#define PERFTRACE_PROBE_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_LENGTH_MAX 15

/* General registers by their number in instructions; sets of them are masks of GPR_BIT(). */
enum gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R9,
	GPR_R10,
	GPR_R11,
};
#define GPR_BIT(reg) (1U << (reg))
#define GPR_ALL	     0xffffU

enum insn_kind {
	INSN_PLAIN, /* goes on to the next instruction */
	INSN_PUSH,  /* push of a register */
	INSN_NOP,
	INSN_ENDBR, /* endbr64, endbr32 */
	INSN_JMP,   /* unconditional, relative */
	INSN_JCC,   /* conditional, relative */
	INSN_LOOP,  /* loop, jrcxz: conditional, relative, never emulated */
	INSN_CALL,  /* relative */
	INSN_JMP_INDIRECT,
	INSN_CALL_INDIRECT,
	INSN_RET,
	INSN_XBEGIN, /* relative to where an abort resumes */
	INSN_SYSCALL,
	INSN_TRAP, /* ud2, int3, hlt and other instructions that do not simply go on */
};

enum insn_map { MAP_1BYTE, MAP_0F, MAP_0F38, MAP_0F3A, MAP_5, MAP_6 };
enum insn_form { FORM_LEGACY, FORM_VEX, FORM_EVEX };

/* Legacy prefixes seen. */
enum insn_prefix {
	PREFIX_66 = 1,
	PREFIX_67 = 2,
	PREFIX_F2 = 4,
	PREFIX_F3 = 8,
	PREFIX_LOCK = 16,
	PREFIX_SEGMENT = 32, /* cs, ds, es, ss: uprobes refuse these */
	PREFIX_FS_GS = 64,
};

struct insn {
	uint8_t length; /* bytes, 1 to INSN_LENGTH_MAX */
	enum insn_kind kind;
	bool emulated;	 /* by the uprobes of every kernel perftrace supports */
	bool refused;	 /* uprobes do not attach to it, or do harm there (pushf) */
	uint16_t writes; /* registers it may write; GPR_ALL when not known */
	bool relative;	 /* `target` is set */
	int64_t target;	 /* of a relative branch, from the first byte of this instruction */

	/* The raw parts, for the curious. */
	enum insn_form form;
	enum insn_map map;
	uint8_t prefixes; /* enum insn_prefix */
	uint8_t rex;	  /* REX byte; for VEX and EVEX the equivalent one; 0 = none */
	uint8_t vvvv;	  /* third register of VEX and EVEX forms */
	uint8_t opcode;
	bool has_modrm;
	uint8_t modrm;
	uint8_t sib;  /* of a memory operand that has one */
	int32_t disp; /* of a memory operand, sign-extended; EVEX: one byte comes unscaled */
	int32_t imm;  /* immediate of up to 4 bytes, sign-extended; 0 without one */
};

/*
 * Decodes the instruction at `code`, of which `len` bytes may be read. 0; -EINVAL: not a valid
 * or not a known instruction (3DNow!, XOP and APX are not known); -ENODATA: it goes on behind
 * `len`. On an error `out` is unspecified.
 */
int insn_decode(const uint8_t *code, size_t len, struct insn *out);

/* "push %r12", "je", "test" or, for want of a name, its bytes in hex. Cut to `size`. */
void insn_describe(const struct insn *insn, const uint8_t *code, char *buf, size_t size);

#endif
