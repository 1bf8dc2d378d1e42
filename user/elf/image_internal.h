/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files that implement elf/image.h, for nobody else. */
#ifndef PERFTRACE_ELF_IMAGE_INTERNAL_H
#define PERFTRACE_ELF_IMAGE_INTERNAL_H

#include <time.h>

#include "elf/image.h"

struct elf_image {
	int fd;
	uint16_t type;
	dev_t dev;
	ino_t inode;
	uint64_t size;
	struct timespec modified;
	Elf64_Shdr *sections;
	size_t section_count;
	Elf64_Phdr *segments;
	size_t segment_count;
	char *names; /* .shstrtab with a NUL behind it, or NULL */
	size_t names_size;
};

#endif
