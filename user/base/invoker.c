// SPDX-License-Identifier: BSD-2-Clause
#include "base/invoker.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

static bool number_from(const char *variable, unsigned *value)
{
	const char *text = getenv(variable);
	unsigned long n;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (*end || errno || n >= 0xffffffffUL)
		return false;
	*value = (unsigned)n;
	return true;
}

struct invoker invoker__find(void)
{
	struct invoker invoker = {.uid = geteuid(), .gid = getegid()};
	unsigned uid, gid;

	if (invoker.uid || !number_from("SUDO_UID", &uid) || !number_from("SUDO_GID", &gid) || !uid)
		return invoker;
	invoker.sudo = true;
	invoker.uid = uid;
	invoker.gid = gid;
	return invoker;
}

int invoker__home(const struct invoker *invoker, char *home, size_t size)
{
	const char *from = invoker->sudo ? NULL : getenv("HOME");
	struct passwd entry, *found = NULL;
	char strings[4096];
	int len;

	if ((!from || *from != '/') &&
	    !getpwuid_r(invoker->uid, &entry, strings, sizeof(strings), &found) && found)
		from = found->pw_dir;
	if (!from || *from != '/')
		return -ENOENT;
	len = snprintf(home, size, "%s", from);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

int invoker__give(const struct invoker *invoker, int fd)
{
	if (!invoker->sudo)
		return 0;
	return fchown(fd, invoker->uid, invoker->gid) ? -errno : 0;
}

void invoker__assume(const struct invoker *invoker)
{
	if (!invoker->sudo)
		return;
	setfsgid(invoker->gid);
	setfsuid(invoker->uid);
}

void invoker__resign(const struct invoker *invoker)
{
	if (!invoker->sudo)
		return;
	setfsuid(geteuid());
	setfsgid(getegid());
}
