// SPDX-License-Identifier: BSD-2-Clause
#include "stack/debug_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf/debug_link.h"
#include "elf/openfile.h"

#define DEBUG_ROOT "/usr/lib/debug"

struct search {
	const char *path; /* of the object; NULL for a common file */
	char build_id[ELF_BUILD_ID_HEX_MAX];
	struct elf_debug_link link; /* name "": it has none */
	dev_t dev;
	ino_t inode;
	struct debug_file_facts *facts;
};

/* By .gnu_debuglink a file is found whose name many others could have. */
static bool has_crc(const struct elf_image *debug, uint32_t wanted)
{
	uint32_t crc;

	return elf_image__size(debug) <= DEBUG_LINK_FILE_MAX && !elf_debug_link__crc(debug, &crc) &&
	       crc == wanted;
}

static bool is_it(const struct search *s, const struct elf_image *debug, bool by_link)
{
	char build_id[ELF_BUILD_ID_HEX_MAX];

	/* A link that names the object itself. */
	if (elf_image__dev(debug) == s->dev && elf_image__inode(debug) == s->inode)
		return false;
	elf_image__build_id(debug, build_id);
	if (s->build_id[0] ? strcmp(build_id, s->build_id) != 0 : !by_link) {
		s->facts->other_build_id++;
		return false;
	}
	if (by_link && !has_crc(debug, s->link.crc)) {
		s->facts->other_crc++;
		return false;
	}
	return true;
}

static struct elf_image *try(const struct search *s, int rootfd, const char *path, bool by_link)
{
	int fd = open_regular_in_root(rootfd, path);
	struct elf_image *debug;

	if (fd < 0) {
		s->facts->unusable += fd == -EINVAL;
		return NULL;
	}
	if (s->path ? elf_image__open_fd(fd, &debug, NULL)
		    : elf_image__open_debug_fd(fd, &debug, NULL)) {
		s->facts->unusable++;
		return NULL;
	}
	if (is_it(s, debug, by_link))
		return debug;
	elf_image__free(debug);
	return NULL;
}

static struct elf_image *by_build_id(const struct search *s, int rootfd)
{
	char path[sizeof(DEBUG_ROOT) + ELF_BUILD_ID_HEX_MAX + 32];

	if (strlen(s->build_id) < 4)
		return NULL;
	snprintf(path, sizeof(path), DEBUG_ROOT "/.build-id/%.2s/%s.debug", s->build_id,
		 s->build_id + 2);
	return try(s, rootfd, path, false);
}

static struct elf_image *by_link(const struct search *s, int rootfd)
{
	static const char *const forms[] = {"%.*s/%s", "%.*s/.debug/%s", DEBUG_ROOT "%.*s/%s"};
	const char *slash = strrchr(s->path, '/');
	struct elf_image *debug = NULL;
	char path[PATH_MAX];

	if (!s->link.name[0] || s->path[0] != '/' || slash - s->path > PATH_MAX / 2)
		return NULL;
	for (size_t i = 0; !debug && i < sizeof(forms) / sizeof(forms[0]); i++) {
		snprintf(path, sizeof(path), forms[i], (int)(slash - s->path), s->path,
			 s->link.name);
		debug = try(s, rootfd, path, true);
	}
	return debug;
}

static struct elf_image *look_in(const struct search *s, int rootfd)
{
	struct elf_image *debug = by_build_id(s, rootfd);

	return debug ? debug : by_link(s, rootfd);
}

static int open_our_root(void)
{
	return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool is_same_directory(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int debug_file__open(const struct elf_image *img, const char *path, int rootfd,
		     struct debug_file_facts *facts, struct elf_image **out, bool *in_our_root)
{
	struct search s = {.path = path, .facts = facts};
	int own, ret;

	*out = NULL;
	*in_our_root = false;
	s.dev = elf_image__dev(img);
	s.inode = elf_image__inode(img);
	elf_image__build_id(img, s.build_id);
	ret = elf_debug_link__read(img, &s.link);
	if (ret) {
		s.link.name[0] = '\0';
		facts->bad_links += ret != -ENOENT;
	}
	if (!s.build_id[0] && !s.link.name[0])
		return -ENOENT;
	own = open_our_root();
	if (rootfd >= 0)
		*out = look_in(&s, rootfd);
	if (!*out && own >= 0 && (rootfd < 0 || !is_same_directory(own, rootfd))) {
		*out = look_in(&s, own);
		*in_our_root = *out != NULL;
	}
	if (own >= 0)
		close(own);
	facts->found += *out != NULL;
	return *out ? 0 : -ENOENT;
}

/* ---- what dwz moved to a common file ---- */

static bool path_of(int fd, char path[PATH_MAX])
{
	char link[sizeof("/proc/self/fd/") + 11];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, PATH_MAX);
	if (len <= 0 || len >= PATH_MAX)
		return false;
	path[len] = '\0';
	return path[0] == '/';
}

/*
 * The directory of an open file as seen from a root directory, with links on the way resolved: a
 * relative path starts where the file is, not where a link to it is.
 */
static bool directory_in_root(int fd, int rootfd, char out[PATH_MAX])
{
	char root[PATH_MAX], path[PATH_MAX];
	size_t len;

	if (!path_of(fd, path) || !path_of(rootfd, root))
		return false;
	len = strcmp(root, "/") != 0 ? strlen(root) : 0;
	if (strncmp(path, root, len) != 0 || path[len] != '/')
		return false;
	*strrchr(path, '/') = '\0';
	snprintf(out, PATH_MAX, "%s", len <= strlen(path) ? path + len : "");
	return true;
}

static struct elf_image *by_altlink(const struct search *s, const struct elf_image *debug,
				    const char *link, int rootfd)
{
	char directory[PATH_MAX] = "", path[PATH_MAX];

	if (link[0] != '/' && !directory_in_root(elf_image__fd(debug), rootfd, directory))
		return NULL;
	if (snprintf(path, sizeof(path), "%s/%s", directory, link) >= (int)sizeof(path))
		return NULL;
	return try(s, rootfd, path, false);
}

int debug_file__open_common(const struct elf_image *debug, int rootfd,
			    struct debug_file_facts *facts, struct elf_image **out)
{
	struct search s = {.facts = facts};
	struct elf_debug_altlink link;
	int own, ret = elf_debug_altlink__read(debug, &link);

	*out = NULL;
	if (ret) {
		facts->bad_links += ret != -ENOENT;
		return -ENOENT;
	}
	memcpy(s.build_id, link.build_id, sizeof(s.build_id));
	s.dev = elf_image__dev(debug);
	s.inode = elf_image__inode(debug);
	own = open_our_root();
	if (rootfd < 0)
		rootfd = own;
	if (rootfd >= 0) {
		*out = by_altlink(&s, debug, link.path, rootfd);
		if (!*out)
			*out = by_build_id(&s, rootfd);
	}
	if (!*out && own >= 0 && !is_same_directory(own, rootfd))
		*out = by_build_id(&s, own);
	if (own >= 0)
		close(own);
	facts->common_found += *out != NULL;
	return *out ? 0 : -ENOENT;
}
