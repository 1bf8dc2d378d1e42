/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who started perftrace: under sudo the user behind root, to whom the files belong that we make.
 */
#ifndef PERFTRACE_BASE_INVOKER_H
#define PERFTRACE_BASE_INVOKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct invoker {
	bool sudo; /* we are root on behalf of somebody else */
	uid_t uid;
	gid_t gid;
};

/* From SUDO_UID and SUDO_GID if we are root, else the effective user. Half a pair is ignored. */
struct invoker invoker__find(void);
/*
 * The invoker's home directory into `home`: the password database's under sudo, else $HOME, else
 * the database's. 0, -ENOENT when there is none, -ENAMETOOLONG.
 */
int invoker__home(const struct invoker *invoker, char *home, size_t size);
/* Gives an open file we have just made to the invoker. 0 or negative errno. */
int invoker__give(const struct invoker *invoker, int fd);
/*
 * From here to invoker__resign() this thread opens files with the invoker's rights and identity
 * (setfsuid(2)), so that links in directories of theirs lead nowhere they could not go
 * themselves. Nothing happens without sudo.
 */
void invoker__assume(const struct invoker *invoker);
void invoker__resign(const struct invoker *invoker);

#endif
