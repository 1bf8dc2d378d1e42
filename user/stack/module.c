// SPDX-License-Identifier: BSD-2-Clause
#include "stack/module.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/demangle.h"
#include "target/mapped_file.h"

#define VDSO_SIZE_MAX (1UL << 20)

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

void module__free(struct module *module)
{
	if (!module)
		return;
	for (size_t i = 0; module->readable && i < elf_symbols__count(module->symbols); i++)
		free(module->readable[i]);
	free(module->readable);
	elf_symbols__free(module->symbols);
	elf_image__free(module->image);
	free(module->path);
	free(module);
}

/* The image holds the file open from now on, so its names survive exit and unlink. */
static void take_image(struct module *module, int fd)
{
	if (!elf_image__open_fd(fd, &module->image, NULL))
		elf_image__build_id(module->image, module->build_id);
}

void module__open(struct module *module, pid_t pid, const struct mapping *m)
{
	int fd;

	if (module->image)
		return;
	fd = mapped_file__open(pid, m);
	if (fd >= 0)
		take_image(module, fd);
}

/* Copies the vdso of this process into a file, which the ELF reader can read. */
static int vdso_file(const struct maps *maps)
{
	const struct mapping *m;
	size_t size;
	int fd;

	vec_for_each (&maps->list, m)
		if (!strcmp(m->path, "[vdso]"))
			break;
	if (!maps->list.data || m == maps->list.data + maps->list.len)
		return -ENOENT;
	size = m->end - m->start;
	if (size > VDSO_SIZE_MAX)
		return -EFBIG;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, (const void *)(uintptr_t)m->start, size) != (ssize_t)size) {
		close(fd);
		return -EIO;
	}
	return fd < 0 ? -errno : fd;
}

struct module *module__new_vdso(void)
{
	static char name[] = "[vdso]";
	const struct mapping pretended = {.path = name};
	struct module *module = NULL;
	struct maps maps = {0};
	int fd = maps__load(getpid(), &maps);

	if (!fd)
		fd = vdso_file(&maps);
	if (fd >= 0) {
		module = module__new(&pretended);
		if (module)
			take_image(module, fd);
		else
			close(fd);
	}
	maps__free(&maps);
	return module;
}

static void load_symbols(struct module *module)
{
	module->symbols_tried = true;
	/* Overwritten in place since: its symbols are those of other code. */
	if (!module->image || elf_image__changed(module->image) ||
	    elf_symbols__load(module->image, &module->symbols))
		return;
	module->readable = calloc(elf_symbols__count(module->symbols) + 1, sizeof(char *));
	if (!module->readable) {
		elf_symbols__free(module->symbols);
		module->symbols = NULL;
	}
}

const struct elf_symbol *module__function(struct module *module, uint64_t vaddr)
{
	if (!module->symbols_tried)
		load_symbols(module);
	return module->symbols ? elf_symbols__find_address(module->symbols, vaddr) : NULL;
}

const char *module__readable(struct module *module, const struct elf_symbol *function)
{
	char **readable = &module->readable[elf_symbols__index(module->symbols, function)];

	if (!*readable)
		*readable = demangle(function->name);
	return *readable ? *readable : function->name;
}
