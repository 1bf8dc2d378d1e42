// SPDX-License-Identifier: BSD-2-Clause
#include "elf/imports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t vaddr;
	const char *name; /* in `strings` */
};

struct elf_imports {
	struct slot *slots; /* by vaddr */
	size_t count;
	char *strings;
	size_t strings_size;
};

/* What relocations refer to. */
struct symbol_table {
	uint8_t *symbols;
	size_t count;
};

static int load_symbols(const struct elf_image *img, uint32_t section, struct elf_imports *imports,
			struct symbol_table *table)
{
	struct elf_section sec, strings;
	void *data;
	size_t size;
	int ret;

	if (!elf_image__section_at(img, section, &sec) || sec.type != SHT_DYNSYM ||
	    sec.entsize != sizeof(Elf64_Sym) || !elf_image__section_at(img, sec.link, &strings) ||
	    strings.type != SHT_STRTAB)
		return -EINVAL;
	if (!imports->strings) {
		ret = elf_image__load_section(img, &strings, &data, &imports->strings_size);
		if (ret)
			return ret;
		imports->strings = data;
	}
	ret = elf_image__load_section(img, &sec, &data, &size);
	if (ret)
		return ret;
	table->symbols = data;
	table->count = size / sizeof(Elf64_Sym);
	return 0;
}

static const char *symbol_name(const struct elf_imports *imports, const struct symbol_table *table,
			       uint64_t index)
{
	Elf64_Sym sym;

	if (index >= table->count)
		return NULL;
	memcpy(&sym, table->symbols + index * sizeof(sym), sizeof(sym));
	/* The loader put a NUL behind the table: any offset inside it is a string. */
	return sym.st_name && sym.st_name < imports->strings_size ? imports->strings + sym.st_name
								  : NULL;
}

static int add_slots(struct elf_imports *imports, const struct symbol_table *table,
		     const uint8_t *relocations, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *name;
		Elf64_Rela rela;

		memcpy(&rela, relocations + i * sizeof(rela), sizeof(rela));
		if (ELF64_R_TYPE(rela.r_info) != R_X86_64_JUMP_SLOT &&
		    ELF64_R_TYPE(rela.r_info) != R_X86_64_GLOB_DAT)
			continue;
		name = symbol_name(imports, table, ELF64_R_SYM(rela.r_info));
		if (!name)
			continue;
		if (imports->count == ELF_IMPORTS_MAX)
			return -E2BIG;
		if (!(imports->count & (imports->count - 1))) {
			size_t capacity = imports->count ? imports->count * 2 : 1;
			struct slot *slots =
				realloc(imports->slots, capacity * sizeof(*imports->slots));

			if (!slots)
				return -ENOMEM;
			imports->slots = slots;
		}
		imports->slots[imports->count++] = (struct slot){rela.r_offset, name};
	}
	return 0;
}

static int load_relocations(const struct elf_image *img, struct elf_imports *imports)
{
	struct symbol_table table = {0};
	struct elf_section sec;
	int ret = 0;

	for (size_t i = 1; !ret && elf_image__section_at(img, i, &sec); i++) {
		void *data;
		size_t size;

		if (sec.type != SHT_RELA || sec.entsize != sizeof(Elf64_Rela) || !sec.link)
			continue;
		if (!table.symbols && load_symbols(img, sec.link, imports, &table))
			continue;
		ret = elf_image__load_section(img, &sec, &data, &size);
		if (ret)
			break;
		ret = add_slots(imports, &table, data, size / sizeof(Elf64_Rela));
		free(data);
	}
	free(table.symbols);
	return ret;
}

static int compare_slots(const void *left, const void *right)
{
	const struct slot *a = left, *b = right;

	return a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

int elf_imports__load(const struct elf_image *img, struct elf_imports **out)
{
	struct elf_imports *imports = calloc(1, sizeof(*imports));
	int ret;

	*out = NULL;
	if (!imports)
		return -ENOMEM;
	ret = load_relocations(img, imports);
	if (ret == -ENOMEM || ret == -E2BIG) {
		elf_imports__free(imports);
		return ret;
	}
	/* What could be read of a broken table is kept. */
	if (imports->count)
		qsort(imports->slots, imports->count, sizeof(*imports->slots), compare_slots);
	*out = imports;
	return 0;
}

void elf_imports__free(struct elf_imports *imports)
{
	if (!imports)
		return;
	free(imports->slots);
	free(imports->strings);
	free(imports);
}

const char *elf_imports__of_slot(const struct elf_imports *imports, uint64_t vaddr)
{
	struct slot key = {.vaddr = vaddr}, *found;

	if (!imports->count)
		return NULL;
	found = bsearch(&key, imports->slots, imports->count, sizeof(key), compare_slots);
	return found ? found->name : NULL;
}

const char *elf_imports__of_stub(const struct elf_imports *imports, const struct elf_image *img,
				 uint64_t vaddr)
{
	static const uint8_t endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
	uint8_t code[11];
	uint64_t offset;
	size_t at = 0;
	int32_t displacement;

	if (elf_image__vaddr_to_offset(img, vaddr, &offset) ||
	    elf_image__read(img, offset, code, sizeof(code)))
		return NULL;
	/* endbr64, bnd, jmp *slot(%rip); the first two need not be there. */
	if (!memcmp(code, endbr, sizeof(endbr)))
		at = sizeof(endbr);
	if (code[at] == 0xf2)
		at++;
	if (code[at] != 0xff || code[at + 1] != 0x25)
		return NULL;
	memcpy(&displacement, code + at + 2, sizeof(displacement));
	return elf_imports__of_slot(imports, vaddr + at + 6 + (int64_t)displacement);
}
