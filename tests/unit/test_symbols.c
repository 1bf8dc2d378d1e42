// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/fde_index.h"
#include "elf/openfile.h"
#include "elf/symbols.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

static struct elf_image *open_image(const char *path)
{
	struct elf_image *img;
	int fd = open_regular(AT_FDCWD, path);

	if (fd < 0 || elf_image__open_fd(fd, &img, NULL))
		return NULL;
	return img;
}

__attribute__((noinline, used)) int symbols_test_function(int x);
int symbols_test_function(int x)
{
	return x * 3 + 1;
}

static uint64_t own_bias(void)
{
	Dl_info info;
	struct link_map *map;

	assert_true(dladdr1((void *)symbols_test_function, &info, (void **)&map, RTLD_DL_LINKMAP));
	return map->l_addr;
}

static void own_functions_are_found(void **state)
{
	struct elf_image *img = open_image("/proc/self/exe");
	uint64_t vaddr = (uint64_t)symbols_test_function - own_bias();
	const struct elf_symbol *sym;
	struct elf_symbols *syms;

	assert_non_null(img);
	assert_int_equal(elf_symbols__load(img, &syms), 0);
	sym = elf_symbols__find_address(syms, vaddr + 2);
	assert_non_null(sym);
	assert_string_equal(sym->name, "symbols_test_function");
	assert_int_equal(sym->vaddr, vaddr);
	sym = elf_symbols__lookup(syms, "symbols_test_function", NULL);
	assert_non_null(sym);
	assert_int_equal(sym->vaddr, vaddr);
	assert_null(elf_symbols__lookup(syms, "symbols_test_functio", NULL));
	assert_null(elf_symbols__find_address(syms, UINT64_MAX));
	assert_null(elf_symbols__find_address(syms, 0));
	elf_symbols__free(syms);
	elf_image__free(img);
}

static void libc_exports(void **state)
{
	struct elf_image *img = open_image(LIBC);
	const struct elf_symbol *sym = NULL;
	struct elf_symbols *syms;
	int found = 0;

	if (!img)
		skip();
	assert_int_equal(elf_symbols__load(img, &syms), 0);
	sym = elf_symbols__lookup(syms, "malloc", NULL);
	assert_non_null(sym);
	assert_true(sym->dynamic);
	assert_false(sym->indirect);
	/* __libc_malloc has the same address; malloc is the name to show. */
	assert_string_equal(elf_symbols__find_address(syms, sym->vaddr + 5)->name, "malloc");
	sym = elf_symbols__lookup(syms, "memcpy", NULL);
	assert_non_null(sym);
	for (sym = NULL; (sym = elf_symbols__lookup(syms, "memcpy", sym));)
		found += sym->indirect;
	assert_true(found >= 1);
	elf_symbols__free(syms);
	elf_image__free(img);
}

static void order_and_search_agree(void **state)
{
	struct elf_image *img = open_image(LIBC);
	struct elf_symbols *syms;

	if (!img)
		skip();
	assert_int_equal(elf_symbols__load(img, &syms), 0);
	assert_true(elf_symbols__count(syms) > 1000);
	for (size_t i = 0; i < elf_symbols__count(syms); i++) {
		const struct elf_symbol *sym = elf_symbols__at(syms, i), *found;

		assert_true(!i || elf_symbols__at(syms, i - 1)->vaddr <= sym->vaddr);
		found = elf_symbols__find_address(syms, sym->vaddr);
		assert_non_null(found);
		assert_int_equal(found->vaddr, sym->vaddr);
		if (sym->size) {
			found = elf_symbols__find_address(syms, sym->vaddr + sym->size - 1);
			assert_non_null(found);
			assert_true(found->vaddr >= sym->vaddr);
		}
	}
	assert_null(elf_symbols__at(syms, elf_symbols__count(syms)));
	elf_symbols__free(syms);
	elf_image__free(img);
}

static void function_starts_from_unwind_table(void **state)
{
	struct elf_image *img = open_image(LIBC);
	const struct elf_symbol *malloc_sym, *free_sym;
	struct elf_symbols *syms;
	struct fde_index *fdes;
	uint64_t start;

	if (!img)
		skip();
	assert_int_equal(elf_symbols__load(img, &syms), 0);
	assert_int_equal(fde_index__load(img, &fdes), 0);
	assert_true(fde_index__count(fdes) > 1000);
	malloc_sym = elf_symbols__lookup(syms, "malloc", NULL);
	free_sym = elf_symbols__lookup(syms, "free", NULL);
	assert_int_equal(fde_index__function_start(fdes, malloc_sym->vaddr + 9, &start), 0);
	assert_int_equal(start, malloc_sym->vaddr);
	assert_int_equal(fde_index__function_start(fdes, free_sym->vaddr, &start), 0);
	assert_int_equal(start, free_sym->vaddr);
	assert_int_equal(fde_index__function_start(fdes, 0, &start), -ENOENT);
	assert_int_equal(fde_index__next_start(fdes, free_sym->vaddr, &start), 0);
	assert_true(start > free_sym->vaddr);
	fde_index__free(fdes);
	elf_symbols__free(syms);
	elf_image__free(img);
}

/* One file with a symbol table made by hand. */
struct crafted {
	Elf64_Ehdr h;
	Elf64_Shdr s[4]; /* null, .text, symtab, strtab */
	Elf64_Sym syms[6];
	char strings[9000];
};

static struct elf_symbols *load_crafted(const struct crafted *f)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);
	struct elf_symbols *syms;
	struct elf_image *img;

	assert_int_equal(write(fd, f, sizeof(*f)), sizeof(*f));
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	assert_int_equal(elf_symbols__load(img, &syms), 0);
	elf_image__free(img);
	return syms;
}

static void craft(struct crafted *f)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->h.e_ident, ELFMAG, SELFMAG);
	f->h.e_ident[EI_CLASS] = ELFCLASS64;
	f->h.e_ident[EI_DATA] = ELFDATA2LSB;
	f->h.e_ident[EI_VERSION] = f->h.e_version = EV_CURRENT;
	f->h.e_type = ET_DYN;
	f->h.e_machine = EM_X86_64;
	f->h.e_shoff = offsetof(struct crafted, s);
	f->h.e_shentsize = sizeof(Elf64_Shdr);
	f->h.e_shnum = 4;
	f->s[1] = (Elf64_Shdr){.sh_type = SHT_PROGBITS, .sh_addr = 0x1000, .sh_size = 0x1000};
	f->s[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
			       .sh_offset = offsetof(struct crafted, syms),
			       .sh_size = sizeof(f->syms),
			       .sh_entsize = sizeof(Elf64_Sym),
			       .sh_link = 3};
	f->s[3] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
			       .sh_offset = offsetof(struct crafted, strings),
			       .sh_size = sizeof(f->strings)};
	strcpy(f->strings + 1, "good");
	memset(f->strings + 100, 'n', 8899);
	for (int i = 1; i < 6; i++)
		f->syms[i] = (Elf64_Sym){.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					 .st_shndx = 1,
					 .st_value = 0x1000 + 0x100 * i,
					 .st_name = 1};
}

static void bad_names_and_sizes(void **state)
{
	struct crafted *f = malloc(sizeof(*f));
	struct elf_symbols *syms;

	craft(f);
	f->syms[2].st_name = 0xfffffff0; /* beyond the strings */
	f->syms[3].st_name = 100;	 /* longer than ELF_STRING_MAX */
	f->syms[4].st_size = UINT64_MAX; /* wraps around */
	f->strings[sizeof(f->strings) - 1] = 'n';
	syms = load_crafted(f);
	assert_int_equal(elf_symbols__count(syms), 5);
	assert_string_equal(elf_symbols__find_address(syms, 0x1180)->name, "good");
	assert_string_equal(elf_symbols__find_address(syms, 0x1280)->name, "??");
	assert_string_equal(elf_symbols__find_address(syms, 0x1380)->name, "??");
	assert_int_equal(elf_symbols__find_address(syms, 0x1480)->vaddr, 0x1400);
	/* The last one has no size: it reaches to the end of its section. */
	assert_non_null(elf_symbols__find_address(syms, 0x1fff));
	assert_null(elf_symbols__find_address(syms, 0x2000));
	assert_null(elf_symbols__find_address(syms, 0x10ff));
	elf_symbols__free(syms);
	free(f);
}

static void versioned_and_enclosing(void **state)
{
	struct crafted *f = malloc(sizeof(*f));
	const struct elf_symbol *sym;
	struct elf_symbols *syms;

	craft(f);
	strcpy(f->strings + 20, "good@@V2");
	f->syms[2].st_name = 20;
	f->syms[1].st_size = 0x1000; /* encloses the others */
	for (int i = 2; i < 6; i++)
		f->syms[i].st_size = 0x10;
	syms = load_crafted(f);
	sym = elf_symbols__lookup(syms, "good", NULL);
	assert_int_equal(sym->vaddr, 0x1100);
	sym = elf_symbols__lookup(syms, "good", sym);
	assert_int_equal(sym->vaddr, 0x1200);
	assert_int_equal(elf_symbols__find_address(syms, 0x1305)->vaddr, 0x1300);
	assert_int_equal(elf_symbols__find_address(syms, 0x1350)->vaddr, 0x1100);
	elf_symbols__free(syms);
	free(f);
}

static void labels_of_assembly(void **state)
{
	/* A label, a function without a size, a label in it, and a label in data. */
	static const char source[] = ".text\n.globl _start\n_start:\n nop\n nop\n"
				     ".type sizeless,@function\nsizeless:\n nop\n nop\n"
				     "inner:\n nop\n nop\n"
				     ".type whole,@function\nwhole:\n nop\nlooped:\n nop\n"
				     ".size whole,.-whole\n"
				     ".data\ndatum:\n .quad 1\n";
	char dir[] = "/tmp/perftrace-labels-XXXXXX", command[256], path[64];
	static const char *const wanted[] = {"_start", "_start", "sizeless", "sizeless",
					     "inner",  "inner",	 "whole",    "whole"};
	const struct elf_symbol *symbol;
	struct elf_symbols *syms;
	struct elf_image *img;
	struct elf_section text;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/o.s", dir);
	f = fopen(path, "w");
	fputs(source, f);
	fclose(f);
	snprintf(command, sizeof(command), "gcc -nostdlib -static -o %s/o %s", dir, path);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/o", dir);
	img = open_image(path);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	assert_non_null(img);
	assert_int_equal(elf_symbols__load(img, &syms), 0);
	assert_int_equal(elf_image__section(img, ".text", &text), 0);
	for (size_t i = 0; i < 8; i++) {
		symbol = elf_symbols__find_code(syms, text.addr + i);
		assert_non_null(symbol);
		assert_string_equal(symbol->name, wanted[i]);
		assert_in_range(elf_symbols__index(syms, symbol), 0,
				elf_symbols__index_end(syms) - 1);
	}
	/* Who asks for functions gets functions. */
	assert_null(elf_symbols__find_address(syms, text.addr));
	assert_null(elf_symbols__lookup(syms, "_start", NULL));
	assert_null(elf_symbols__lookup(syms, "inner", NULL));
	assert_int_equal(elf_symbols__count(syms), 2);
	assert_int_equal(elf_image__section(img, ".data", &text), 0);
	assert_null(elf_symbols__find_code(syms, text.addr));
	elf_symbols__free(syms);
	elf_image__free(img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_functions_are_found),
		cmocka_unit_test(libc_exports),
		cmocka_unit_test(order_and_search_agree),
		cmocka_unit_test(function_starts_from_unwind_table),
		cmocka_unit_test(bad_names_and_sizes),
		cmocka_unit_test(versioned_and_enclosing),
		cmocka_unit_test(labels_of_assembly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
