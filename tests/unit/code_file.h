/* SPDX-License-Identifier: BSD-2-Clause */
/* Small ELF files of known shape: one executable segment and, if wanted, a build-id. */
#ifndef PERFTRACE_TESTS_CODE_FILE_H
#define PERFTRACE_TESTS_CODE_FILE_H

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "target/maps.h"

#define CODE_OFFSET 0x1000 /* of the segment in the file */

struct code_file {
	char path[64];
	struct stat st;
};

/* Where a test makes them: code_dir__make() as its group's set-up, code_dir__remove() as the end.
 */
static char code_dir[] = "/tmp/perftrace-code.XXXXXX";

static inline int code_dir__make(void **state)
{
	return mkdtemp(code_dir) ? 0 : -1;
}

static inline int code_dir__remove(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", code_dir);
	return system(command);
}

/* `id` 0 = no build-id; `vaddr` of the segment, `size` its bytes. */
static inline void code_file__write(struct code_file *f, const char *dir, const char *name, int id,
				    uint64_t vaddr, uint64_t size)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segments[2];
		Elf64_Nhdr note;
		char owner[4], id[20];
	} file = {
		.header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = ET_DYN,
			   .e_machine = EM_X86_64,
			   .e_version = EV_CURRENT,
			   .e_phoff = sizeof(Elf64_Ehdr),
			   .e_ehsize = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = id ? 2 : 1},
		.segments = {{.p_type = PT_LOAD,
			      .p_flags = PF_R | PF_X,
			      .p_offset = CODE_OFFSET,
			      .p_vaddr = vaddr,
			      .p_filesz = size,
			      .p_memsz = size,
			      .p_align = 0x1000},
			     {.p_type = PT_NOTE, .p_flags = PF_R, .p_align = 4}},
		.note = {.n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID},
		.owner = "GNU",
	};
	int fd;

	file.segments[1].p_offset = offsetof(__typeof__(file), note);
	file.segments[1].p_filesz = sizeof(file) - offsetof(__typeof__(file), note);
	memset(file.id, id, sizeof(file.id));
	snprintf(f->path, sizeof(f->path), "%s/%s", dir, name);
	unlink(f->path);
	fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
	assert_int_equal(ftruncate(fd, CODE_OFFSET + size), 0);
	assert_int_equal(fstat(fd, &f->st), 0);
	close(fd);
}

/* An executable mapping of the file's segment; `f` NULL = of code made at run time. */
static inline void code_file__add(struct maps *maps, const struct code_file *f, uint64_t start,
				  uint64_t size)
{
	struct mapping *m = vec_push(&maps->list);

	assert_non_null(m);
	*m = (struct mapping){.start = start, .end = start + size, .executable = true};
	m->path = strdup(f ? f->path : "");
	if (!f)
		return;
	m->file_offset = CODE_OFFSET;
	m->inode = f->st.st_ino;
	m->dev_major = major(f->st.st_dev);
	m->dev_minor = minor(f->st.st_dev);
}

#endif
