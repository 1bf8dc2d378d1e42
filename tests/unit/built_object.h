/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects made with the compiler and binutils while a test runs, in a directory of their own. */
#ifndef PERFTRACE_TEST_BUILT_OBJECT_H
#define PERFTRACE_TEST_BUILT_OBJECT_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/image.h"
#include "elf/openfile.h"

/* A sandbox: built_dir__make() enters it, built_dir__remove() leaves and deletes it. */
static char built_dir[] = "/tmp/perftrace-built-XXXXXX";

/* Runs a shell command; the test fails when it does. */
__attribute__((format(printf, 1, 2))) static inline void sh(const char *fmt, ...)
{
	char command[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command))
		fail_msg("failed: %s", command);
}

static inline void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static inline void write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

/* The vaddr of a symbol, as nm(1) listed it in `list`. */
static inline uint64_t built_vaddr(const char *list, const char *name)
{
	char line[256], symbol[128];
	FILE *f = fopen(list, "r");
	unsigned long at, found = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx %*c %127s", &at, symbol) == 2 && !strcmp(symbol, name))
			found = at;
	fclose(f);
	assert_int_not_equal(found, 0);
	return found;
}

static inline int built_dir__make(void **state)
{
	/* What is started here is no business of the sanitizers. */
	unsetenv("LD_PRELOAD");
	strcpy(built_dir + strlen(built_dir) - 6, "XXXXXX");
	return mkdtemp(built_dir) && !chdir(built_dir) ? 0 : -1;
}

static inline int built_dir__remove(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", built_dir);
	return chdir("/") || system(command);
}

static inline struct elf_image *open_built(const char *path)
{
	struct elf_image *img;
	int fd = open_regular(AT_FDCWD, path);

	assert_true(fd >= 0);
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	return img;
}

#endif
