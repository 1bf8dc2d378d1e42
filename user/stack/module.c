// SPDX-License-Identifier: BSD-2-Clause
#include "stack/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/demangle.h"
#include "elf/mini_debug.h"
#include "stack/vdso.h"
#include "target/mapped_file.h"

#define STUB_SIZE 16 /* of a PLT entry, unless its section says 8 */

static void set_path(struct module *module, char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	module->path = path;
	module->name = slash && slash[1] ? slash + 1 : path;
}

struct module *module__new(const struct mapping *m)
{
	struct module *module = calloc(1, sizeof(*module));

	if (!module)
		return NULL;
	module->dev_major = m->dev_major;
	module->dev_minor = m->dev_minor;
	module->inode = m->inode;
	set_path(module, strdup(m->path));
	if (!module->path) {
		free(module);
		return NULL;
	}
	return module;
}

static void free_symbols(struct module_symbols *source)
{
	size_t n = source->symbols ? elf_symbols__index_end(source->symbols) : 0;

	for (size_t i = 0; source->readable && i < n; i++)
		free(source->readable[i]);
	free(source->readable);
	elf_symbols__free(source->symbols);
	*source = (struct module_symbols){.tried = true};
}

void module__free(struct module *module)
{
	if (!module)
		return;
	for (int i = 0; i < MODULE_SOURCES; i++)
		free_symbols(&module->sources[i]);
	elf_imports__free(module->imports);
	fde_index__free(module->functions);
	elf_image__free(module->common);
	elf_image__free(module->debug);
	elf_image__free(module->image);
	free(module->path);
	free(module);
}

static bool has_section(const struct elf_image *img, const char *name)
{
	struct elf_section sec;

	return !elf_image__section(img, name, &sec) && sec.type != SHT_NOBITS;
}

/* The image holds the file open from now on, so its names survive exit and unlink. */
static void take_image(struct module *module, int fd)
{
	if (elf_image__open_fd(fd, &module->image, NULL))
		return;
	elf_image__build_id(module->image, module->build_id);
	module->has_symtab = has_section(module->image, ".symtab");
}

static void open_debug_files(struct module *module, pid_t pid, struct debug_file_facts *facts)
{
	bool has_dwarf = has_section(module->image, ".debug_info"), in_our_root = false;
	char path[32];
	int root;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!has_dwarf || !module->has_symtab)
		debug_file__open(module->image, module->path, root, facts, &module->debug,
				 &in_our_root);
	module->dwarf = has_dwarf ? module->image : module->debug;
	if (module->dwarf)
		debug_file__open_common(module->dwarf, !has_dwarf && in_our_root ? -1 : root, facts,
					&module->common);
	if (root >= 0)
		close(root);
}

void module__open(struct module *module, pid_t pid, const struct mapping *m,
		  struct debug_file_facts *facts)
{
	int fd;

	if (module->image)
		return;
	fd = mapped_file__open(pid, m);
	if (fd < 0)
		return;
	take_image(module, fd);
	if (module->image)
		open_debug_files(module, pid, facts);
}

struct module *module__new_vdso(void)
{
	static char name[] = "[vdso]";
	const struct mapping pretended = {.path = name};
	struct module *module = NULL;
	int fd = vdso__open();

	if (fd >= 0) {
		module = module__new(&pretended);
		if (module)
			take_image(module, fd);
		else
			close(fd);
	}
	return module;
}

static void load_symbols(struct module_symbols *source, const struct elf_image *img)
{
	/* Overwritten in place, before or while it was read: its symbols are those of other code.
	 */
	if (elf_image__changed(img) || elf_symbols__load(img, &source->symbols))
		return;
	source->readable = calloc(elf_symbols__index_end(source->symbols) + 1, sizeof(char *));
	if (!source->readable || elf_image__changed(img))
		free_symbols(source);
}

static void load_mini_debug(struct module_symbols *source, const struct elf_image *img)
{
	struct elf_image *mini;

	if (elf_image__changed(img) || elf_mini_debug__open(img, &mini))
		return;
	load_symbols(source, mini);
	elf_image__free(mini);
	if (elf_image__changed(img))
		free_symbols(source);
}

static struct module_symbols *ask(struct module *module, enum module_source which)
{
	struct module_symbols *source = &module->sources[which];

	if (source->tried)
		return source;
	source->tried = true;
	if (which == MODULE_OWN)
		load_symbols(source, module->image);
	else if (!module->has_symtab && which == MODULE_MINI)
		load_mini_debug(source, module->image);
	else if (!module->has_symtab && module->debug)
		load_symbols(source, module->debug);
	return source;
}

static const char *readable_name(struct module_symbols *source, const struct elf_symbol *symbol)
{
	char **readable = &source->readable[elf_symbols__index(source->symbols, symbol)];

	if (!*readable)
		*readable = demangle(symbol->name);
	return *readable ? *readable : symbol->name;
}

static bool is_plt(const struct elf_section *sec, uint64_t vaddr)
{
	return (sec->flags & SHF_EXECINSTR) && vaddr >= sec->addr &&
	       vaddr - sec->addr < sec->size && !strncmp(sec->name, ".plt", 4);
}

/* The linker's stubs have no symbols; they are called after the function they jump to. */
static bool find_stub(struct module *module, uint64_t vaddr, struct string_pool *pool,
		      struct module_name *out)
{
	const char *callee = NULL;
	struct elf_section sec = {0};
	char name[300];
	uint64_t size;
	int len;

	for (size_t i = 1; elf_image__section_at(module->image, i, &sec); i++)
		if (is_plt(&sec, vaddr))
			break;
	if (!is_plt(&sec, vaddr) || elf_image__changed(module->image))
		return false;
	if (!module->imports_tried) {
		module->imports_tried = true;
		elf_imports__load(module->image, &module->imports);
	}
	size = sec.entsize == 8 ? 8 : STUB_SIZE;
	out->start = vaddr - (vaddr - sec.addr) % size;
	if (module->imports)
		callee = elf_imports__of_stub(module->imports, module->image, out->start);
	if (!callee)
		return false;
	len = snprintf(name, sizeof(name), "%s@plt", callee);
	if (len >= (int)sizeof(name))
		return false;
	out->readable = out->raw = string_pool__add(pool, name, (size_t)len);
	return out->raw != NULL;
}

bool module__find(struct module *module, uint64_t vaddr, struct string_pool *pool,
		  struct module_name *out)
{
	const struct elf_symbol *found = NULL;
	struct module_symbols *from = NULL;

	if (!module->image)
		return false;
	/* A symbol without a size only covers what nobody else claims. */
	for (int i = 0; i < MODULE_SOURCES && (!found || !found->size); i++) {
		struct module_symbols *source = ask(module, i);
		const struct elf_symbol *symbol =
			source->symbols ? elf_symbols__find_code(source->symbols, vaddr) : NULL;

		if (!symbol || symbol->unnamed || (found && !symbol->size))
			continue;
		found = symbol;
		from = source;
	}
	if (!found)
		return find_stub(module, vaddr, pool, out);
	out->raw = found->name;
	out->readable = readable_name(from, found);
	out->start = found->vaddr;
	return true;
}

uint64_t module__function_start(struct module *module, uint64_t vaddr)
{
	uint64_t start;

	if (!module->functions_tried) {
		module->functions_tried = true;
		if (module->image && !elf_image__changed(module->image))
			fde_index__load(module->image, &module->functions);
	}
	if (!module->functions || fde_index__function_start(module->functions, vaddr, &start))
		return 0;
	return start;
}
