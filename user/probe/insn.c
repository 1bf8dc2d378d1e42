// SPDX-License-Identifier: BSD-2-Clause
#include "probe/insn.h"

#include <errno.h>
#include <string.h>

#include "probe/insn_effects.h"

/*
 * One letter per opcode, what follows it:
 *	.  nothing		m  ModRM		x  invalid in 64-bit mode, or not known here
 *	b  8-bit immediate	B  ModRM and b		p  prefix or escape, handled before the
 *table w  16-bit immediate	r  8-bit displacement	R  32-bit displacement
 *	z  16 or 32-bit		Z  ModRM and z		v  16, 32 or 64-bit immediate
 *	o  address		e  enter: 16 and 8 bits	f, F  ModRM, and b or z for test (group 3)
 */
static const char one_byte[] = "mmmmbzxxmmmmbzxp" /* 00 */
			       "mmmmbzxxmmmmbzxx" /* 10 */
			       "mmmmbzpxmmmmbzpx" /* 20 */
			       "mmmmbzpxmmmmbzpx" /* 30 */
			       "pppppppppppppppp" /* 40: REX */
			       "................" /* 50: push, pop */
			       "xxpmppppzZbB...." /* 60 */
			       "rrrrrrrrrrrrrrrr" /* 70: jcc */
			       "BZxBmmmmmmmmmmmm" /* 80 */
			       "..........x....." /* 90 */
			       "oooo....bz......" /* a0 */
			       "bbbbbbbbvvvvvvvv" /* b0 */
			       "BBw.ppBZe.w..bx." /* c0 */
			       "mmmmxxx.mmmmmmmm" /* d0 */
			       "rrrrbbbbRRxr...." /* e0 */
			       "p.pp..fF......mm" /* f0 */;

static const char two_byte[] = "mmmmx.....x.xmxx" /* 00: 0e, 0f are 3DNow! */
			       "mmmmmmmmmmmmmmmm" /* 10 */
			       "mmmmxxxxmmmmmmmm" /* 20 */
			       "......x.pxpxxxxx" /* 30 */
			       "mmmmmmmmmmmmmmmm" /* 40: cmovcc */
			       "mmmmmmmmmmmmmmmm" /* 50 */
			       "mmmmmmmmmmmmmmmm" /* 60 */
			       "BBBBmmm.mmxxmmmm" /* 70 */
			       "RRRRRRRRRRRRRRRR" /* 80: jcc */
			       "mmmmmmmmmmmmmmmm" /* 90: setcc */
			       "...mBmxx...mBmmm" /* a0 */
			       "mmmmmmmmmmBmmmmm" /* b0 */
			       "mmBmBBBm........" /* c0 */
			       "mmmmmmmmmmmmmmmm" /* d0 */
			       "mmmmmmmmmmmmmmmm" /* e0 */
			       "mmmmmmmmmmmmmmmm" /* f0 */;

/* Map 0F under a VEX or EVEX prefix. */
static const char vector_0f[] = "xxxxxxxxxxxxxxxx" /* 00 */
				"mmmmmmmmmmmmmmmm" /* 10 */
				"xxxxxxxxmmmmmmmm" /* 20 */
				"xxxxxxxxxxxxxxxx" /* 30 */
				"mmmmmmmmmmmmmmmm" /* 40: opmask */
				"mmmmmmmmmmmmmmmm" /* 50 */
				"mmmmmmmmmmmmmmmm" /* 60 */
				"BBBBmmm.mmmmmmmm" /* 70 */
				"xxxxxxxxxxxxxxxx" /* 80 */
				"mmmmxxxxmmxxxxxx" /* 90: opmask */
				"xxxxxxxxxxxxxxmx" /* a0: ldmxcsr */
				"xxxxxxxxxxxxxxxx" /* b0 */
				"xxBxBBBxxxxxxxxx" /* c0 */
				"mmmmmmmmmmmmmmmm" /* d0 */
				"mmmmmmmmmmmmmmmm" /* e0 */
				"mmmmmmmmmmmmmmmm" /* f0 */;

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

struct reader {
	const uint8_t *code;
	size_t len; /* readable, at most INSN_LENGTH_MAX */
	size_t pos;
	bool short_of; /* a byte behind `len` was wanted */
};

static uint8_t take(struct reader *r)
{
	if (r->pos < r->len)
		return r->code[r->pos++];
	r->short_of = true;
	return 0;
}

static void skip(struct reader *r, size_t n)
{
	if (n > r->len - r->pos) {
		r->short_of = true;
		r->pos = r->len;
	} else {
		r->pos += n;
	}
}

/* Takes a little-endian signed number of 1, 2 or 4 bytes. */
static int32_t take_signed(struct reader *r, size_t bytes)
{
	uint32_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n |= (uint32_t)take(r) << (8 * i);
	if (bytes == 1)
		return (int8_t)n;
	return bytes == 2 ? (int16_t)n : (int32_t)n;
}

static unsigned int prefix_of(uint8_t byte)
{
	switch (byte) {
	case 0x66:
		return PREFIX_66;
	case 0x67:
		return PREFIX_67;
	case 0xf2:
		return PREFIX_F2;
	case 0xf3:
		return PREFIX_F3;
	case 0xf0:
		return PREFIX_LOCK;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		return PREFIX_SEGMENT;
	case 0x64:
	case 0x65:
		return PREFIX_FS_GS;
	default:
		return 0;
	}
}

/* Prefixes in any order; a REX counts only right before the opcode. Returns the next byte. */
static uint8_t take_prefixes(struct reader *r, struct insn *insn)
{
	for (;;) {
		uint8_t byte = take(r);
		unsigned int prefix = prefix_of(byte);

		if (r->short_of)
			return byte;
		if (prefix) {
			insn->prefixes |= prefix;
			insn->rex = 0;
		} else if (byte >= 0x40 && byte <= 0x4f) {
			insn->rex = byte;
		} else {
			return byte;
		}
	}
}

static bool vector_prefix_allowed(const struct insn *insn)
{
	return !insn->rex && !(insn->prefixes & (PREFIX_66 | PREFIX_F2 | PREFIX_F3 | PREFIX_LOCK));
}

/* pp: the implied legacy prefix. */
static void add_implied_prefix(struct insn *insn, uint8_t pp)
{
	static const uint8_t implied[] = {0, PREFIX_66, PREFIX_F3, PREFIX_F2};

	insn->prefixes |= implied[pp & 3];
}

/* VEX: c5 [R vvvv L pp], c4 [R X B mmmmm] [W vvvv L pp]; R, X, B and vvvv are inverted. */
static int take_vex(struct reader *r, struct insn *insn, uint8_t escape)
{
	uint8_t first, last;

	if (!vector_prefix_allowed(insn))
		return -EINVAL;
	insn->form = FORM_VEX;
	insn->map = MAP_0F;
	insn->rex = 0x40;
	first = last = take(r);
	if (!(first & 0x80))
		insn->rex |= REX_R;
	if (escape == 0xc4) {
		last = take(r);
		if (!(first & 0x40))
			insn->rex |= REX_X;
		if (!(first & 0x20))
			insn->rex |= REX_B;
		if (last & 0x80)
			insn->rex |= REX_W;
		if ((first & 0x1f) < 1 || (first & 0x1f) > 3)
			return -EINVAL;
		insn->map = MAP_0F + (first & 0x1f) - 1;
	}
	insn->vvvv = (~last >> 3) & 15;
	add_implied_prefix(insn, last);
	return 0;
}

/* EVEX: 62 [R X B R' 0 mmm] [W vvvv 1 pp] [z L'L b V' aaa]. */
static int take_evex(struct reader *r, struct insn *insn)
{
	static const int8_t maps[] = {-1, MAP_0F, MAP_0F38, MAP_0F3A, -1, MAP_5, MAP_6, -1};
	uint8_t p0 = take(r), p1 = take(r);

	take(r);
	if (r->short_of)
		return 0; /* reported by the caller */
	if (!vector_prefix_allowed(insn) || (p0 & 0x08) || !(p1 & 0x04) || maps[p0 & 7] < 0)
		return -EINVAL;
	insn->form = FORM_EVEX;
	insn->map = maps[p0 & 7];
	insn->rex = 0x40 | (p0 & 0x80 ? 0 : REX_R) | (p0 & 0x40 ? 0 : REX_X) |
		    (p0 & 0x20 ? 0 : REX_B) | (p1 & 0x80 ? REX_W : 0);
	insn->vvvv = (~p1 >> 3) & 15;
	add_implied_prefix(insn, p1);
	return 0;
}

static int take_opcode(struct reader *r, struct insn *insn)
{
	uint8_t byte = take_prefixes(r, insn);
	int err = 0;

	insn->map = MAP_1BYTE;
	if (byte == 0xc4 || byte == 0xc5) {
		err = take_vex(r, insn, byte);
		byte = take(r);
	} else if (byte == 0x62) {
		err = take_evex(r, insn);
		byte = take(r);
	} else if (byte == 0x0f) {
		insn->map = MAP_0F;
		byte = take(r);
		if (byte == 0x38 || byte == 0x3a) {
			insn->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
			byte = take(r);
		}
	}
	insn->opcode = byte;
	return err;
}

static char layout_of(const struct insn *insn)
{
	switch (insn->map) {
	case MAP_1BYTE:
		return one_byte[insn->opcode];
	case MAP_0F:
		return insn->form == FORM_LEGACY ? two_byte[insn->opcode] : vector_0f[insn->opcode];
	case MAP_0F3A:
		return 'B';
	default:
		return 'm';
	}
}

static void take_modrm(struct reader *r, struct insn *insn)
{
	uint8_t mod, rm, base;

	insn->has_modrm = true;
	insn->modrm = take(r);
	mod = insn->modrm >> 6;
	rm = base = insn->modrm & 7;
	/* Moves from and to control and debug registers ignore mod: always registers. */
	if (insn->form == FORM_LEGACY && insn->map == MAP_0F && insn->opcode >= 0x20 &&
	    insn->opcode <= 0x23)
		insn->modrm |= 0xc0;
	if (insn->modrm >= 0xc0)
		return;
	if (rm == 4) {
		insn->sib = take(r);
		base = insn->sib & 7;
	}
	if (mod == 1)
		insn->disp = take_signed(r, 1);
	else if (mod == 2 || base == 5)
		insn->disp = take_signed(r, 4);
}

/* Size of an operand-sized immediate; 64 bits only where `wide`. */
static size_t immediate_size(const struct insn *insn, bool wide)
{
	if (insn->rex & REX_W)
		return wide ? 8 : 4;
	return insn->prefixes & PREFIX_66 ? 2 : 4;
}

static int take_branch(struct reader *r, struct insn *insn, size_t bytes)
{
	/* A near branch with 66 has 16 bits on AMD and 32 on Intel; REX.W settles it. */
	if (bytes == 4 && (insn->prefixes & PREFIX_66) && !(insn->rex & REX_W))
		return -EINVAL;
	insn->relative = true;
	insn->target = take_signed(r, bytes);
	return 0;
}

static void take_immediate(struct reader *r, struct insn *insn, char layout)
{
	size_t bytes = 0;

	switch (layout) {
	case 'f':
		bytes = insn->modrm & 0x30 ? 0 : 1;
		break;
	case 'F':
		bytes = insn->modrm & 0x30 ? 0 : immediate_size(insn, false);
		break;
	case 'b':
	case 'B':
		bytes = 1;
		break;
	case 'w':
		bytes = 2;
		break;
	case 'e':
		skip(r, 3);
		break;
	case 'z':
	case 'Z':
		bytes = immediate_size(insn, false);
		break;
	case 'v':
		bytes = immediate_size(insn, true);
		break;
	case 'o':
		skip(r, insn->prefixes & PREFIX_67 ? 4 : 8);
		break;
	}
	if (bytes == 8)
		skip(r, bytes);
	else if (bytes)
		insn->imm = take_signed(r, bytes);
}

static bool is_unknown_extension(const struct insn *insn)
{
	/* 8f with another register field than 0 is AMD's XOP prefix. */
	if (insn->map == MAP_1BYTE && insn->opcode == 0x8f)
		return (insn->modrm & 0x38) != 0;
	/* 0f 78 under 66 or f2 is SSE4a with two more immediates. */
	return insn->form == FORM_LEGACY && insn->map == MAP_0F && insn->opcode == 0x78 &&
	       (insn->prefixes & (PREFIX_66 | PREFIX_F2));
}

static bool is_xbegin(const struct insn *insn)
{
	return insn->map == MAP_1BYTE && insn->opcode == 0xc7 && insn->modrm == 0xf8;
}

static int take_operands(struct reader *r, struct insn *insn)
{
	char layout = layout_of(insn);
	int err = 0;

	if (layout == 'x' || layout == 'p')
		return -EINVAL;
	if (strchr("mBZfF", layout))
		take_modrm(r, insn);
	if (is_unknown_extension(insn))
		return -EINVAL;
	if (layout == 'r')
		err = take_branch(r, insn, 1);
	else if (layout == 'R' || is_xbegin(insn))
		err = take_branch(r, insn, 4);
	else
		take_immediate(r, insn, layout);
	return err;
}

int insn_decode(const uint8_t *code, size_t len, struct insn *out)
{
	bool whole = len >= INSN_LENGTH_MAX;
	struct reader r = {.code = code, .len = whole ? INSN_LENGTH_MAX : len};
	int err;

	memset(out, 0, sizeof(*out));
	err = take_opcode(&r, out);
	if (!err && !r.short_of)
		err = take_operands(&r, out);
	if (r.short_of)
		return whole ? -EINVAL : -ENODATA;
	if (err)
		return err;
	out->length = (uint8_t)r.pos;
	out->target += out->relative ? out->length : 0;
	insn_find_effects(out);
	return 0;
}
