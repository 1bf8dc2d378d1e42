// SPDX-License-Identifier: BSD-2-Clause
#include "elf/cursor.h"

uint64_t cursor__long_leb(struct cursor *c, bool is_signed)
{
	uint64_t n = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		byte = cursor__byte(c);
		if (shift < 64) {
			n |= (uint64_t)(byte & 0x7f) << shift;
			shift += 7;
		}
	} while ((byte & 0x80) && !c->bad);
	if (is_signed && shift < 64 && (byte & 0x40))
		n |= ~0ULL << shift;
	return n;
}

const char *cursor__string(struct cursor *c)
{
	const uint8_t *at = c->data + c->pos;
	const uint8_t *nul = memchr(at, '\0', c->len - c->pos);

	if (!nul) {
		c->bad = true;
		return NULL;
	}
	c->pos += (size_t)(nul - at) + 1;
	return (const char *)at;
}

uint64_t cursor__format(struct cursor *c, uint8_t encoding)
{
	switch (encoding & PE_FORMAT) {
	case 0x0:
	case 0x4:
	case 0xc:
		return cursor__number(c, 8);
	case 0x1:
		return cursor__uleb(c);
	case 0x2:
		return cursor__number(c, 2);
	case 0x3:
		return cursor__number(c, 4);
	case 0x9:
		return (uint64_t)cursor__sleb(c);
	case 0xa:
		return (uint64_t)(int16_t)cursor__number(c, 2);
	case 0xb:
		return (uint64_t)(int32_t)cursor__number(c, 4);
	default:
		c->bad = true;
		return 0;
	}
}

uint64_t cursor__address(struct cursor *c, uint8_t encoding)
{
	uint64_t at = c->vaddr + c->pos, n = cursor__format(c, encoding);

	if (!n)
		return 0;
	switch (encoding & PE_RELATIVE) {
	case 0:
		return n;
	case PE_PCREL:
		return at + n;
	default:
		c->bad = true;
		return 0;
	}
}
