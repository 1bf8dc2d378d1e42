// SPDX-License-Identifier: BSD-2-Clause
#include "elf/fde.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* DW_EH_PE_*: low nibble the format, then what it is relative to. */
#define PE_FORMAT   0x0f
#define PE_RELATIVE 0x70
#define PE_PCREL    0x10
#define PE_INDIRECT 0x80
#define PE_OMIT	    0xff

/* DW_CFA_*: how the stack frame is found from here on (DWARF 5, section 6.4.2). */
#define CFA_DEF_CFA	       0x0c
#define CFA_DEF_CFA_EXPRESSION 0x0f

#define HEAD_MAX       256	 /* bytes of an entry that we look at: the fixed fields */
#define CALL_SITES_MAX (1 << 20) /* bytes of a function's call-site table */

/* Reads forward through bytes of the image; sticky `bad` when they run out. */
struct cursor {
	const uint8_t *data;
	size_t len, pos;
	uint64_t vaddr; /* of data[0] */
	bool bad;
};

static uint64_t take_number(struct cursor *c, size_t bytes)
{
	uint64_t n = 0;

	if (bytes > c->len - c->pos) {
		c->bad = true;
		c->pos = c->len;
		return 0;
	}
	memcpy(&n, c->data + c->pos, bytes);
	c->pos += bytes;
	return n;
}

static uint64_t take_leb(struct cursor *c, bool is_signed)
{
	uint64_t n = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)take_number(c, 1);
		if (shift < 64)
			n |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && !c->bad);
	if (is_signed && shift < 64 && (byte & 0x40))
		n |= ~0ULL << shift;
	return n;
}

/* The number alone, not yet relative to anything. */
static uint64_t take_format(struct cursor *c, uint8_t encoding)
{
	switch (encoding & PE_FORMAT) {
	case 0x0:
	case 0x4:
	case 0xc:
		return take_number(c, 8);
	case 0x1:
		return take_leb(c, false);
	case 0x2:
		return take_number(c, 2);
	case 0x3:
		return take_number(c, 4);
	case 0x9:
		return take_leb(c, true);
	case 0xa:
		return (uint64_t)(int16_t)take_number(c, 2);
	case 0xb:
		return (uint64_t)(int32_t)take_number(c, 4);
	default:
		c->bad = true;
		return 0;
	}
}

/* An address; 0 stays 0 ("none"). Indirect ones are of no use to us: their place is returned. */
static uint64_t take_address(struct cursor *c, uint8_t encoding)
{
	uint64_t at = c->vaddr + c->pos, n = take_format(c, encoding);

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

/* Fills `buf` with up to `size` bytes of the image at `vaddr`; 0 on failure. */
static size_t read_some(const struct elf_image *img, uint64_t vaddr, void *buf, size_t size)
{
	uint64_t offset;

	if (elf_image__vaddr_to_offset(img, vaddr, &offset) || offset >= elf_image__size(img))
		return 0;
	if (size > elf_image__size(img) - offset)
		size = elf_image__size(img) - offset;
	return elf_image__read(img, offset, buf, size) ? 0 : size;
}

/* Opens an entry of .eh_frame: `c` covers what follows its length. */
static int open_entry(const struct elf_image *img, uint64_t vaddr, uint8_t buf[HEAD_MAX],
		      struct cursor *c)
{
	uint32_t length;
	size_t n = read_some(img, vaddr, buf, HEAD_MAX);

	if (n < sizeof(length))
		return -EINVAL;
	memcpy(&length, buf, sizeof(length));
	if (length == UINT32_MAX)
		return -ENOTSUP; /* 64-bit DWARF */
	n -= sizeof(length);
	*c = (struct cursor){.data = buf + sizeof(length),
			     .len = length < n ? length : n,
			     .vaddr = vaddr + sizeof(length)};
	return length ? 0 : -EINVAL;
}

struct cie {
	bool augmented; /* FDEs carry a sized augmentation */
	uint8_t code_encoding, lsda_encoding;
	bool has_personality;
};

static int take_augmentation(struct cursor *c, const char *letters, struct cie *cie)
{
	for (const char *letter = letters + 1; *letter && !c->bad; letter++) {
		switch (*letter) {
		case 'R':
			cie->code_encoding = (uint8_t)take_number(c, 1);
			break;
		case 'L':
			cie->lsda_encoding = (uint8_t)take_number(c, 1);
			break;
		case 'P':
			take_address(c, (uint8_t)take_number(c, 1));
			cie->has_personality = true;
			break;
		case 'S':
		case 'B':
			break;
		default:
			return -ENOTSUP;
		}
	}
	return c->bad ? -EINVAL : 0;
}

static int read_cie(const struct elf_image *img, uint64_t vaddr, struct cie *cie)
{
	uint8_t buf[HEAD_MAX], version;
	const char *letters;
	struct cursor c;
	int err = open_entry(img, vaddr, buf, &c);

	*cie = (struct cie){.lsda_encoding = PE_OMIT};
	if (err)
		return err;
	if (take_number(&c, 4) || c.bad)
		return -EINVAL; /* not a CIE */
	version = (uint8_t)take_number(&c, 1);
	if (version != 1 && version != 3)
		return -ENOTSUP;
	letters = (const char *)c.data + c.pos;
	if (!memchr(letters, '\0', c.len - c.pos))
		return -EINVAL;
	c.pos += strlen(letters) + 1;
	take_leb(&c, false);
	take_leb(&c, true);
	if (version == 1)
		take_number(&c, 1);
	else
		take_leb(&c, false);
	if (!*letters)
		return c.bad ? -EINVAL : 0;
	if (*letters != 'z')
		return -ENOTSUP;
	cie->augmented = true;
	take_leb(&c, false);
	return take_augmentation(&c, letters, cie);
}

static void take_extras(struct cursor *c, const struct cie *cie, struct fde *out)
{
	uint64_t size = take_leb(c, false);
	size_t end = c->pos;

	if (size > c->len - end) {
		c->bad = true;
		return;
	}
	if (cie->lsda_encoding != PE_OMIT)
		out->lsda = take_address(c, cie->lsda_encoding);
	c->pos = end + size;
}

int fde__read(const struct elf_image *img, uint64_t vaddr, struct fde *out)
{
	uint8_t buf[HEAD_MAX];
	struct cursor c;
	struct cie cie;
	uint32_t back;
	uint8_t first;
	int err = open_entry(img, vaddr, buf, &c);

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	back = (uint32_t)take_number(&c, 4);
	if (!back || c.bad)
		return -EINVAL; /* a CIE */
	err = read_cie(img, c.vaddr - back, &cie);
	if (err)
		return err;
	if (cie.code_encoding & PE_INDIRECT)
		return -ENOTSUP;
	out->start = take_address(&c, cie.code_encoding);
	out->end = out->start + take_format(&c, cie.code_encoding & PE_FORMAT);
	out->has_personality = cie.has_personality;
	if (cie.augmented)
		take_extras(&c, &cie, out);
	first = (uint8_t)take_number(&c, 1);
	out->starts_with_frame = first >= CFA_DEF_CFA && first <= CFA_DEF_CFA_EXPRESSION;
	return c.bad || out->end <= out->start ? -EINVAL : 0;
}

static int take_call_sites(struct cursor *c, uint8_t encoding, uint64_t base, vaddr_list *out)
{
	while (c->pos < c->len) {
		uint64_t pad, *slot;

		take_format(c, encoding);
		take_format(c, encoding);
		pad = take_format(c, encoding);
		take_leb(c, false);
		if (c->bad)
			return -EINVAL;
		if (!pad)
			continue;
		if (out->len >= LANDING_PADS_MAX)
			return -E2BIG;
		slot = vec_push(out);
		if (!slot)
			return -ENOMEM;
		*slot = base + pad;
	}
	return 0;
}

int fde__landing_pads(const struct elf_image *img, const struct fde *fde, vaddr_list *out)
{
	uint8_t head[64], encoding, *table;
	struct cursor c = {.data = head, .vaddr = fde->lsda};
	uint64_t base = fde->start, size;
	int err;

	if (!fde->lsda)
		return 0;
	c.len = read_some(img, fde->lsda, head, sizeof(head));
	encoding = (uint8_t)take_number(&c, 1);
	if (encoding != PE_OMIT)
		base = take_address(&c, encoding);
	encoding = (uint8_t)take_number(&c, 1);
	if (encoding != PE_OMIT)
		take_leb(&c, false); /* where the types are */
	encoding = (uint8_t)take_number(&c, 1);
	size = take_leb(&c, false);
	if (c.bad || size > CALL_SITES_MAX)
		return -EINVAL;
	if (!size)
		return 0;
	table = malloc(size);
	if (!table)
		return -ENOMEM;
	c = (struct cursor){.data = table, .len = size, .vaddr = fde->lsda + c.pos};
	err = read_some(img, c.vaddr, table, size) == size ? 0 : -EINVAL;
	if (!err)
		err = take_call_sites(&c, encoding, base, out);
	free(table);
	return err;
}
