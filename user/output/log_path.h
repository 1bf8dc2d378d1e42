/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where logs go when nobody said where: $XDG_DATA_HOME/perftrace/logs/, or
 * ~/.local/share/perftrace/logs/ (XDG Base Directory Specification). Under sudo it is the home of
 * the user behind root. sudo drops XDG_DATA_HOME; if it is there, the user kept it on purpose
 * (sudo -E) and it counts.
 */
#ifndef PERFTRACE_OUTPUT_LOG_PATH_H
#define PERFTRACE_OUTPUT_LOG_PATH_H

#include <stddef.h>

#include "base/error.h"

#define LOG_PERF_TIMING "perf_timing.log"

/*
 * Writes the path of `name` into `path` (`size` bytes). 0, -ENOENT when there is no home,
 * -ENAMETOOLONG; nothing is created.
 */
int default_log_path(const char *name, char *path, size_t size);
/*
 * Creates the directories above `path` that are missing, mode 0700, with the rights and in the
 * name of the invoking user. 0, or negative errno with `err` filled.
 */
int log_path__make_directories(const char *path, struct error *err);

#endif
