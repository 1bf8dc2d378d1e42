// SPDX-License-Identifier: BSD-2-Clause
/*
 * symbolize_rate [FILE [ADDRESSES]]: what a name costs, here and with eu-addr2line -f, for
 * addresses spread evenly over the code of FILE. Both read the file's symbols anew, which is
 * counted; we demangle, too. Prints one line; exits with 1 when something could not be measured.
 *
 *	libstdc++.so.6: 20000 addresses, 14808 named; perftrace 321 ns, eu-addr2line 263116 ns, ...
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "elf/openfile.h"
#include "stack/symbolize.h"

#define ROUNDS	3
#define LONG_NS (1 * NSEC_PER_SEC)

static uint64_t *addresses;
static size_t count;

/* Executable segments of the file; addresses are vaddrs. */
static int spread(const struct elf_image *img)
{
	uint64_t bytes = 0, n = 0;

	for (size_t i = 0; i < elf_image__segment_count(img); i++)
		if (elf_image__segment_at(img, i)->p_type == PT_LOAD &&
		    elf_image__segment_at(img, i)->p_flags & PF_X)
			bytes += elf_image__segment_at(img, i)->p_filesz;
	addresses = calloc(count, sizeof(*addresses));
	if (!addresses || bytes < count)
		return -1;
	for (size_t i = 0; i < elf_image__segment_count(img); i++) {
		const Elf64_Phdr *p = elf_image__segment_at(img, i);

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		for (uint64_t at = 0; at < p->p_filesz && n < count; at += bytes / count)
			addresses[n++] = p->p_vaddr + at;
	}
	count = n;
	return 0;
}

/* Nanoseconds for all; 0 = failed. The file is what this process maps. */
static uint64_t time_ours(const char *path, const struct elf_image *img, size_t *named)
{
	struct symbolizer *sym;
	struct maps own = {0}, maps = {0};
	struct mapping *m, *found = NULL;
	uint64_t began, took = 0, base;
	int fd = open_regular(AT_FDCWD, path);
	size_t size = elf_image__size(img);
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (at == MAP_FAILED || maps__load(getpid(), &own))
		return 0;
	vec_for_each (&own.list, m)
		if (m->start == (uint64_t)at)
			found = m;
	if (!found)
		return 0;
	found->executable = true;
	maps.list.data = found;
	maps.list.len = 1;
	base = found->start;
	*named = 0;
	began = clock_monotonic_ns();
	sym = symbolizer__new();
	if (sym && !symbolizer__add_layout(sym, 1, getpid(), &maps)) {
		for (size_t i = 0; i < count; i++) {
			struct frame frame;
			uint64_t offset;

			if (elf_image__vaddr_to_offset(img, addresses[i], &offset))
				continue;
			symbolizer__resolve(sym, 1, base + offset, false, &frame);
			*named += frame.function != NULL;
		}
		took = clock_monotonic_ns() - began;
	}
	symbolizer__free(sym);
	maps__free(&own);
	munmap(at, size);
	close(fd);
	return took;
}

static uint64_t time_theirs(const char *path, const char *list)
{
	char command[512];
	uint64_t began = clock_monotonic_ns();

	snprintf(command, sizeof(command), "eu-addr2line -f -e '%s' <%s >/dev/null 2>&1", path,
		 list);
	return system(command) ? 0 : clock_monotonic_ns() - began;
}

static int write_list(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return -1;
	for (size_t i = 0; i < count; i++)
		fprintf(f, "0x%" PRIx64 "\n", addresses[i]);
	return fclose(f);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/lib/x86_64-linux-gnu/libstdc++.so.6";
	uint64_t ours = UINT64_MAX, theirs = UINT64_MAX;
	char list[] = "/tmp/perftrace-addresses-XXXXXX";
	struct elf_image *img;
	size_t named = 0;
	int fd = open_regular(AT_FDCWD, path), list_fd;

	count = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
	if (fd < 0 || elf_image__open_fd(fd, &img, NULL) || !count || spread(img)) {
		fprintf(stderr, "symbolize_rate: cannot read %s\n", path);
		return 1;
	}
	list_fd = mkstemp(list);
	if (list_fd < 0 || write_list(list))
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t a = time_ours(path, img, &named), b = theirs;

		if (!i ||
		    theirs < LONG_NS) /* what takes seconds is not better for being repeated */
			b = time_theirs(path, list);
		ours = a < ours ? a : ours;
		theirs = b < theirs ? b : theirs;
	}
	unlink(list);
	close(list_fd);
	elf_image__free(img);
	if (!ours || !theirs) {
		fprintf(stderr, "symbolize_rate: %s failed\n", ours ? "eu-addr2line" : "perftrace");
		return 1;
	}
	printf("%s: %zu addresses, %zu named; perftrace %" PRIu64 " ns, eu-addr2line %" PRIu64
	       " ns, %.1f times\n",
	       strrchr(path, '/') ? strrchr(path, '/') + 1 : path, count, named, ours / count,
	       theirs / count, (double)theirs / (double)ours);
	return 0;
}
