// SPDX-License-Identifier: BSD-2-Clause
#include "target/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "elf/openfile.h"

static bool is_same_file(const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

/*
 * File systems without a device of their own (btrfs, overlay) show other numbers in maps than in
 * stat: of the device, and overlay also of the inode. What maps would show for a file is seen by
 * mapping it ourselves, which reads nothing of it.
 */
static bool shows_like(int fd, const struct mapping *m)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
	struct maps own = {0};
	const struct mapping *found = NULL;
	bool same;

	if (at == MAP_FAILED)
		return false;
	if (!maps__load(getpid(), &own))
		found = maps__find(&own, (uintptr_t)at);
	same = found && is_same_file(found, m);
	maps__free(&own);
	munmap(at, page);
	return same;
}

/* Whether `fd` is the mapped file. */
static bool is_mapped_file(int fd, const struct mapping *m)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	if (st.st_ino == m->inode && st.st_dev == makedev(m->dev_major, m->dev_minor))
		return true;
	/* On a real device stat tells the truth. */
	return !(m->dev_major && major(st.st_dev)) && shows_like(fd, m);
}

/* By the mapping itself: exact, also for deleted files, but needs more capabilities. */
static int open_by_mapping(pid_t pid, const struct mapping *m)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, m->start,
		 m->end);
	return open_regular(AT_FDCWD, path);
}

static int open_by_path(pid_t pid, const struct mapping *m)
{
	char path[32];
	int rootfd, fd;

	if (m->deleted || m->path[0] != '/')
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	rootfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0)
		return -errno;
	fd = open_regular_in_root(rootfd, m->path);
	close(rootfd);
	return fd;
}

int mapped_file__open(pid_t pid, const struct mapping *m)
{
	int fd = open_by_mapping(pid, m);

	if (fd < 0)
		fd = open_by_path(pid, m);
	if (fd >= 0 && !is_mapped_file(fd, m)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}
