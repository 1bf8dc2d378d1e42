// SPDX-License-Identifier: BSD-2-Clause
/* A file that may say anything, seen by everything that reads ELF files. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/debug_link.h"
#include "elf/exports.h"
#include "elf/fde.h"
#include "elf/fde_index.h"
#include "elf/image.h"
#include "elf/imports.h"
#include "elf/mini_debug.h"
#include "elf/notes.h"
#include "elf/runtime.h"
#include "elf/symbols.h"
#include "fuzz.h"
#include "fuzz_table.h"

#define SECTIONS_READ 64
#define FDES_READ     1000
/* Larger files only cost time: every field that can lie fits. */
#define SIZE_MAX_READ (1 << 20)

static void read_sections(const struct elf_image *img)
{
	struct elf_section sec;
	uint64_t vaddr, offset;

	for (size_t i = 0; i < SECTIONS_READ && elf_image__section_at(img, i, &sec); i++) {
		uint8_t *data;
		size_t size;

		if (!elf_image__load_section(img, &sec, (void **)&data, &size)) {
			if (data[size])
				abort();
			free(data);
		}
		if (!elf_image__vaddr_to_offset(img, sec.addr, &offset))
			elf_image__offset_to_vaddr(img, offset, &vaddr);
	}
	elf_image__section(img, ".text", &sec);
}

static void read_names(const struct elf_image *img)
{
	char build_id[ELF_BUILD_ID_HEX_MAX], soname[ELF_STRING_MAX];
	struct usdt_notes notes = {0};
	struct elf_imports *imports;
	struct elf_symbols *symbols;
	struct elf_runtime runtime;
	uint64_t vaddr;

	elf_image__build_id(img, build_id);
	elf_image__soname(img, soname, sizeof(soname));
	elf_image__is_symbolic(img);
	if (!elf_symbols__load(img, &symbols)) {
		for (size_t i = 0; i < elf_symbols__count(symbols); i++)
			elf_symbols__find_address(symbols, elf_symbols__at(symbols, i)->vaddr);
		elf_symbols__free(symbols);
	}
	usdt_notes__load(img, &notes);
	usdt_notes__free(&notes);
	elf_export__find(img, "malloc", &vaddr);
	elf_variable__find(img, "environ", &vaddr);
	if (!elf_imports__load(img, &imports)) {
		elf_imports__of_slot(imports, 0x1000);
		elf_imports__free(imports);
	}
	elf_runtime__detect(img, &runtime);
}

static void read_debug_information(const struct elf_image *img)
{
	struct elf_debug_altlink alt;
	struct elf_debug_link link;
	struct elf_symbols *symbols;
	struct elf_image *mini;

	if (!elf_debug_link__read(img, &link) &&
	    (!*link.name || strchr(link.name, '/') || !strcmp(link.name, "..")))
		abort();
	if (!elf_debug_altlink__read(img, &alt) && (!*alt.path || strlen(alt.build_id) != 40))
		abort();
	if (elf_mini_debug__open(img, &mini))
		return;
	if (!elf_symbols__load(mini, &symbols))
		elf_symbols__free(symbols);
	elf_image__free(mini);
}

static void read_fdes(const struct elf_image *img)
{
	struct fde_index *fdes;
	uint64_t at = 0, entry;

	if (fde_index__load(img, &fdes))
		return;
	for (int i = 0; i < FDES_READ && !fde_index__next_start(fdes, at, &at); i++) {
		vaddr_list pads = {0};
		struct fde fde;

		if (!fde_index__entry(fdes, at, &entry) && !fde__read(img, entry, &fde))
			fde__landing_pads(img, &fde, &pads);
		vec_free(&pads);
	}
	fde_index__free(fdes);
}

static void read_unwind_table(const struct elf_image *img)
{
	struct unwind_rules *rules = unwind_rules__new();
	struct unwind_table table;

	if (!rules)
		abort();
	if (!unwind_table__build(img, rules, &table)) {
		check_table(&table, rules);
		unwind_table__free(&table);
	}
	unwind_rules__free(rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);
	struct elf_image *img;
	const char *why = NULL;

	if (size > SIZE_MAX_READ)
		size = SIZE_MAX_READ;
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (elf_image__open_fd(fd, &img, &why)) {
		if (!why)
			abort();
		return 0;
	}
	read_sections(img);
	read_names(img);
	read_debug_information(img);
	read_fdes(img);
	read_unwind_table(img);
	elf_image__free(img);
	return 0;
}
