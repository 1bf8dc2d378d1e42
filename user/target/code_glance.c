// SPDX-License-Identifier: BSD-2-Clause
#include "target/code_glance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX (64UL << 20)

/* A word at a time: the lines are long and read often. Not for enemies. */
static uint64_t hash_line(uint64_t hash, const char *line, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); line += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, line, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	word = len;
	memcpy(&word, line, len);
	hash = (hash ^ word ^ 1) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/* "start-end r-xp offset dev inode path" */
static void take_line(const char *line, size_t len, struct code_glance *out)
{
	const char *flags = memchr(line, ' ', len);
	bool file;

	if (!flags || line + len - flags < 6 || flags[3] != 'x')
		return;
	file = !memmem(line, len, " 00:00 0", 8) && !memmem(line, len, " /memfd:", 8);
	if (file)
		out->files = hash_line(out->files, line, len);
	else
		out->made = hash_line(out->made, line, len);
}

/* Whole lines only; returns how many bytes these have. */
static size_t take_lines(const char *text, size_t len, struct code_glance *out)
{
	const char *at = text, *end = text + len, *eol;

	while (at < end && (eol = memchr(at, '\n', (size_t)(end - at)))) {
		take_line(at, (size_t)(eol - at), out);
		at = eol + 1;
	}
	return (size_t)(at - text);
}

void code_glance__parse(const char *text, size_t len, struct code_glance *out)
{
	*out = (struct code_glance){0};
	take_lines(text, len, out);
}

int code_glance(pid_t pid, struct code_glance *out)
{
	char text[16384], path[32];
	size_t have = 0, total = 0;
	int fd, ret = 0;

	*out = (struct code_glance){0};
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	for (;;) {
		ssize_t n = read(fd, text + have, sizeof(text) - have);
		size_t used;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || total > TEXT_MAX) {
			ret = n < 0 ? -errno : 0;
			break;
		}
		have += (size_t)n;
		total += (size_t)n;
		used = take_lines(text, have, out);
		/* A line longer than any path: what it begins with will do. */
		if (!used && have == sizeof(text))
			used = have;
		memmove(text, text + used, have - used);
		have -= used;
	}
	close(fd);
	return ret;
}
