// SPDX-License-Identifier: BSD-2-Clause
#include "elf/openfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Turns an O_PATH descriptor, which it closes, into a readable one. */
static int reopen_regular(int path_fd)
{
	char link[sizeof("/proc/self/fd/") + 11];
	struct stat st;
	int fd;

	if (fstat(path_fd, &st)) {
		fd = -errno;
	} else if (!S_ISREG(st.st_mode)) {
		fd = -EINVAL;
	} else {
		/* Through /proc/self/fd it is the very file that was checked, not its name. */
		snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
		fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0)
			fd = -errno;
	}
	close(path_fd);
	return fd;
}

int open_regular(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : reopen_regular(fd);
}

static int open_in_root(int rootfd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(O_PATH | O_CLOEXEC | flags),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, rootfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : reopen_regular(fd);
}

int open_regular_in_root(int rootfd, const char *path)
{
	return open_in_root(rootfd, path, 0);
}

int open_regular_in_root_nofollow(int rootfd, const char *path)
{
	return open_in_root(rootfd, path, O_NOFOLLOW);
}
