// SPDX-License-Identifier: BSD-2-Clause
#include "elf/fde.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/cie.h"

/* DW_CFA_*: how the stack frame is found from here on (DWARF 5, section 6.4.2). */
#define CFA_DEF_CFA	       0x0c
#define CFA_DEF_CFA_EXPRESSION 0x0f

#define HEAD_MAX       256	 /* bytes of an entry that we look at: the fixed fields */
#define CALL_SITES_MAX (1 << 20) /* bytes of a function's call-site table */

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

static int read_cie(const struct elf_image *img, uint64_t vaddr, struct cie *cie)
{
	uint8_t buf[HEAD_MAX];
	struct cursor c;
	int err = open_entry(img, vaddr, buf, &c);

	if (err)
		return err;
	if (cursor__number(&c, 4) || c.bad)
		return -EINVAL; /* not a CIE */
	return cie__read(&c, cie);
}

static void take_extras(struct cursor *c, const struct cie *cie, struct fde *out)
{
	uint64_t size = cursor__uleb(c);
	size_t end = c->pos;

	if (size > c->len - end) {
		c->bad = true;
		return;
	}
	if (cie->lsda_encoding != PE_OMIT)
		out->lsda = cursor__address(c, cie->lsda_encoding);
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
	back = (uint32_t)cursor__number(&c, 4);
	if (!back || c.bad)
		return -EINVAL; /* a CIE */
	err = read_cie(img, c.vaddr - back, &cie);
	if (err)
		return err;
	if (cie.code_encoding & PE_INDIRECT)
		return -ENOTSUP;
	out->start = cursor__address(&c, cie.code_encoding);
	out->end = out->start + cursor__format(&c, cie.code_encoding & PE_FORMAT);
	out->has_personality = cie.has_personality;
	if (cie.augmented)
		take_extras(&c, &cie, out);
	first = cursor__byte(&c);
	out->starts_with_frame = first >= CFA_DEF_CFA && first <= CFA_DEF_CFA_EXPRESSION;
	return c.bad || out->end <= out->start ? -EINVAL : 0;
}

static int take_call_sites(struct cursor *c, uint8_t encoding, uint64_t base, vaddr_list *out)
{
	while (c->pos < c->len) {
		uint64_t pad, *slot;

		cursor__format(c, encoding);
		cursor__format(c, encoding);
		pad = cursor__format(c, encoding);
		cursor__uleb(c);
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
	encoding = cursor__byte(&c);
	if (encoding != PE_OMIT)
		base = cursor__address(&c, encoding);
	encoding = cursor__byte(&c);
	if (encoding != PE_OMIT)
		cursor__uleb(&c); /* where the types are */
	encoding = cursor__byte(&c);
	size = cursor__uleb(&c);
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
