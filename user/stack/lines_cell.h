/* SPDX-License-Identifier: BSD-2-Clause */
/* The walls around the process that reads DWARF. Part of lines_worker.h. */
#ifndef PERFTRACE_STACK_LINES_CELL_H
#define PERFTRACE_STACK_LINES_CELL_H

#include <stddef.h>

#define LINES_CELL_FDS_MAX 3

/*
 * Gives up, for good, everything that this process needs no more: other descriptors than those in
 * fds[n] (which get other numbers), user, capabilities, most system calls, and memory and time
 * without bounds. 0 or a negative errno; then do not go on.
 */
int lines_cell__enter(int *fds, size_t n);

#endif
