/* SPDX-License-Identifier: BSD-2-Clause */
/* The file behind a mapping of a process, and not another one that has taken its name since. */
#ifndef PERFTRACE_TARGET_MAPPED_FILE_H
#define PERFTRACE_TARGET_MAPPED_FILE_H

#include <sys/types.h>

#include "target/maps.h"

/*
 * Opens it read-only. Through map_files, which leads to the very file that is mapped, also when
 * it was deleted, but needs more capabilities; else by its name below the process' own root, if
 * that is still the same file. A descriptor that the caller closes, or a negative errno (-ESTALE:
 * the name belongs to another file now).
 */
int mapped_file__open(pid_t pid, const struct mapping *m);

#endif
