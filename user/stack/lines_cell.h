/* SPDX-License-Identifier: BSD-2-Clause */
/* The walls around the process that reads DWARF. Part of lines_worker.h. */
#ifndef PERFTRACE_STACK_LINES_CELL_H
#define PERFTRACE_STACK_LINES_CELL_H

/*
 * Gives up, for good, everything that this process needs no more: other descriptors than `file`
 * and `answers` (which move to *file and *answers), user, capabilities, most system calls, and
 * memory and time without bounds. 0 or a negative errno; then do not go on.
 */
int lines_cell__enter(int *file, int *answers);

#endif
