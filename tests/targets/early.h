/* SPDX-License-Identifier: BSD-2-Clause */
/* What early's parts do before its main(); sizes tell them apart in the books. */
#ifndef PERFTRACE_TARGETS_EARLY_H
#define PERFTRACE_TARGETS_EARLY_H

#define LIBRARY_BLOCKS 5
#define LIBRARY_BYTES  1001
#define PROGRAM_BLOCKS 3
#define PROGRAM_BYTES  2002
#define MAIN_BLOCKS    7
#define MAIN_BYTES     3003
#define MAIN_FREED     2

/* Makes the program need the library. */
int early_library(void);

#endif
