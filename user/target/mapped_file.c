// SPDX-License-Identifier: BSD-2-Clause
#include "target/mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "elf/openfile.h"

/*
 * Whether `fd` is the mapped file. File systems without a device of their own (btrfs, overlay:
 * major number 0) show different device numbers in maps and in stat; there the inode has to do.
 */
static bool is_mapped_file(int fd, const struct mapping *m)
{
	struct stat st;

	if (fstat(fd, &st) || st.st_ino != m->inode)
		return false;
	return st.st_dev == makedev(m->dev_major, m->dev_minor) || !m->dev_major ||
	       !major(st.st_dev);
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
