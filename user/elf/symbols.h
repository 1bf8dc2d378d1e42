/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions an ELF image names in .symtab and .dynsym. */
#ifndef PERFTRACE_ELF_SYMBOLS_H
#define PERFTRACE_ELF_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/image.h"

#define ELF_SYMBOLS_MAX 4000000

struct elf_symbol {
	uint64_t vaddr;
	uint64_t size;	  /* bytes, 0 = not recorded (hand-written assembly) */
	const char *name; /* raw, at most ELF_STRING_MAX bytes; "??" when unreadable */
	uint16_t section; /* st_shndx */
	uint8_t binding;  /* STB_* */
	bool indirect;	  /* STT_GNU_IFUNC: vaddr is the resolver, not the function */
	bool dynamic;	  /* from .dynsym: other objects can call it */
	bool unnamed;	  /* its name is unreadable or longer than ELF_STRING_MAX */
};

struct elf_symbols;

/*
 * Symbols of both tables, sorted by vaddr; at one vaddr the name to show comes first. The image
 * must outlive the call only. An image without symbols gives an empty list and 0. A table that
 * cannot be read is left out; -E2BIG with more than ELF_SYMBOLS_MAX entries; -ENOMEM.
 */
int elf_symbols__load(const struct elf_image *img, struct elf_symbols **out);
void elf_symbols__free(struct elf_symbols *syms);

size_t elf_symbols__count(const struct elf_symbols *syms);
/* NULL when out of range; valid until elf_symbols__free(). */
const struct elf_symbol *elf_symbols__at(const struct elf_symbols *syms, size_t index);
size_t elf_symbols__index(const struct elf_symbols *syms, const struct elf_symbol *sym);
/* Behind the largest index that a function or label has. */
size_t elf_symbols__index_end(const struct elf_symbols *syms);

/*
 * The function that contains `vaddr`. A symbol of size 0 reaches to the next symbol or the end of
 * its section. NULL if none does.
 */
const struct elf_symbol *elf_symbols__find_address(const struct elf_symbols *syms, uint64_t vaddr);

/*
 * The same for names of code: where no function is, the label of hand-written assembly (no type,
 * often no size) in .symtab that covers `vaddr`. Labels are no functions otherwise: they are not
 * counted, looked up or found by the other calls.
 */
const struct elf_symbol *elf_symbols__find_code(const struct elf_symbols *syms, uint64_t vaddr);

/*
 * Iterates the definitions called `name`, whatever their version ("name@@GLIBC_2.14"). Start with
 * `after` NULL, go on with the last result. NULL at the end.
 */
const struct elf_symbol *elf_symbols__lookup(const struct elf_symbols *syms, const char *name,
					     const struct elf_symbol *after);

#endif
