/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own code in every process, as a file that the ELF reader can read. */
#ifndef PERFTRACE_STACK_VDSO_H
#define PERFTRACE_STACK_VDSO_H

/*
 * A copy of this process' vdso(7), which is every process': a descriptor that the caller closes, or
 * a negative errno (-ENOENT: there is none).
 */
int vdso__open(void);

#endif
