/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads forward through bytes of an image that may say anything: numbers, LEB128 (DWARF 5, section
 * 7.6) and the encoded pointers of .eh_frame and call-site tables (Linux Standard Base Core 5.0,
 * section 10.5.1). Whoever reads past the end gets zeros, and `bad` stays set: look at it once,
 * behind a group of reads.
 */
#ifndef PERFTRACE_ELF_CURSOR_H
#define PERFTRACE_ELF_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* DW_EH_PE_*: low nibble the format, then what it is relative to. */
#define PE_FORMAT   0x0f
#define PE_RELATIVE 0x70
#define PE_PCREL    0x10
#define PE_INDIRECT 0x80
#define PE_OMIT	    0xff

struct cursor {
	const uint8_t *data;
	size_t len, pos; /* pos <= len */
	uint64_t vaddr;	 /* of data[0] */
	bool bad;
};

static inline bool cursor__has(struct cursor *c, uint64_t bytes)
{
	if (bytes <= c->len - c->pos)
		return true;
	c->bad = true;
	c->pos = c->len;
	return false;
}

/* Little-endian, of at most 8 bytes. */
static inline uint64_t cursor__number(struct cursor *c, size_t bytes)
{
	uint64_t n = 0;

	if (!cursor__has(c, bytes))
		return 0;
	memcpy(&n, c->data + c->pos, bytes);
	c->pos += bytes;
	return n;
}

static inline uint8_t cursor__byte(struct cursor *c)
{
	return cursor__has(c, 1) ? c->data[c->pos++] : 0;
}

/* The next `len` bytes; NULL when there are fewer. */
static inline const uint8_t *cursor__bytes(struct cursor *c, uint64_t len)
{
	const uint8_t *at = c->data + c->pos;

	if (!cursor__has(c, len))
		return NULL;
	c->pos += len;
	return at;
}

/* Any length; bits beyond 64 are dropped. */
uint64_t cursor__long_leb(struct cursor *c, bool is_signed);

static inline uint64_t cursor__uleb(struct cursor *c)
{
	if (c->pos < c->len && c->data[c->pos] < 0x80)
		return c->data[c->pos++];
	return cursor__long_leb(c, false);
}

static inline int64_t cursor__sleb(struct cursor *c)
{
	return (int64_t)cursor__long_leb(c, true);
}

/* A string up to its NUL; NULL when there is none. */
const char *cursor__string(struct cursor *c);

/* The number of an encoded pointer alone, not yet relative to anything. */
uint64_t cursor__format(struct cursor *c, uint8_t encoding);

/*
 * An address; 0 stays 0 ("none"). Absolute or relative to its own place, anything else is bad.
 * Of an indirect one the place where it can be found.
 */
uint64_t cursor__address(struct cursor *c, uint8_t encoding);

#endif
