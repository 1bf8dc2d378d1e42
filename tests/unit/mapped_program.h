/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that does not run, in front of the symbolizer. */
#ifndef PERFTRACE_TEST_MAPPED_PROGRAM_H
#define PERFTRACE_TEST_MAPPED_PROGRAM_H

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stack/symbolize.h"
#include "target/maps.h"

static inline void *map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	close(fd);
	return at;
}

/* A layout in which only `path` is, its code from address 0x400000 on. */
static inline void add_program(struct symbolizer *sym, const char *path)
{
	void *at = map_file(path);
	struct mapping *m, pretended = {0};
	struct maps own = {0}, maps = {.list = {&pretended, 1, 1}};

	assert_int_equal(maps__load(getpid(), &own), 0);
	vec_for_each (&own.list, m)
		if (m->start == (uint64_t)at)
			pretended = *m;
	assert_int_not_equal(pretended.inode, 0);
	pretended.executable = true;
	pretended.end = pretended.start + (1 << 20);
	assert_int_equal(symbolizer__add_layout(sym, 1, getpid(), &maps), 0);
	munmap(at, 4096);
	maps__free(&own);
}

#endif
