// SPDX-License-Identifier: BSD-2-Clause
#include "elf/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How far an address is searched backwards for a function that encloses other symbols. */
#define ENCLOSING_MAX 64

static const char unnamed[] = "??";

struct elf_symbols {
	struct elf_symbol *list; /* functions, then labels; both sorted */
	size_t count;		 /* of functions */
	size_t labels;
	uint64_t *section_ends; /* by section index: vaddr behind the section */
	bool *section_is_code;
	size_t section_count;
	char *strings[2]; /* of .dynsym and .symtab; names point into them */
};

/* One symbol table while it is read. */
struct table {
	const uint8_t *entries;
	size_t n;
	const char *strings; /* NULL: unreadable */
	size_t strings_size;
	bool dynamic;
};

static const char *checked_name(const char *strings, size_t strings_size, uint32_t offset)
{
	const char *name;

	if (!strings || offset >= strings_size)
		return unnamed;
	name = strings + offset;
	/* load_section() puts a NUL behind the table, so the string ends inside the memory. */
	if (!*name || strnlen(name, ELF_STRING_MAX + 1) > ELF_STRING_MAX)
		return unnamed;
	return name;
}

static bool is_defined(const Elf64_Sym *sym)
{
	return sym->st_shndx != SHN_UNDEF && sym->st_value;
}

static bool is_function(const struct elf_symbols *syms, const Elf64_Sym *sym)
{
	unsigned int type = ELF64_ST_TYPE(sym->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && is_defined(sym);
}

static bool is_label(const struct elf_symbols *syms, const Elf64_Sym *sym)
{
	return ELF64_ST_TYPE(sym->st_info) == STT_NOTYPE && is_defined(sym) && sym->st_name &&
	       sym->st_shndx < syms->section_count && syms->section_is_code[sym->st_shndx];
}

typedef bool (*wanted_fn)(const struct elf_symbols *syms, const Elf64_Sym *sym);

static struct elf_symbol *add_symbols(const struct elf_symbols *syms, struct elf_symbol *slot,
				      const struct table *t, wanted_fn wanted)
{
	for (size_t i = 0; i < t->n; i++) {
		Elf64_Sym sym;
		const char *name;

		memcpy(&sym, t->entries + i * sizeof(sym), sizeof(sym));
		if (!wanted(syms, &sym))
			continue;
		name = checked_name(t->strings, t->strings_size, sym.st_name);
		*slot++ = (struct elf_symbol){
			.vaddr = sym.st_value,
			.size = sym.st_value + sym.st_size < sym.st_value ? 0 : sym.st_size,
			.name = name,
			.section = sym.st_shndx,
			.binding = ELF64_ST_BIND(sym.st_info),
			.indirect = ELF64_ST_TYPE(sym.st_info) == STT_GNU_IFUNC,
			.dynamic = t->dynamic,
			.unnamed = name == unnamed,
		};
	}
	return slot;
}

static size_t count_symbols(const struct elf_symbols *syms, const struct table *t, wanted_fn wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < t->n; i++) {
		Elf64_Sym sym;

		memcpy(&sym, t->entries + i * sizeof(sym), sizeof(sym));
		count += wanted(syms, &sym);
	}
	return count;
}

/* Functions of both tables come first; .symtab, the only one with labels, is read last. */
static int take_symbols(struct elf_symbols *syms, const struct table *t)
{
	size_t functions = count_symbols(syms, t, is_function);
	size_t labels = t->dynamic ? 0 : count_symbols(syms, t, is_label);
	struct elf_symbol *list;

	if (!functions && !labels)
		return 0;
	list = realloc(syms->list, (syms->count + functions + labels) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	syms->list = list;
	list = add_symbols(syms, list + syms->count, t, is_function);
	if (labels)
		add_symbols(syms, list, t, is_label);
	syms->count += functions;
	syms->labels = labels;
	return 0;
}

static int load_table(struct elf_symbols *syms, const struct elf_image *img, uint32_t type)
{
	struct table t = {.dynamic = type == SHT_DYNSYM};
	struct elf_section sec, string_sec;
	void *entries, *strings;
	size_t size;
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
	err = elf_image__load_section(img, &sec, &entries, &size);
	if (err)
		return err == -ENOMEM ? err : 0;
	t.entries = entries;
	t.n = size / sizeof(Elf64_Sym);
	if (t.n > ELF_SYMBOLS_MAX - syms->count) { /* it was compressed */
		free(entries);
		return -E2BIG;
	}
	if (elf_image__section_at(img, sec.link, &string_sec) && string_sec.type == SHT_STRTAB &&
	    elf_image__load_section(img, &string_sec, &strings, &t.strings_size) == 0)
		t.strings = syms->strings[t.dynamic ? 0 : 1] = strings;
	err = take_symbols(syms, &t);
	free(entries);
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

static int note_sections(struct elf_symbols *syms, const struct elf_image *img)
{
	struct elf_section sec;

	syms->section_count = elf_image__section_count(img);
	syms->section_ends = calloc(syms->section_count + 1, sizeof(*syms->section_ends));
	syms->section_is_code = calloc(syms->section_count + 1, sizeof(*syms->section_is_code));
	if (!syms->section_ends || !syms->section_is_code)
		return -ENOMEM;
	for (size_t i = 0; elf_image__section_at(img, i, &sec); i++) {
		syms->section_ends[i] =
			sec.addr + sec.size < sec.addr ? sec.addr : sec.addr + sec.size;
		syms->section_is_code[i] = sec.flags & SHF_EXECINSTR;
	}
	return 0;
}

int elf_symbols__load(const struct elf_image *img, struct elf_symbols **out)
{
	struct elf_symbols *syms = calloc(1, sizeof(*syms));
	int err;

	*out = NULL;
	if (!syms)
		return -ENOMEM;
	err = note_sections(syms, img);
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
	if (syms->labels)
		qsort(syms->list + syms->count, syms->labels, sizeof(*syms->list), compare_symbols);
	*out = syms;
	return 0;
}

void elf_symbols__free(struct elf_symbols *syms)
{
	if (!syms)
		return;
	free(syms->list);
	free(syms->section_ends);
	free(syms->section_is_code);
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

size_t elf_symbols__index_end(const struct elf_symbols *syms)
{
	return syms->count + syms->labels;
}

/* How many of `count` symbols start at or below vaddr. */
static size_t upper_bound(const struct elf_symbol *list, size_t count, uint64_t vaddr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list[mid].vaddr <= vaddr)
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

static const struct elf_symbol *find(const struct elf_symbols *syms, const struct elf_symbol *list,
				     size_t count, uint64_t vaddr)
{
	size_t end = upper_bound(list, count, vaddr), tried = 0;
	const struct elf_symbol *found = NULL;
	uint64_t nearest;

	if (!end)
		return NULL;
	nearest = list[end - 1].vaddr;
	for (size_t i = end; i > 0 && tried < ENCLOSING_MAX; i--, tried++) {
		const struct elf_symbol *sym = &list[i - 1];

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

const struct elf_symbol *elf_symbols__find_address(const struct elf_symbols *syms, uint64_t vaddr)
{
	return find(syms, syms->list, syms->count, vaddr);
}

const struct elf_symbol *elf_symbols__find_code(const struct elf_symbols *syms, uint64_t vaddr)
{
	const struct elf_symbol *function = elf_symbols__find_address(syms, vaddr), *label;

	if (function && function->size)
		return function;
	label = find(syms, syms->list + syms->count, syms->labels, vaddr);
	/* A function without a size ends at the next label, too. */
	return label && (!function || label->vaddr > function->vaddr) ? label : function;
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
