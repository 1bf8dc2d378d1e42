// SPDX-License-Identifier: BSD-2-Clause
/*
 * Everything errs to the safe side: a register is listed as written unless the manual says that
 * it is not, an instruction is called emulated only if it surely is.
 */
#include "probe/insn_effects.h"

#define REX_R 4
#define REX_B 1

/* The register in ModRM's reg field. */
static uint16_t reg_bit(const struct insn *i)
{
	return GPR_BIT(((i->modrm >> 3) & 7) | (i->rex & REX_R ? 8 : 0));
}

/* The register in ModRM's r/m field; 0 if that is memory. */
static uint16_t rm_bit(const struct insn *i)
{
	return i->modrm >= 0xc0 ? GPR_BIT((i->modrm & 7) | (i->rex & REX_B ? 8 : 0)) : 0;
}

/* Byte registers: without REX, 4 to 7 are ah, ch, dh, bh, and 8 to 15 cannot be named. */
static uint16_t as_bytes(const struct insn *i, uint16_t bits)
{
	return i->rex ? bits : (bits | bits >> 4) & 0xf;
}

/* Pairs of opcodes: the even one works on bytes. */
static uint16_t as_sized(const struct insn *i, uint16_t bits)
{
	return i->opcode & 1 ? bits : as_bytes(i, bits);
}

/* The register in the low bits of the opcode. */
static uint16_t opcode_bit(const struct insn *i)
{
	return GPR_BIT((i->opcode & 7) | (i->rex & REX_B ? 8 : 0));
}

static unsigned int extension(const struct insn *i)
{
	return (i->modrm >> 3) & 7;
}

static uint16_t string_writes(const struct insn *i)
{
	uint16_t bits = GPR_BIT(GPR_RSI) | GPR_BIT(GPR_RDI);

	if (i->prefixes & (PREFIX_F2 | PREFIX_F3))
		bits |= GPR_BIT(GPR_RCX);
	if (i->opcode == 0xac || i->opcode == 0xad) /* lods */
		bits |= GPR_BIT(GPR_RAX);
	return bits;
}

/* 00-3f: eight arithmetic operations in six forms; the last operation is cmp. */
static uint16_t arithmetic_writes(const struct insn *i)
{
	if (i->opcode >= 0x38)
		return 0;
	switch (i->opcode & 7) {
	case 0:
		return as_bytes(i, rm_bit(i));
	case 1:
		return rm_bit(i);
	case 2:
		return as_bytes(i, reg_bit(i));
	case 3:
		return reg_bit(i);
	default:
		return GPR_BIT(GPR_RAX);
	}
}

static uint16_t group3_writes(const struct insn *i)
{
	switch (extension(i)) {
	case 0:
	case 1: /* test */
		return 0;
	case 2:
	case 3: /* not, neg */
		return as_sized(i, rm_bit(i));
	default: /* mul, imul, div, idiv */
		return GPR_BIT(GPR_RAX) | GPR_BIT(GPR_RDX);
	}
}

/* fe, ff: inc, dec, and in ff also call, jmp, push. */
static uint16_t group5_writes(const struct insn *i)
{
	switch (extension(i)) {
	case 0:
	case 1:
		return as_sized(i, rm_bit(i));
	case 4:
		return 0;
	case 6:
		return GPR_BIT(GPR_RSP);
	default:
		return GPR_ALL;
	}
}

static uint16_t one_byte_writes(const struct insn *i)
{
	uint8_t op = i->opcode;

	if (op < 0x40)
		return arithmetic_writes(i);
	switch (op) {
	case 0x50 ... 0x57: /* push */
	case 0x68:
	case 0x6a:
	case 0x9c ... 0x9d: /* pushf, popf */
	case 0xc2 ... 0xc3: /* ret */
		return GPR_BIT(GPR_RSP);
	case 0x58 ... 0x5f: /* pop */
		return GPR_BIT(GPR_RSP) | opcode_bit(i);
	case 0x63: /* movsxd */
	case 0x69:
	case 0x6b: /* imul */
	case 0x8b: /* mov */
	case 0x8d: /* lea */
		return reg_bit(i);
	case 0x80:
		return extension(i) == 7 ? 0 : as_bytes(i, rm_bit(i));
	case 0x81:
	case 0x83:
		return extension(i) == 7 ? 0 : rm_bit(i);
	case 0x70 ... 0x7f: /* jcc */
	case 0x84 ... 0x85: /* test */
	case 0x9b:	    /* fwait */
	case 0x9e:	    /* sahf */
	case 0xa2 ... 0xa3: /* mov to an absolute address */
	case 0xa8 ... 0xa9: /* test */
	case 0xd8 ... 0xde: /* x87 */
	case 0xe3:	    /* jrcxz */
	case 0xe9:
	case 0xeb: /* jmp */
	case 0xf5:
	case 0xf8 ... 0xf9:
	case 0xfc ... 0xfd: /* flags */
		return 0;
	case 0x86:
		return as_bytes(i, rm_bit(i) | reg_bit(i)); /* xchg */
	case 0x87:
		return rm_bit(i) | reg_bit(i);
	case 0x88:
	case 0xc0:
	case 0xc6:
	case 0xd0:
	case 0xd2:
		return as_bytes(i, rm_bit(i));
	case 0x89:
	case 0x8c:
	case 0xc1:
	case 0xc7:
	case 0xd1:
	case 0xd3:
		return rm_bit(i);
	case 0x8a:
		return as_bytes(i, reg_bit(i));
	case 0x8f: /* pop */
		return GPR_BIT(GPR_RSP) | rm_bit(i);
	case 0x90 ... 0x97: /* xchg with rax; 90 without REX.B is nop */
		return op == 0x90 && !(i->rex & REX_B) ? 0 : GPR_BIT(GPR_RAX) | opcode_bit(i);
	case 0x98:
	case 0x9f:
	case 0xa0 ... 0xa1:
	case 0xd7:
	case 0xdf: /* fnstsw %ax among x87 */
		return GPR_BIT(GPR_RAX);
	case 0x99:
		return GPR_BIT(GPR_RDX);
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf:
		return string_writes(i);
	case 0xb0 ... 0xb7:
		return as_bytes(i, opcode_bit(i));
	case 0xb8 ... 0xbf:
		return opcode_bit(i);
	case 0xc8 ... 0xc9: /* enter, leave */
		return GPR_BIT(GPR_RSP) | GPR_BIT(GPR_RBP);
	case 0xe0 ... 0xe2: /* loop */
		return GPR_BIT(GPR_RCX);
	case 0xf6 ... 0xf7:
		return group3_writes(i);
	case 0xfe ... 0xff:
		return group5_writes(i);
	default:
		return GPR_ALL;
	}
}

static uint16_t two_byte_writes(const struct insn *i)
{
	switch (i->opcode) {
	case 0x05: /* syscall */
		return GPR_BIT(GPR_RAX) | GPR_BIT(GPR_RCX) | GPR_BIT(GPR_R11);
	case 0x1e: /* endbr64 and nops; rdssp writes a register */
		return (i->prefixes & PREFIX_F3) && extension(i) == 1 ? rm_bit(i) : 0;
	case 0x0d:
	case 0x10 ... 0x1d:
	case 0x1f:
	case 0x28 ... 0x2b:
	case 0x2e ... 0x2f:
	case 0x51 ... 0x77:
	case 0x7c ... 0x7d:
	case 0x7f:
	case 0x80 ... 0x8f: /* jcc */
	case 0xa3:	    /* bt */
	case 0xc2 ... 0xc4:
	case 0xc6:
	case 0xd0 ... 0xd6:
	case 0xd8 ... 0xfe: /* MMX, SSE; prefetch, nop */
		return 0;
	case 0x2c ... 0x2d: /* cvt..2si, cvt..2pi */
		return i->prefixes & (PREFIX_F2 | PREFIX_F3) ? reg_bit(i) : 0;
	case 0x40 ... 0x4f: /* cmovcc */
	case 0x50:	    /* movmskps */
	case 0xaf:	    /* imul */
	case 0xb6 ... 0xb8: /* movzx, popcnt */
	case 0xbc ... 0xbf: /* bsf, bsr, movsx */
	case 0xc5:	    /* pextrw */
	case 0xd7:	    /* pmovmskb */
		return reg_bit(i);
	case 0x31: /* rdtsc */
		return GPR_BIT(GPR_RAX) | GPR_BIT(GPR_RDX);
	case 0x7e: /* movd and movq to a register or memory; under F3 between vector registers */
		return i->prefixes & PREFIX_F3 ? 0 : rm_bit(i);
	case 0xae: /* rdfsbase, rdgsbase among fences */
		return (i->prefixes & PREFIX_F3) && extension(i) < 2 ? rm_bit(i) : 0;
	case 0xa4 ... 0xa5:
	case 0xab ... 0xad: /* bts, shld, shrd */
	case 0xb3:
	case 0xbb:
		return rm_bit(i);
	case 0x90 ... 0x9f: /* setcc */
		return as_bytes(i, rm_bit(i));
	case 0xa2: /* cpuid */
		return GPR_BIT(GPR_RAX) | GPR_BIT(GPR_RBX) | GPR_BIT(GPR_RCX) | GPR_BIT(GPR_RDX);
	case 0xb0 ... 0xb1: /* cmpxchg */
		return as_sized(i, rm_bit(i)) | GPR_BIT(GPR_RAX);
	case 0xba:
		return extension(i) == 4 ? 0 : rm_bit(i);
	case 0xc0 ... 0xc1: /* xadd */
		return as_sized(i, rm_bit(i) | reg_bit(i));
	case 0xc7: /* cmpxchg16b, xsavec; rdrand, rdseed, rdpid of a register */
		return i->modrm >= 0xc0 ? rm_bit(i) : GPR_BIT(GPR_RAX) | GPR_BIT(GPR_RDX);
	case 0xc8 ... 0xcf: /* bswap */
		return opcode_bit(i);
	default:
		return GPR_ALL;
	}
}

static uint16_t three_byte_writes(const struct insn *i)
{
	if (i->map == MAP_0F38) {
		if (i->opcode <= 0x3f || (i->opcode >= 0xc8 && i->opcode <= 0xdf))
			return 0; /* SSE, SHA, AES */
		if (i->opcode == 0xf0 || i->opcode == 0xf1 || i->opcode == 0xf6)
			return reg_bit(i); /* movbe, crc32, adcx */
		return GPR_ALL;
	}
	switch (i->opcode) {
	case 0x08 ... 0x0f:
	case 0x20 ... 0x22: /* pinsr */
	case 0x40 ... 0x44:
	case 0xcc:
	case 0xdf:
		return 0;
	case 0x14 ... 0x17: /* pextr */
		return rm_bit(i);
	case 0x60 ... 0x63: /* pcmpestri and its kin */
		return GPR_BIT(GPR_RCX);
	default:
		return GPR_ALL;
	}
}

/* Of the vector instructions few write general registers; BMI comes in the same encoding. */
static uint16_t vector_0f_writes(const struct insn *i)
{
	switch (i->opcode) {
	case 0x2c ... 0x2d: /* vcvt..2si */
	case 0x78 ... 0x79: /* vcvt..2usi */
		return i->prefixes & (PREFIX_F2 | PREFIX_F3) ? reg_bit(i) : 0;
	case 0x50: /* vmovmskps */
	case 0x93: /* kmov */
	case 0xc5: /* vpextrw */
	case 0xd7: /* vpmovmskb */
		return reg_bit(i);
	case 0x7e: /* vmovd, vmovq; under F3 between vector registers */
		return i->prefixes & PREFIX_F3 ? 0 : rm_bit(i);
	default:
		return 0;
	}
}

static uint16_t vector_writes(const struct insn *i)
{
	if (i->map == MAP_0F || i->map == MAP_5)
		return vector_0f_writes(i);
	if (i->map == MAP_0F3A) {
		switch (i->opcode) {
		case 0x14 ... 0x17: /* vpextr */
			return rm_bit(i);
		case 0x60 ... 0x63: /* vpcmpestri and its kin */
			return GPR_BIT(GPR_RCX);
		default: /* f0: rorx */
			return i->opcode == 0xf0 ? reg_bit(i) : 0;
		}
	}
	if (i->map != MAP_0F38 || i->form != FORM_VEX)
		return 0;
	switch (i->opcode) {
	case 0xf3: /* blsr, blsmsk, blsi */
		return GPR_BIT(i->vvvv);
	case 0xf6: /* mulx */
		return reg_bit(i) | GPR_BIT(i->vvvv);
	case 0xe0 ... 0xef: /* cmpccxadd */
	case 0xf2:
	case 0xf5:
	case 0xf7: /* andn, bzhi, pext, pdep, bextr, shlx */
		return reg_bit(i);
	default:
		return 0;
	}
}

static uint16_t find_writes(const struct insn *i)
{
	if (i->form != FORM_LEGACY)
		return vector_writes(i);
	if (i->map == MAP_1BYTE)
		return one_byte_writes(i);
	return i->map == MAP_0F ? two_byte_writes(i) : three_byte_writes(i);
}

static enum insn_kind one_byte_kind(const struct insn *i)
{
	switch (i->opcode) {
	case 0x50 ... 0x57:
		return INSN_PUSH;
	case 0x70 ... 0x7f:
		return INSN_JCC;
	case 0x90:
		return i->rex & REX_B ? INSN_PLAIN : INSN_NOP;
	case 0xc2 ... 0xc3:
	case 0xca ... 0xcb:
		return INSN_RET;
	case 0xc7:
		return i->relative ? INSN_XBEGIN : INSN_PLAIN;
	case 0xe0 ... 0xe3:
		return INSN_LOOP;
	case 0xe8:
		return INSN_CALL;
	case 0xe9:
	case 0xeb:
		return INSN_JMP;
	case 0x6c ... 0x6f: /* ins, outs */
	case 0xcc ... 0xcd:
	case 0xcf:
	case 0xe4 ... 0xe7: /* in, out */
	case 0xec ... 0xef:
	case 0xf1:
	case 0xf4:
	case 0xfa ... 0xfb:
		return INSN_TRAP;
	case 0xff:
		if (extension(i) == 2 || extension(i) == 3)
			return INSN_CALL_INDIRECT;
		if (extension(i) == 7)
			return INSN_TRAP;
		return extension(i) == 4 || extension(i) == 5 ? INSN_JMP_INDIRECT : INSN_PLAIN;
	default:
		return INSN_PLAIN;
	}
}

static enum insn_kind two_byte_kind(const struct insn *i)
{
	switch (i->opcode) {
	case 0x05:
	case 0x34:
		return INSN_SYSCALL;
	case 0x07:
	case 0x0b: /* ud2 */
	case 0x35:
	case 0xaa:
	case 0xb9: /* ud1 */
	case 0xff: /* ud0 */
		return INSN_TRAP;
	case 0x1e:
		if ((i->prefixes & PREFIX_F3) && (i->modrm == 0xfa || i->modrm == 0xfb))
			return INSN_ENDBR;
		return INSN_PLAIN;
	case 0x1f:
		return INSN_NOP;
	case 0x80 ... 0x8f:
		return INSN_JCC;
	default:
		return INSN_PLAIN;
	}
}

static enum insn_kind find_kind(const struct insn *i)
{
	if (i->form != FORM_LEGACY || i->map > MAP_0F)
		return INSN_PLAIN;
	return i->map == MAP_1BYTE ? one_byte_kind(i) : two_byte_kind(i);
}

/*
 * The multi-byte nop 0f 1f is left out on purpose: older kernels single-step it, and Linux 6.18
 * replaces its five-byte form by a call that overwrites the red zone of a leaf function.
 */
static bool is_emulated(const struct insn *i)
{
	switch (i->kind) {
	case INSN_PUSH: /* alone or with the REX byte 41 and nothing else */
		return i->length == 1 || (i->length == 2 && i->rex == 0x41);
	case INSN_NOP:
		return i->map == MAP_1BYTE;
	case INSN_JMP:
	case INSN_CALL:
	case INSN_JCC:
		return !(i->prefixes & PREFIX_66);
	default:
		return false;
	}
}

/* Single-stepped, it pushes the trap flag: the popf that follows ends the program with SIGTRAP. */
static bool is_pushf(const struct insn *i)
{
	return i->form == FORM_LEGACY && i->map == MAP_1BYTE && i->opcode == 0x9c;
}

void insn_find_effects(struct insn *insn)
{
	insn->writes = find_writes(insn);
	insn->kind = find_kind(insn);
	if (insn->kind == INSN_CALL || insn->kind == INSN_CALL_INDIRECT)
		insn->writes = GPR_ALL;
	/* is_prefix_bad() of the kernel, and opcodes absent from its tables of good ones. */
	insn->refused = (insn->prefixes & (PREFIX_LOCK | PREFIX_SEGMENT)) ||
			insn->kind == INSN_TRAP || insn->kind == INSN_SYSCALL || is_pushf(insn);
	insn->emulated = !insn->refused && is_emulated(insn);
}
