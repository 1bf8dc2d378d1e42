// SPDX-License-Identifier: BSD-2-Clause
#include "elf/exports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int find_in_table(const Elf64_Sym *table, size_t n, const char *strings, size_t size,
			 const char *name, uint64_t *vaddr)
{
	for (size_t i = 0; i < n; i++) {
		/* A NUL of ours stands behind the strings. */
		if (table[i].st_shndx == SHN_UNDEF || table[i].st_name >= size ||
		    strcmp(strings + table[i].st_name, name) != 0)
			continue;
		*vaddr = table[i].st_value;
		return 0;
	}
	return -ENOENT;
}

static int find(const struct elf_image *img, uint32_t type, const char *name, uint64_t *vaddr)
{
	struct elf_section sec, string_sec;
	void *table = NULL, *strings = NULL;
	size_t size, strings_size;
	int ret;

	if (!*name) /* sections' symbols have none */
		return -ENOENT;
	for (size_t i = 1;; i++) {
		if (!elf_image__section_at(img, i, &sec))
			return -ENOENT;
		if (sec.type == type)
			break;
	}
	if (sec.entsize != sizeof(Elf64_Sym) ||
	    !elf_image__section_at(img, sec.link, &string_sec) || string_sec.type != SHT_STRTAB)
		return -ENOENT;
	ret = elf_image__load_section(img, &sec, &table, &size);
	if (!ret)
		ret = elf_image__load_section(img, &string_sec, &strings, &strings_size);
	if (!ret)
		ret = find_in_table(table, size / sizeof(Elf64_Sym), strings, strings_size, name,
				    vaddr);
	else if (ret != -ENOMEM)
		ret = -ENOENT;
	free(table);
	free(strings);
	return ret;
}

int elf_export__find(const struct elf_image *img, const char *name, uint64_t *vaddr)
{
	return find(img, SHT_DYNSYM, name, vaddr);
}

int elf_variable__find(const struct elf_image *img, const char *name, uint64_t *vaddr)
{
	int ret = find(img, SHT_DYNSYM, name, vaddr);

	return ret == -ENOENT ? find(img, SHT_SYMTAB, name, vaddr) : ret;
}
