// SPDX-License-Identifier: BSD-2-Clause
/* Where an image keeps its call frame information. */
#include <errno.h>
#include <stdlib.h>

#include "elf/cfi.h"
#include "elf/cursor.h"

#define HEADER_BYTES 12 /* version, three encodings, the address of .eh_frame */

static int load_named(const struct elf_image *img, const char *name, struct cfi_section *out)
{
	struct elf_section sec;
	void *data;
	int err = elf_image__section(img, name, &sec);

	if (err)
		return err;
	err = elf_image__load_section(img, &sec, &data, &out->size);
	if (err)
		return err == -ENODATA ? -ENOENT : err; /* a file of debug information only */
	if (out->size > CFI_SECTION_MAX) {
		free(data);
		return -EFBIG;
	}
	out->data = data;
	out->vaddr = sec.addr;
	return 0;
}

/* From `vaddr` to the end of what the file has of its segment. */
static int load_from(const struct elf_image *img, uint64_t vaddr, struct cfi_section *out)
{
	for (size_t i = 0; i < elf_image__segment_count(img); i++) {
		const Elf64_Phdr *p = elf_image__segment_at(img, i);
		uint64_t offset, size;
		int err;

		if (p->p_type != PT_LOAD || vaddr < p->p_vaddr || vaddr - p->p_vaddr >= p->p_filesz)
			continue;
		offset = p->p_offset + (vaddr - p->p_vaddr);
		size = p->p_filesz - (vaddr - p->p_vaddr);
		if (offset >= elf_image__size(img))
			return -EINVAL;
		if (size > elf_image__size(img) - offset)
			size = elf_image__size(img) - offset;
		if (size > CFI_SECTION_MAX) /* it ends long before, or it is no sound one */
			size = CFI_SECTION_MAX;
		out->data = malloc(size);
		if (!out->data)
			return -ENOMEM;
		out->size = size;
		out->vaddr = vaddr;
		out->has_end = true;
		err = elf_image__read(img, offset, out->data, size);
		if (err)
			cfi_section__free(out);
		return err;
	}
	return -EINVAL;
}

/* .eh_frame_hdr (Linux Standard Base Core 5.0, section 10.6.2) begins with where .eh_frame is. */
static int load_by_header(const struct elf_image *img, const Elf64_Phdr *header,
			  struct cfi_section *out)
{
	uint8_t bytes[HEADER_BYTES], encoding;
	struct cursor c = {.data = bytes, .len = HEADER_BYTES, .vaddr = header->p_vaddr};
	uint64_t vaddr;

	if (header->p_filesz < HEADER_BYTES ||
	    elf_image__read(img, header->p_offset, bytes, HEADER_BYTES))
		return -EINVAL;
	if (cursor__byte(&c) != 1)
		return -EINVAL;
	encoding = cursor__byte(&c);
	cursor__number(&c, 2);
	vaddr = cursor__address(&c, encoding);
	if (c.bad || !vaddr || (encoding & PE_INDIRECT))
		return -EINVAL;
	return load_from(img, vaddr, out);
}

int cfi_section__load(const struct elf_image *img, struct cfi_section *out)
{
	int err;

	*out = (struct cfi_section){0};
	err = load_named(img, ".eh_frame", out);
	if (err != -ENOENT)
		return err;
	for (size_t i = 0; i < elf_image__segment_count(img); i++) {
		const Elf64_Phdr *p = elf_image__segment_at(img, i);

		if (p->p_type == PT_GNU_EH_FRAME)
			return load_by_header(img, p, out);
	}
	return -ENOENT;
}

int cfi_section__load_debug(const struct elf_image *img, struct cfi_section *out)
{
	*out = (struct cfi_section){.is_debug_frame = true};
	return load_named(img, ".debug_frame", out);
}

void cfi_section__free(struct cfi_section *section)
{
	free(section->data);
	section->data = NULL;
	section->size = 0;
}
