// SPDX-License-Identifier: BSD-2-Clause
#include "stack/vdso.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target/maps.h"

#define VDSO_SIZE_MAX (1UL << 20)

static int copy_vdso(const struct maps *maps)
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

int vdso__open(void)
{
	struct maps maps = {0};
	int fd = maps__load(getpid(), &maps);

	if (!fd)
		fd = copy_vdso(&maps);
	maps__free(&maps);
	return fd;
}
