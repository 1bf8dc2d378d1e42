// SPDX-License-Identifier: BSD-2-Clause
/* What lies behind the headers: section contents, the build-id, the soname. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "elf/image_internal.h"
#include "elf/note_walk.h"

/* Deflate cannot do better than 1032:1; who declares more wants our memory. */
#define DEFLATE_RATIO_MAX 1040ULL
#define NOTES_MAX	  (1ULL << 20)
#define DYNAMIC_MAX	  (1ULL << 20)

static int read_allocated(const struct elf_image *img, uint64_t offset, uint64_t size,
			  uint64_t limit, uint8_t **out)
{
	uint8_t *data;
	int err;

	if (offset > img->size || size > img->size - offset)
		return -EINVAL;
	if (size > limit)
		return -EFBIG;
	data = malloc(size + 1);
	if (!data)
		return -ENOMEM;
	err = elf_image__read(img, offset, data, size);
	if (err) {
		free(data);
		return err;
	}
	data[size] = '\0';
	*out = data;
	return 0;
}

static int inflate_section(const uint8_t *raw, size_t raw_size, uint8_t **out, size_t *out_size)
{
	Elf64_Chdr head;
	uLongf size;
	uint8_t *data;

	if (raw_size < sizeof(head))
		return -EINVAL;
	memcpy(&head, raw, sizeof(head));
	if (head.ch_type != ELFCOMPRESS_ZLIB)
		return -ENOTSUP;
	if (head.ch_size > ELF_LOAD_MAX)
		return -EFBIG;
	raw_size -= sizeof(head);
	if (head.ch_size > raw_size * DEFLATE_RATIO_MAX)
		return -EINVAL;
	data = malloc(head.ch_size + 1);
	if (!data)
		return -ENOMEM;
	size = head.ch_size;
	if (uncompress(data, &size, raw + sizeof(head), raw_size) != Z_OK || size != head.ch_size) {
		free(data);
		return -EINVAL;
	}
	data[size] = '\0';
	*out = data;
	*out_size = size;
	return 0;
}

int elf_image__load_section(const struct elf_image *img, const struct elf_section *sec, void **data,
			    size_t *size)
{
	uint8_t *raw, *inflated;
	int err;

	if (sec->type == SHT_NOBITS || sec->type == SHT_NULL)
		return -ENODATA;
	err = read_allocated(img, sec->offset, sec->size, ELF_LOAD_MAX, &raw);
	if (err)
		return err;
	if (sec->flags & SHF_COMPRESSED) {
		err = inflate_section(raw, sec->size, &inflated, size);
		free(raw);
		if (err)
			return err;
		*data = inflated;
		return 0;
	}
	*data = raw;
	*size = sec->size;
	return 0;
}

static bool build_id_in(const struct elf_image *img, uint64_t offset, uint64_t size, char *hex)
{
	struct note_walk walk = {0};
	struct note note;
	uint8_t *data;
	bool found = false;

	if (read_allocated(img, offset, size, NOTES_MAX, &data))
		return false;
	walk.data = data;
	walk.size = size;
	while (!found && note_walk_next(&walk, &note)) {
		if (!note_is(&note, "GNU", NT_GNU_BUILD_ID) || !note.desc_size)
			continue;
		for (size_t i = 0; i < note.desc_size && i < (ELF_BUILD_ID_HEX_MAX - 1) / 2; i++)
			snprintf(hex + 2 * i, 3, "%02x", note.desc[i]);
		found = true;
	}
	free(data);
	return found;
}

int elf_image__build_id(const struct elf_image *img, char hex[ELF_BUILD_ID_HEX_MAX])
{
	hex[0] = '\0';
	for (size_t i = 0; i < img->segment_count; i++)
		if (img->segments[i].p_type == PT_NOTE &&
		    build_id_in(img, img->segments[i].p_offset, img->segments[i].p_filesz, hex))
			return 0;
	for (size_t i = 0; i < img->section_count; i++)
		if (img->sections[i].sh_type == SHT_NOTE &&
		    build_id_in(img, img->sections[i].sh_offset, img->sections[i].sh_size, hex))
			return 0;
	return -ENOENT;
}

/* The file offset of the soname, from the dynamic table at `offset`. */
static int find_soname(const struct elf_image *img, uint64_t offset, uint64_t size, uint64_t *out)
{
	uint64_t strings = 0, name = 0;
	bool has_strings = false, has_name = false;
	uint8_t *data;
	int err = read_allocated(img, offset, size, DYNAMIC_MAX, &data);

	if (err)
		return err;
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= size; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn d;

		memcpy(&d, data + at, sizeof(d));
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_STRTAB) {
			strings = d.d_un.d_ptr;
			has_strings = true;
		} else if (d.d_tag == DT_SONAME) {
			name = d.d_un.d_val;
			has_name = true;
		}
	}
	free(data);
	if (!has_name || !has_strings || strings + name < strings)
		return -ENOENT;
	return elf_image__vaddr_to_offset(img, strings + name, out);
}

int elf_image__soname(const struct elf_image *img, char *buf, size_t size)
{
	uint64_t at;

	for (size_t i = 0; i < img->segment_count; i++) {
		const Elf64_Phdr *p = &img->segments[i];
		size_t len;

		if (p->p_type != PT_DYNAMIC || find_soname(img, p->p_offset, p->p_filesz, &at))
			continue;
		len = img->size - at < size ? img->size - at : size;
		if (elf_image__read(img, at, buf, len) || !memchr(buf, '\0', len) || !buf[0])
			return -ENOENT;
		return 0;
	}
	return -ENOENT;
}

static bool says_symbolic(const struct elf_image *img, const Elf64_Phdr *p)
{
	bool found = false;
	uint8_t *data;

	if (read_allocated(img, p->p_offset, p->p_filesz, DYNAMIC_MAX, &data))
		return false;
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= p->p_filesz; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn d;

		memcpy(&d, data + at, sizeof(d));
		if (d.d_tag == DT_NULL)
			break;
		found |= d.d_tag == DT_SYMBOLIC ||
			 (d.d_tag == DT_FLAGS && (d.d_un.d_val & DF_SYMBOLIC));
	}
	free(data);
	return found;
}

bool elf_image__is_symbolic(const struct elf_image *img)
{
	for (size_t i = 0; i < img->segment_count; i++) {
		if (img->segments[i].p_type == PT_DYNAMIC)
			return says_symbolic(img, &img->segments[i]);
	}
	return false;
}
