// SPDX-License-Identifier: BSD-2-Clause
#include "elf/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How far an address is searched backwards for a function that encloses other symbols. */
#define ENCLOSING_MAX 64

struct elf_symbols {
	struct elf_symbol *list;
	size_t count;
	uint64_t *section_ends; /* by section index: vaddr behind the section */
	size_t section_count;
	char *strings[2]; /* of .dynsym and .symtab; names point into them */
};

static const char *checked_name(const char *strings, size_t strings_size, uint32_t offset)
{
	const char *name;

	if (!strings || offset >= strings_size)
		return "??";
	name = strings + offset;
	/* load_section() puts a NUL behind the table, so the string ends inside the memory. */
	if (!*name || strnlen(name, ELF_STRING_MAX + 1) > ELF_STRING_MAX)
		return "??";
	return name;
}

static bool is_function(const Elf64_Sym *sym)
{
	unsigned int type = ELF64_ST_TYPE(sym->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && sym->st_shndx != SHN_UNDEF &&
	       sym->st_value;
}

static void add_functions(struct elf_symbols *syms, const uint8_t *table, size_t n,
			  const char *strings, size_t strings_size, bool dynamic)
{
	for (size_t i = 0; i < n; i++) {
		Elf64_Sym sym;

		memcpy(&sym, table + i * sizeof(sym), sizeof(sym));
		if (!is_function(&sym))
			continue;
		syms->list[syms->count++] = (struct elf_symbol){
			.vaddr = sym.st_value,
			.size = sym.st_value + sym.st_size < sym.st_value ? 0 : sym.st_size,
			.name = checked_name(strings, strings_size, sym.st_name),
			.section = sym.st_shndx,
			.binding = ELF64_ST_BIND(sym.st_info),
			.indirect = ELF64_ST_TYPE(sym.st_info) == STT_GNU_IFUNC,
			.dynamic = dynamic,
		};
	}
}

static size_t count_functions(const uint8_t *table, size_t n)
{
	size_t functions = 0;

	for (size_t i = 0; i < n; i++) {
		Elf64_Sym sym;

		memcpy(&sym, table + i * sizeof(sym), sizeof(sym));
		functions += is_function(&sym);
	}
	return functions;
}

static int grow(struct elf_symbols *syms, size_t functions)
{
	struct elf_symbol *list;

	if (!functions)
		return 0;
	list = realloc(syms->list, (syms->count + functions) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	syms->list = list;
	return 0;
}

static int load_table(struct elf_symbols *syms, const struct elf_image *img, uint32_t type)
{
	bool dynamic = type == SHT_DYNSYM;
	struct elf_section sec, string_sec;
	void *table, *strings = NULL;
	size_t size, n, strings_size = 0;
	int err;

	for (size_t i = 1;; i++) {
		if (!elf_image__section_at(img, i, &sec))
			return 0;
		if (sec.type == type)
			break;
	}
	if (sec.entsize != sizeof(Elf64_Sym))
		return 0;
	if (sec.size / sizeof(Elf64_Sym) > ELF_SYMBOLS_MAX - syms->count)
		return -E2BIG;
	err = elf_image__load_section(img, &sec, &table, &size);
	if (err)
		return err == -ENOMEM ? err : 0;
	n = size / sizeof(Elf64_Sym);
	if (n > ELF_SYMBOLS_MAX - syms->count) { /* it was compressed */
		free(table);
		return -E2BIG;
	}
	if (elf_image__section_at(img, sec.link, &string_sec) && string_sec.type == SHT_STRTAB &&
	    elf_image__load_section(img, &string_sec, &strings, &strings_size) == 0)
		syms->strings[dynamic ? 0 : 1] = strings;
	err = grow(syms, count_functions(table, n));
	if (!err)
		add_functions(syms, table, n, strings, strings_size, dynamic);
	free(table);
	return err;
}

static int underscores(const char *name)
{
	int n = 0;

	if (!strncmp(name, "_Z", 2))
		return 0;
	while (n < 4 && name[n] == '_')
		n++;
	return n;
}

/* At one address: the name a programmer would use comes first. */
static int compare_symbols(const void *left, const void *right)
{
	const struct elf_symbol *a = left, *b = right;
	int rank;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	if (!a->size != !b->size)
		return a->size ? -1 : 1;
	if ((a->binding == STB_LOCAL) != (b->binding == STB_LOCAL))
		return a->binding == STB_LOCAL ? 1 : -1;
	rank = underscores(a->name) - underscores(b->name);
	if (rank)
		return rank;
	/* Bounded: a million long equal names must not make the sort take minutes. */
	rank = strncmp(a->name, b->name, 64);
	if (rank)
		return rank;
	return (int)b->dynamic - (int)a->dynamic;
}

static int note_section_ends(struct elf_symbols *syms, const struct elf_image *img)
{
	struct elf_section sec;

	syms->section_count = elf_image__section_count(img);
	syms->section_ends = calloc(syms->section_count + 1, sizeof(*syms->section_ends));
	if (!syms->section_ends)
		return -ENOMEM;
	for (size_t i = 0; elf_image__section_at(img, i, &sec); i++)
		syms->section_ends[i] =
			sec.addr + sec.size < sec.addr ? sec.addr : sec.addr + sec.size;
	return 0;
}

int elf_symbols__load(const struct elf_image *img, struct elf_symbols **out)
{
	struct elf_symbols *syms = calloc(1, sizeof(*syms));
	int err;

	*out = NULL;
	if (!syms)
		return -ENOMEM;
	err = note_section_ends(syms, img);
	if (!err)
		err = load_table(syms, img, SHT_DYNSYM);
	if (!err)
		err = load_table(syms, img, SHT_SYMTAB);
	if (err) {
		elf_symbols__free(syms);
		return err;
	}
	if (syms->count)
		qsort(syms->list, syms->count, sizeof(*syms->list), compare_symbols);
	*out = syms;
	return 0;
}

void elf_symbols__free(struct elf_symbols *syms)
{
	if (!syms)
		return;
	free(syms->list);
	free(syms->section_ends);
	free(syms->strings[0]);
	free(syms->strings[1]);
	free(syms);
}

size_t elf_symbols__count(const struct elf_symbols *syms)
{
	return syms->count;
}

const struct elf_symbol *elf_symbols__at(const struct elf_symbols *syms, size_t index)
{
	return index < syms->count ? &syms->list[index] : NULL;
}

size_t elf_symbols__index(const struct elf_symbols *syms, const struct elf_symbol *sym)
{
	return (size_t)(sym - syms->list);
}

/* How many symbols start at or below vaddr. */
static size_t upper_bound(const struct elf_symbols *syms, uint64_t vaddr)
{
	size_t low = 0, high = syms->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (syms->list[mid].vaddr <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool reaches(const struct elf_symbols *syms, const struct elf_symbol *sym, uint64_t vaddr)
{
	if (sym->size)
		return vaddr - sym->vaddr < sym->size;
	return sym->section < syms->section_count && vaddr < syms->section_ends[sym->section];
}

const struct elf_symbol *elf_symbols__find_address(const struct elf_symbols *syms, uint64_t vaddr)
{
	size_t end = upper_bound(syms, vaddr), tried = 0;
	const struct elf_symbol *found = NULL;
	uint64_t nearest;

	if (!end)
		return NULL;
	nearest = syms->list[end - 1].vaddr;
	for (size_t i = end; i > 0 && tried < ENCLOSING_MAX; i--, tried++) {
		const struct elf_symbol *sym = &syms->list[i - 1];

		/* Go on to the first, best name of this address. */
		if (found && sym->vaddr != found->vaddr)
			break;
		/* A symbol without a size ends where the next one starts. */
		if (!sym->size && sym->vaddr != nearest)
			continue;
		if (reaches(syms, sym, vaddr))
			found = sym;
	}
	return found;
}

/* "memcpy@@GLIBC_2.14" is called memcpy. */
static bool is_called(const char *symbol, const char *name, size_t len)
{
	return !strncmp(symbol, name, len) && (!symbol[len] || symbol[len] == '@');
}

const struct elf_symbol *elf_symbols__lookup(const struct elf_symbols *syms, const char *name,
					     const struct elf_symbol *after)
{
	size_t len = strlen(name);

	for (size_t i = after ? elf_symbols__index(syms, after) + 1 : 0; i < syms->count; i++)
		if (is_called(syms->list[i].name, name, len))
			return &syms->list[i];
	return NULL;
}
