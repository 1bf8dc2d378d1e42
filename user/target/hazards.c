// SPDX-License-Identifier: BSD-2-Clause
#include "target/hazards.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A process may be in 65536 groups, each with a number in its status. */
#define STATUS_MAX (1U << 20)

void hazards__parse(const char *status, struct hazards *out)
{
	const char *line = strstr(status, "\nSeccomp:");

	if (line && strtol(line + strlen("\nSeccomp:"), NULL, 10) != 0)
		out->seccomp = true;
	line = strstr(status, "\nx86_Thread_features:");
	if (line) {
		const char *end = strchr(line + 1, '\n'), *word = strstr(line, "shstk");

		if (word && (!end || word < end))
			out->shadow_stack = true;
	}
}

static int read_status(int dir, const char *path, char *buf, struct hazards *out)
{
	size_t len = 0;
	ssize_t n = 0;
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (len < STATUS_MAX && (n = read(fd, buf + len, STATUS_MAX - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		n = -errno;
	close(fd);
	buf[len] = '\0';
	if (n >= 0)
		hazards__parse(buf, out);
	return n < 0 ? (int)n : 0;
}

int hazards__read(pid_t pid, struct hazards *out)
{
	char path[64], *buf = malloc(STATUS_MAX + 1);
	struct dirent *entry;
	int err = -ESRCH;
	DIR *dir;

	memset(out, 0, sizeof(*out));
	if (!buf)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		err = errno == ENOENT ? -ESRCH : -errno;
	/* A thread that is gone by now does not matter, one that can be read is enough. */
	while (dir && (entry = readdir(dir))) {
		int one;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%.20s/status", entry->d_name);
		one = read_status(dirfd(dir), path, buf, out);
		if (err)
			err = one == -ENOENT ? -ESRCH : one;
	}
	if (dir)
		closedir(dir);
	free(buf);
	return err;
}
