/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening files whose names the target chose. Behind such a name may sit a FIFO, a terminal or a
 * device whose open() blocks or acts; none of them is ever opened, only looked at (O_PATH).
 */
#ifndef PERFTRACE_ELF_OPENFILE_H
#define PERFTRACE_ELF_OPENFILE_H

/*
 * Opens the regular file `path` (relative to `dirfd`, or AT_FDCWD) read-only. Symbolic links are
 * followed. Returns a file descriptor that the caller closes, -EINVAL when it is not a regular
 * file, or another negative errno from open(2).
 */
int open_regular(int dirfd, const char *path);

/*
 * The same below a process's root directory (`rootfd`: /proc/PID/root): absolute paths and links
 * stay inside that root, links into /proc are refused. -ENOSYS before Linux 5.6.
 */
int open_regular_in_root(int rootfd, const char *path);
/* The same, but -EINVAL when `path` itself (not a directory on the way) is a symbolic link. */
int open_regular_in_root_nofollow(int rootfd, const char *path);

#endif
