// SPDX-License-Identifier: BSD-2-Clause
#include "target/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"

#define TEXT_MAX (64UL << 20)

/* A place in one line; the line is not NUL-terminated. */
struct cursor {
	const char *at, *end;
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* At least one digit, no overflow. */
static bool take_digits(struct cursor *c, unsigned int base, uint64_t *out)
{
	const char *first = c->at;
	int d;

	*out = 0;
	for (; c->at < c->end && (d = digit(*c->at)) >= 0 && (unsigned int)d < base; c->at++)
		if (__builtin_mul_overflow(*out, base, out) ||
		    __builtin_add_overflow(*out, (unsigned int)d, out))
			return false;
	return c->at != first;
}

static bool take_number(struct cursor *c, unsigned int base, char stop, uint64_t *out)
{
	return take_digits(c, base, out) && c->at < c->end && *c->at++ == stop;
}

/* One of two permission letters; anything else spoils the line. */
static bool take_flag(struct cursor *c, char yes, char no, bool *out)
{
	if (c->at == c->end || (*c->at != yes && *c->at != no))
		return false;
	*out = *c->at++ == yes;
	return true;
}

static bool take_device(struct cursor *c, struct mapping *m)
{
	uint64_t major_nr, minor_nr;

	if (!take_number(c, 16, ':', &major_nr) || !take_number(c, 16, ' ', &minor_nr) ||
	    major_nr > UINT32_MAX || minor_nr > UINT32_MAX)
		return false;
	m->dev_major = (uint32_t)major_nr;
	m->dev_minor = (uint32_t)minor_nr;
	return true;
}

/* The kernel writes a newline inside a path as \012, and nothing else is escaped. */
static char *take_path(struct cursor *c, bool *deleted)
{
	static const char suffix[] = " (deleted)";
	size_t len, out = 0;
	char *path;

	while (c->at < c->end && *c->at == ' ')
		c->at++;
	len = (size_t)(c->end - c->at);
	*deleted = len > sizeof(suffix) - 1 &&
		   !memcmp(c->end - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1);
	if (*deleted)
		len -= sizeof(suffix) - 1;
	path = malloc(len + 1);
	if (!path)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (len - i >= 4 && !memcmp(c->at + i, "\\012", 4)) {
			path[out++] = '\n';
			i += 3;
		} else {
			path[out++] = c->at[i];
		}
	}
	path[out] = '\0';
	return path;
}

static bool parse_line(struct cursor c, struct mapping *m, struct cursor *path)
{
	if (!take_number(&c, 16, '-', &m->start) || !take_number(&c, 16, ' ', &m->end) ||
	    m->start >= m->end || memchr(c.at, '\0', (size_t)(c.end - c.at)))
		return false;
	if (!take_flag(&c, 'r', '-', &m->readable) || !take_flag(&c, 'w', '-', &m->writable) ||
	    !take_flag(&c, 'x', '-', &m->executable) || !take_flag(&c, 's', 'p', &m->shared) ||
	    c.at == c.end || *c.at++ != ' ')
		return false;
	if (!take_number(&c, 16, ' ', &m->file_offset) || !take_device(&c, m) ||
	    !take_digits(&c, 10, &m->inode) || (c.at < c.end && *c.at != ' '))
		return false;
	*path = c;
	return true;
}

static bool in_order(const struct maps *maps, const struct mapping *m)
{
	return !maps->list.len || maps->list.data[maps->list.len - 1].end <= m->start;
}

static int add_line(struct cursor line, struct maps *maps)
{
	struct mapping found = {0}, *slot;
	struct cursor path;

	if (!parse_line(line, &found, &path) || !in_order(maps, &found)) {
		maps->bad_lines++;
		return 0;
	}
	found.path = take_path(&path, &found.deleted);
	slot = found.path ? vec_push(&maps->list) : NULL;
	if (!slot) {
		free(found.path);
		return -ENOMEM;
	}
	*slot = found;
	return 0;
}

int maps__parse(const char *text, size_t len, struct maps *maps)
{
	const char *end = text + len;
	int err = 0;

	while (!err && text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		struct cursor line = {text, eol ? eol : end};

		err = add_line(line, maps);
		text = eol ? eol + 1 : end;
	}
	return err;
}

static int read_text(int fd, struct strbuf *text)
{
	char chunk[16384];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return strbuf_error(text);
		strbuf_add(text, chunk, (size_t)n);
		if (text->len > TEXT_MAX)
			return -EFBIG;
	}
}

static bool is_next_part(const struct mapping *m, const struct mapping *before)
{
	return before && m->dev_major == before->dev_major && m->dev_minor == before->dev_minor &&
	       m->inode == before->inode && !strcmp(m->path, before->path);
}

/*
 * Device numbers with major 0 belong to no device. map_files leads to the very file; what is known
 * about it will do, a file server that does not answer is not asked.
 */
static void look_up_files(pid_t pid, struct maps *maps)
{
	struct mapping text = {0}, *m;
	const struct mapping *before = NULL;

	vec_for_each (&maps->list, m) {
		bool again = before && is_next_part(m, &text);
		struct statx st;
		char path[80];

		if (!m->inode || m->dev_major)
			continue;
		text = *m;
		if (again) {
			m->dev_major = before->dev_major;
			m->dev_minor = before->dev_minor;
			m->inode = before->inode;
			continue;
		}
		before = m;
		snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid,
			 m->start, m->end);
		if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &st))
			continue;
		m->dev_major = st.stx_dev_major;
		m->dev_minor = st.stx_dev_minor;
		m->inode = st.stx_ino;
	}
}

int maps__load(pid_t pid, struct maps *maps)
{
	struct strbuf text = {0};
	char path[32];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	err = read_text(fd, &text);
	close(fd);
	if (!err)
		err = maps__parse(strbuf_str(&text), text.len, maps);
	if (!err)
		look_up_files(pid, maps);
	strbuf_free(&text);
	return err;
}

const struct mapping *maps__find(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->list.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (maps->list.data[mid].end <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < maps->list.len && maps->list.data[low].start <= address)
		return &maps->list.data[low];
	return NULL;
}

void maps__free(struct maps *maps)
{
	struct mapping *m;

	vec_for_each (&maps->list, m)
		free(m->path);
	vec_free(&maps->list);
	maps->bad_lines = 0;
}
