// SPDX-License-Identifier: BSD-2-Clause
#include "probe/costs_cache.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/strbuf.h"

#define FILE_NAME "probe-costs"
#define TEXT_MAX  2048
#define NS_MAX	  1e7 /* no hit takes 10 ms */

/* "model name" of the first processor, printable. */
static void read_cpu(char *name, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[512], *text;

	snprintf(name, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		text = strncmp(line, "model name", 10) ? NULL : strchr(line, ':');
		if (!text)
			continue;
		text += strspn(text, ": \t");
		text[strcspn(text, "\n")] = '\0';
		for (char *c = text; *c; c++)
			*c = isprint((unsigned char)*c) ? *c : '?';
		snprintf(name, size, "%s", text);
		break;
	}
	if (f)
		fclose(f);
}

void costs_cache__key(const struct link_support *support, char key[COSTS_KEY_LEN])
{
	struct utsname kernel;
	char cpu[128];

	read_cpu(cpu, sizeof(cpu));
	snprintf(key, COSTS_KEY_LEN,
		 "perftrace probe-costs 1\nkernel %.100s\ncpu %s\nmethods %s %s\n",
		 uname(&kernel) ? "unknown" : kernel.release, cpu,
		 link_method_name(link_support__calls(support)),
		 link_method_name(link_support__sites(support)));
}

int costs_cache__directory(char *path, size_t size)
{
	const char *cache = secure_getenv("XDG_CACHE_HOME"), *home = secure_getenv("HOME");
	int len;

	/* Root's environment may be that of whoever called sudo. */
	if (!geteuid())
		len = snprintf(path, size, "/var/cache/perftrace");
	else if (cache && *cache == '/')
		len = snprintf(path, size, "%s/perftrace", cache);
	else if (home && *home == '/')
		len = snprintf(path, size, "%s/.cache/perftrace", home);
	else
		return -ENOENT;
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* The directory, itself no symbolic link. */
static int open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && is_ours(&st))
		return fd;
	close(fd);
	return -EPERM;
}

static int read_file(int directory, char text[TEXT_MAX])
{
	int fd = openat(directory, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = -1;
	struct stat st;
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !is_ours(&st))
		ret = -EPERM;
	else if (st.st_size >= TEXT_MAX)
		ret = -EFBIG;
	else
		n = read(fd, text, TEXT_MAX - 1);
	if (!ret && n < 0)
		ret = -errno;
	close(fd);
	if (!ret)
		text[n] = '\0';
	return ret;
}

/* "NAME NUMBER\n" or "NAME n/a\n"; advances *text behind it. */
static bool parse_line(const char **text, const char *name, double *ns)
{
	size_t len = strlen(name);
	char *end;

	if (strncmp(*text, name, len) || (*text)[len] != ' ')
		return false;
	*text += len + 1;
	if (!strncmp(*text, "n/a\n", 4)) {
		*ns = NAN;
		*text += 4;
		return true;
	}
	if (!isdigit((unsigned char)**text))
		return false;
	*ns = strtod(*text, &end);
	if (*end != '\n' || !isfinite(*ns) || *ns > NS_MAX)
		return false;
	*text = end + 1;
	return true;
}

int costs_cache__load(const char *directory, const char *key, struct probe_costs *out)
{
	int fd = open_directory(directory), ret;
	struct probe_costs costs;
	char text[TEXT_MAX];
	const char *at = text;

	if (fd < 0)
		return fd;
	ret = read_file(fd, text);
	close(fd);
	if (ret)
		return ret;
	if (strncmp(text, key, strlen(key)))
		return -ESTALE;
	at += strlen(key);
	for (enum probe_cost c = 0; c < PROBE_COSTS; c++) {
		if (!parse_line(&at, probe_cost_name(c), &costs.ns[c]))
			return -EBADMSG;
	}
	if (*at)
		return -EBADMSG;
	*out = costs;
	return 0;
}

static int write_file(int directory, const char *name, const struct strbuf *text)
{
	int fd =
		openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text->data, text->len);
	if (close(fd) || n != (ssize_t)text->len)
		return -EIO;
	return 0;
}

int costs_cache__store(const char *directory, const char *key, const struct probe_costs *costs)
{
	struct strbuf text = {0};
	int fd, ret = 0;
	char name[64];

	if (mkdir(directory, 0755) && errno != EEXIST)
		return -errno;
	fd = open_directory(directory);
	if (fd < 0)
		return fd;
	strbuf_puts(&text, key);
	for (enum probe_cost c = 0; c < PROBE_COSTS; c++) {
		if (isfinite(costs->ns[c]))
			strbuf_printf(&text, "%s %.1f\n", probe_cost_name(c), costs->ns[c]);
		else
			strbuf_printf(&text, "%s n/a\n", probe_cost_name(c));
	}
	/* Two that measure at once each write their own; the last one stays. */
	snprintf(name, sizeof(name), FILE_NAME ".%d", getpid());
	ret = strbuf_error(&text);
	if (!ret) {
		unlinkat(fd, name, 0); /* of one that died with our number */
		ret = write_file(fd, name, &text);
	}
	if (!ret && renameat(fd, name, fd, FILE_NAME))
		ret = -errno;
	if (ret)
		unlinkat(fd, name, 0);
	strbuf_free(&text);
	close(fd);
	return ret;
}
