// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "probe/insn.h"

static const char *plain_name(const struct insn *i)
{
	static const char *const arithmetic[] = {"add", "or",  "adc", "sbb",
						 "and", "sub", "xor", "cmp"};
	static const char *const shifts[] = {"rol", "ror", "rcl", "rcr",
					     "shl", "shr", "shl", "sar"};

	if (i->form != FORM_LEGACY || i->map != MAP_1BYTE)
		return NULL;
	if (i->opcode < 0x40)
		return arithmetic[i->opcode >> 3];
	switch (i->opcode) {
	case 0x80 ... 0x83:
		return arithmetic[(i->modrm >> 3) & 7];
	case 0x84 ... 0x85:
	case 0xa8 ... 0xa9:
		return "test";
	case 0x88 ... 0x8b:
	case 0xb0 ... 0xbf:
	case 0xc6 ... 0xc7:
		return "mov";
	case 0x8d:
		return "lea";
	case 0xc0 ... 0xc1:
	case 0xd0 ... 0xd3:
		return shifts[(i->modrm >> 3) & 7];
	default:
		return NULL;
	}
}

void insn_describe(const struct insn *insn, const uint8_t *code, char *buf, size_t size)
{
	static const char *const registers[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
						"rsi", "rdi", "r8",  "r9",  "r10", "r11",
						"r12", "r13", "r14", "r15"};
	static const char *const conditions[] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
						 "s", "ns", "p", "np", "l", "ge", "le", "g"};
	static const char *const kinds[] = {
		[INSN_NOP] = "nop",	    [INSN_ENDBR] = "endbr64",
		[INSN_JMP] = "jmp",	    [INSN_LOOP] = "loop",
		[INSN_CALL] = "call",	    [INSN_JMP_INDIRECT] = "jmp *",
		[INSN_RET] = "ret",	    [INSN_CALL_INDIRECT] = "call *",
		[INSN_SYSCALL] = "syscall", [INSN_TRAP] = "trap",
		[INSN_XBEGIN] = "xbegin",
	};
	const char *name = insn->kind == INSN_PLAIN ? plain_name(insn) : kinds[insn->kind];

	if (insn->kind == INSN_PUSH) {
		snprintf(buf, size, "push %%%s",
			 registers[(insn->opcode & 7) | (insn->rex & 1 ? 8 : 0)]);
	} else if (insn->kind == INSN_JCC) {
		snprintf(buf, size, "j%s", conditions[insn->opcode & 15]);
	} else if (name) {
		snprintf(buf, size, "%s", name);
	} else if (size) {
		buf[0] = '\0';
		for (size_t i = 0; i < insn->length && 2 * i + 3 <= size; i++)
			snprintf(buf + 2 * i, 3, "%02x", code[i]);
	}
}
