// SPDX-License-Identifier: BSD-2-Clause
#include "output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/invoker.h"

#define NEW_FILE_MODE 0600
#define OPEN_FLAGS    (O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY)
/* No errno says "everybody may write here"; this one cannot come from a local file system. */
#define EXPOSED_DIRECTORY -ESTALE

#define PENDING_MAX (64 * 1024) /* bytes of lines kept back at most */

struct sink {
	int fd, directory; /* -1 = none */
	bool is_stdout;
	int error;
	char *path;
	const char *base;      /* file name inside `directory`, within `path` */
	char *temporary;       /* name of the document while it is written, NULL = none */
	struct strbuf pending; /* whole lines not written yet */
	struct invoker invoker;
};

static const char *advice(int ret)
{
	switch (ret) {
	case -ENOSPC:
	case -EDQUOT:
		return "Free some space, or choose another file with -o";
	case -ELOOP:
		return "It is a symbolic link, which is refused: give the file itself";
	case EXPOSED_DIRECTORY:
		return "Everybody may exchange files in its directory: choose another one with -o";
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return "Choose a file that you may write with -o";
	case -EISDIR:
		return "Give a file name inside it";
	case -ENOENT:
	case -ENOTDIR:
		return "Its directory does not exist: create it first";
	case -ENOTBLK:
		return "Writing to a block device would destroy its contents: choose another file";
	default:
		return "Choose another file with -o";
	}
}

static const char *reason(int ret)
{
	if (ret == EXPOSED_DIRECTORY)
		return "unsafe directory";
	return ret == -ENOTBLK ? "is a block device" : strerror(-ret);
}

int sink__report(const char *path, int ret, struct error *err)
{
	return error_set(err, EXIT_FAILED, ret, "cannot write %s: %s. %s.", path, reason(ret),
			 advice(ret));
}

/* -- opening -- */

static int open_directory(struct sink *s)
{
	char *slash = strrchr(s->path, '/');
	struct stat st;

	s->base = slash ? slash + 1 : s->path;
	if (!*s->base)
		return -EISDIR;
	if (slash)
		*slash = '\0';
	s->directory = open(!slash     ? "."
			    : *s->path ? s->path
				       : "/",
			    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (slash)
		*slash = '/';
	if (s->directory < 0)
		return -errno;
	if (fstat(s->directory, &st))
		return -errno;
	return (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX) ? EXPOSED_DIRECTORY : 0;
}

/* What is at the path now: 0 = nothing, else its st_mode, or negative errno when refused. */
static int existing_mode(const struct sink *s)
{
	struct stat st;

	if (fstatat(s->directory, s->base, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISBLK(st.st_mode))
		return -ENOTBLK;
	return (int)st.st_mode;
}

static int create(struct sink *s, const char *name)
{
	s->fd = openat(s->directory, name, OPEN_FLAGS | O_APPEND | O_CREAT | O_EXCL, NEW_FILE_MODE);
	if (s->fd < 0)
		return -errno;
	return invoker__give(&s->invoker, s->fd);
}

/* Opens what is there. It may have been exchanged since it was looked at: look again. */
static int append(struct sink *s)
{
	struct stat st;

	s->fd = openat(s->directory, s->base, OPEN_FLAGS | O_APPEND);
	if (s->fd < 0)
		return -errno;
	if (fstat(s->fd, &st))
		return -errno;
	return S_ISBLK(st.st_mode) ? -ENOTBLK : 0;
}

static int open_log(struct sink *s, int mode)
{
	int err = mode ? append(s) : create(s, s->base);

	/* Made by somebody else a moment ago. */
	return err == -EEXIST ? append(s) : err;
}

static int open_document(struct sink *s, int mode)
{
	int err;

	if (mode && !S_ISREG(mode))
		return append(s);
	for (unsigned i = 0; i < 100; i++) {
		free(s->temporary);
		if (asprintf(&s->temporary, ".%s.%d-%u", s->base, (int)getpid(), i) < 0) {
			s->temporary = NULL;
			return -ENOMEM;
		}
		err = create(s, s->temporary);
		if (err != -EEXIST)
			break;
	}
	if (s->fd < 0) { /* not ours: nothing to clean up */
		free(s->temporary);
		s->temporary = NULL;
	}
	/* Who may read the old one may read the new one. */
	if (!err && mode && fchmod(s->fd, (mode_t)mode & 0777))
		err = -errno;
	return err;
}

static int open_path(struct sink *s, enum sink_kind kind)
{
	int err = open_directory(s), mode;

	if (err)
		return err;
	mode = existing_mode(s);
	if (mode < 0)
		return mode;
	return kind == SINK_LOG ? open_log(s, mode) : open_document(s, mode);
}

static bool means_stdout(const char *path)
{
	return !path || !strcmp(path, "-") || !strcmp(path, "/dev/stdout");
}

static struct sink *sink_open(const char *path, enum sink_kind kind, bool as_invoker,
			      struct error *err, int *ret)
{
	struct sink *s = calloc(1, sizeof(*s));
	int result = 0;

	if (s) {
		s->fd = s->directory = -1;
		s->is_stdout = means_stdout(path);
		s->path = strdup(s->is_stdout ? "standard output" : path);
		s->invoker = invoker__find();
	}
	if (!s || !s->path) {
		result = -ENOMEM;
	} else if (s->is_stdout) {
		s->fd = STDOUT_FILENO;
	} else {
		if (as_invoker)
			invoker__assume(&s->invoker);
		result = open_path(s, kind);
		if (as_invoker)
			invoker__resign(&s->invoker);
	}
	if (ret)
		*ret = result;
	if (!result)
		return s;
	sink__report(path ? path : "standard output", result, err);
	if (s)
		sink__discard(s);
	return NULL;
}

struct sink *sink__open(const char *path, enum sink_kind kind, struct error *err, int *ret)
{
	return sink_open(path, kind, false, err, ret);
}

struct sink *sink__open_as_invoker(const char *path, enum sink_kind kind, struct error *err,
				   int *ret)
{
	return sink_open(path, kind, true, err, ret);
}

/* -- writing -- */

/* A pipe or terminal that somebody set non-blocking: wait until it takes more. */
static int wait_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

static int write_out(struct sink *s, const char *bytes, size_t len)
{
	while (!s->error && len) {
		ssize_t n = write(s->fd, bytes, len);

		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (n == 0) {
			s->error = -EIO;
		} else if (errno == EAGAIN) {
			s->error = wait_writable(s->fd);
		} else if (errno != EINTR) {
			s->error = -errno;
		}
	}
	return s->error;
}

/* A pipe whose reader has gone says so before anything is written to it. */
static bool has_no_reader(const struct sink *s)
{
	struct pollfd p = {.fd = s->fd};

	return s->is_stdout && poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

int sink__flush(struct sink *s)
{
	if (!s->error && has_no_reader(s))
		s->error = -EPIPE;
	if (!s->error)
		s->error = strbuf_error(&s->pending);
	write_out(s, strbuf_str(&s->pending), s->pending.len);
	strbuf_reset(&s->pending);
	return s->error;
}

int sink__write(struct sink *s, const char *bytes, size_t len)
{
	sink__flush(s);
	return write_out(s, bytes, len);
}

int sink__line(struct sink *s, const char *text, size_t len)
{
	if (s->error)
		return s->error;
	strbuf_add(&s->pending, text, len);
	strbuf_putc(&s->pending, '\n');
	return s->pending.len >= PENDING_MAX ? sink__flush(s) : strbuf_error(&s->pending);
}

int sink__error(const struct sink *s)
{
	return s->error;
}

const char *sink__name(const struct sink *s)
{
	return s->path;
}

bool sink__is_stdout(const struct sink *s)
{
	return s->is_stdout;
}

/* -- closing -- */

/* On disk first, then in place: after a crash there is the old document or the new one. */
static void replace(struct sink *s)
{
	if (s->error)
		return;
	if (fsync(s->fd) && errno != EINVAL && errno != EROFS)
		s->error = -errno;
	else if (renameat(s->directory, s->temporary, s->directory, s->base))
		s->error = -errno;
	if (s->error)
		return;
	free(s->temporary);
	s->temporary = NULL;
}

int sink__close(struct sink *s, struct error *err)
{
	int result;

	if (!s)
		return 0;
	sink__flush(s);
	if (s->temporary)
		replace(s);
	/* Some file systems tell of a full disk only here. */
	if (!s->is_stdout && close(s->fd) && !s->error && errno != EINTR)
		s->error = -errno;
	if (!s->is_stdout)
		s->fd = -1;
	result = s->error;
	if (result && result != -EPIPE)
		sink__report(s->path, result, err);
	sink__discard(s);
	return result;
}

void sink__discard(struct sink *s)
{
	if (!s)
		return;
	if (s->temporary)
		unlinkat(s->directory, s->temporary, 0);
	if (s->fd >= 0 && !s->is_stdout)
		close(s->fd);
	if (s->directory >= 0)
		close(s->directory);
	strbuf_free(&s->pending);
	free(s->temporary);
	free(s->path);
	free(s);
}
