// SPDX-License-Identifier: BSD-2-Clause
#include "target/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/suggest.h"

#define DEPTH_MAX	32
#define DIRECTORIES_MAX 65536
#define PIDS_MAX	(1 << 20)
#define MOUNTINFO_MAX	(16 << 20)

/* ---- where they are mounted ---- */

/* Takes the next word of a line; NULL at its end. */
static char *next_word(char **line)
{
	char *word = strsep(line, " ");

	return word && *word ? word : NULL;
}

/* Space, tab, newline and backslash are written as three octal digits. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static bool has_option(char *options, const char *wanted)
{
	char *option;

	while ((option = strsep(&options, ","))) {
		if (!strcmp(option, wanted))
			return true;
	}
	return false;
}

/* "36 35 98:0 /root /mount/point rw,noatime shared:1 - cgroup cgroup rw,name=systemd" */
static int add_mount(struct cgroup_mounts *mounts, char *line, bool v2)
{
	char *root, *directory, *word, *type, *options;
	struct cgroup_mount *m;

	for (int i = 0; i < 3; i++) {
		if (!next_word(&line))
			return 0;
	}
	root = next_word(&line);
	directory = next_word(&line);
	while ((word = next_word(&line)) && strcmp(word, "-"))
		;
	type = next_word(&line);
	next_word(&line);
	options = next_word(&line);
	if (!options || strcmp(type, v2 ? "cgroup2" : "cgroup"))
		return 0;
	m = vec_push(&mounts->list);
	if (!m)
		return -ENOMEM;
	m->has_units = v2 || has_option(options, "name=systemd");
	unescape(root);
	unescape(directory);
	m->root = strdup(root);
	m->directory = strdup(directory);
	return m->root && m->directory ? 0 : -ENOMEM;
}

static int add_mounts(struct cgroup_mounts *mounts, const char *text, size_t len, bool v2)
{
	const char *end = text + len;
	int ret = 0;

	while (!ret && text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		char *line = strndup(text, (size_t)((eol ? eol : end) - text));

		if (!line)
			return -ENOMEM;
		ret = add_mount(mounts, line, v2);
		free(line);
		text = eol ? eol + 1 : end;
	}
	return ret;
}

int cgroup_mounts__parse(const char *text, size_t len, struct cgroup_mounts *mounts)
{
	int ret = add_mounts(mounts, text, len, true);

	return ret ? ret : add_mounts(mounts, text, len, false);
}

static int read_all(int fd, struct strbuf *text)
{
	char chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		strbuf_add(text, chunk, (size_t)n);
		if (text->len > MOUNTINFO_MAX)
			return -E2BIG;
	}
	return strbuf_error(text);
}

int cgroup_mounts__load(struct cgroup_mounts *mounts)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), ret;
	struct strbuf text = {0};

	if (fd < 0)
		return -errno;
	ret = read_all(fd, &text);
	close(fd);
	if (!ret)
		ret = cgroup_mounts__parse(strbuf_str(&text), text.len, mounts);
	strbuf_free(&text);
	return ret;
}

void cgroup_mounts__free(struct cgroup_mounts *mounts)
{
	struct cgroup_mount *m;

	vec_for_each (&mounts->list, m) {
		free(m->directory);
		free(m->root);
	}
	vec_free(&mounts->list);
}

void cgroup_list__free(struct cgroup_list *groups)
{
	char **dir;

	vec_for_each (&groups->dirs, dir)
		free(*dir);
	vec_free(&groups->dirs);
}

/* Takes `dir`, NULL = out of memory. */
static int add_directory(struct cgroup_list *groups, char *dir)
{
	char **slot = dir ? vec_push(&groups->dirs) : NULL;

	if (!slot) {
		free(dir);
		return -ENOMEM;
	}
	*slot = dir;
	return 0;
}

/* ---- by path ---- */

/* `path` itself or what stands behind "path/"; NULL if it is elsewhere. */
static const char *below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	while (len && directory[len - 1] == '/')
		len--;
	if (strncmp(path, directory, len) || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

/* The real directory `path` if it exists and lies below the mount; the caller frees it. */
static char *real_group(const struct cgroup_mount *m, const char *path)
{
	char *mount = realpath(m->directory, NULL), *real = realpath(path, NULL), *found = NULL;
	int fd = real ? open(real, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (mount && fd >= 0 && below(real, mount)) {
		found = real;
		real = NULL;
	}
	if (fd >= 0)
		close(fd);
	free(mount);
	free(real);
	return found;
}

static char *group_in_mount(const struct cgroup_mount *m, const char *path)
{
	const char *inside = below(path, m->root);
	char joined[PATH_MAX], *found;

	/* As a directory; as the hierarchy names it; and as a container sees its part of it. */
	found = path[0] == '/' ? real_group(m, path) : NULL;
	if (!found && inside &&
	    snprintf(joined, sizeof(joined), "%s/%s", m->directory, inside) < (int)sizeof(joined))
		found = real_group(m, joined);
	if (!found &&
	    snprintf(joined, sizeof(joined), "%s/%s", m->directory, path) < (int)sizeof(joined))
		found = real_group(m, joined);
	return found;
}

int cgroup__find_path(const struct cgroup_mounts *mounts, const char *path,
		      struct cgroup_list *found, struct error *err)
{
	const struct cgroup_mount *m;

	vec_for_each (&mounts->list, m) {
		char *dir = group_in_mount(m, path);

		if (dir)
			return add_directory(found, dir);
	}
	if (!mounts->list.len)
		return error_set(err, EXIT_NO_TARGET, -ENOENT,
				 "no control group '%s': none are mounted here. Name the processes "
				 "with -p or -n.",
				 path);
	return error_set(err, EXIT_NO_TARGET, -ENOENT,
			 "no control group '%s'. cat /proc/PID/cgroup shows those of a process.",
			 path);
}

/* ---- by unit ---- */

static const char *const suffixes[] = {".service", ".scope", ".slice"};

#define SUFFIXES (sizeof(suffixes) / sizeof(suffixes[0]))

/* Which suffix a name ends with; SUFFIXES = none. */
static size_t suffix_of(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < SUFFIXES; i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && !strcmp(name + len - n, suffixes[i]))
			return i;
	}
	return SUFFIXES;
}

struct unit_search {
	const char *unit;
	bool complete; /* the name was given with its suffix */
	struct cgroup_list matches[SUFFIXES];
	struct cgroup_list names; /* of other units, for "did you mean" */
	size_t directories;
};

static int consider(struct unit_search *s, const char *path, const char *name)
{
	size_t kind = suffix_of(name), stem = strlen(name);

	if (kind == SUFFIXES)
		return 0;
	if (!s->complete)
		stem -= strlen(suffixes[kind]);
	if (strlen(s->unit) == stem && !strncmp(s->unit, name, stem))
		return add_directory(&s->matches[kind], strdup(path));
	return s->names.dirs.len < 4096 ? add_directory(&s->names, strdup(name)) : 0;
}

/* A child directory's name; cgroupfs tells types, what it does not tell is tried. */
static bool may_be_group(const struct dirent *entry)
{
	return (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) &&
	       strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static int search_units(struct unit_search *s, const char *dir, unsigned int depth)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int ret = 0;

	if (!d)
		return errno == ENOMEM ? -ENOMEM : 0;
	while (!ret && (entry = readdir(d))) {
		char path[PATH_MAX];

		if (!may_be_group(entry) || ++s->directories > DIRECTORIES_MAX ||
		    snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path))
			continue;
		ret = consider(s, path, entry->d_name);
		if (!ret && depth < DEPTH_MAX)
			ret = search_units(s, path, depth + 1);
	}
	closedir(d);
	return ret;
}

static int no_unit(const struct unit_search *s, bool any_hierarchy, struct error *err)
{
	const char *meant = suggest(s->unit, s->names.dirs.data, s->names.dirs.len);
	char other[256];

	if (!any_hierarchy)
		return error_set(
			err, EXIT_NO_TARGET, -ENOENT,
			"no unit '%s': systemd's control groups are not mounted here. Name "
			"the processes with -p or -n.",
			s->unit);
	/* With a suffix, or without one, it may be close to something. */
	if (!meant && s->complete) {
		snprintf(other, sizeof(other), "%.*s", (int)(strrchr(s->unit, '.') - s->unit),
			 s->unit);
		meant = suggest(other, s->names.dirs.data, s->names.dirs.len);
	}
	for (size_t i = 0; !meant && !s->complete && i < SUFFIXES; i++) {
		snprintf(other, sizeof(other), "%s%s", s->unit, suffixes[i]);
		meant = suggest(other, s->names.dirs.data, s->names.dirs.len);
	}
	if (meant)
		return error_set(err, EXIT_NO_TARGET, -ENOENT,
				 "no running unit '%s'. Did you mean %s?", s->unit, meant);
	return error_set(err, EXIT_NO_TARGET, -ENOENT,
			 "no running unit '%s'. systemctl list-units lists them.", s->unit);
}

int cgroup__find_unit(const struct cgroup_mounts *mounts, const char *unit,
		      struct cgroup_list *found, struct error *err)
{
	struct unit_search s = {.unit = unit, .complete = suffix_of(unit) < SUFFIXES};
	const struct cgroup_mount *m;
	bool any_hierarchy = false;
	int ret = 0;

	vec_for_each (&mounts->list, m) {
		if (ret || !m->has_units)
			continue;
		any_hierarchy = true;
		ret = search_units(&s, m->directory, 0);
	}
	for (size_t i = 0; i < SUFFIXES && !found->dirs.len; i++) {
		*found = s.matches[i];
		memset(&s.matches[i], 0, sizeof(s.matches[i]));
	}
	if (!ret && !found->dirs.len)
		ret = no_unit(&s, any_hierarchy, err);
	for (size_t i = 0; i < SUFFIXES; i++)
		cgroup_list__free(&s.matches[i]);
	cgroup_list__free(&s.names);
	return ret;
}

/* ---- who is in them ---- */

struct pid_search {
	pid_list *out;
	size_t directories;
};

static int compare_pids(const void *left, const void *right)
{
	const pid_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

static void drop_repeated(pid_list *pids)
{
	size_t kept = 0;

	if (!pids->len)
		return;
	qsort(pids->data, pids->len, sizeof(*pids->data), compare_pids);
	for (size_t i = 0; i < pids->len; i++) {
		if (!kept || pids->data[kept - 1] != pids->data[i])
			pids->data[kept++] = pids->data[i];
	}
	pids->len = kept;
}

/* One number per line; 0 stands for a process of another PID namespace. */
static int read_pids(int dirfd, const char *name, bool threads, pid_list *out)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), ret = 0;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int pid;

	if (!file) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret;
	}
	errno = 0;
	while (!ret && fscanf(file, "%d", &pid) == 1) {
		pid_t *slot;

		if (threads)
			pid = process__of_thread(pid);
		if (pid <= 0)
			continue;
		slot = out->len < PIDS_MAX ? vec_push(out) : NULL;
		if (slot)
			*slot = pid;
		else
			ret = out->len < PIDS_MAX ? -ENOMEM : -E2BIG;
	}
	if (!ret && ferror(file))
		ret = errno ? -errno : -EIO;
	fclose(file);
	return ret;
}

static int search_pids(struct pid_search *s, int parent, const char *name, unsigned int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), ret;
	struct dirent *entry;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret == -ENOENT ? 0 : ret; /* removed meanwhile */
	}
	ret = read_pids(fd, "cgroup.procs", false, s->out);
	if (ret == -EOPNOTSUPP) /* a threaded group lists threads only */
		ret = read_pids(fd, "cgroup.threads", true, s->out);
	if (ret == -ENOENT || ret == -ENODEV)
		ret = 0;
	while (!ret && depth < DEPTH_MAX && (entry = readdir(d))) {
		if (!may_be_group(entry))
			continue;
		ret = ++s->directories > DIRECTORIES_MAX
			      ? -E2BIG
			      : search_pids(s, fd, entry->d_name, depth + 1);
		if (ret == -ENOTDIR || ret == -ELOOP)
			ret = 0;
	}
	closedir(d);
	return ret;
}

int cgroup__pids(const struct cgroup_list *groups, pid_list *out)
{
	struct pid_search s = {.out = out};
	char *const *dir;
	int ret = 0;

	vec_for_each (&groups->dirs, dir) {
		if (!ret)
			ret = search_pids(&s, AT_FDCWD, *dir, 0);
	}
	drop_repeated(out);
	return ret;
}
