/* SPDX-License-Identifier: BSD-2-Clause */
/* Readable names for C++ and Rust symbols. */
#ifndef PERFTRACE_ELF_DEMANGLE_H
#define PERFTRACE_ELF_DEMANGLE_H

#define DEMANGLE_INPUT_MAX  1024
#define DEMANGLE_OUTPUT_MAX 4096

/*
 * The readable form of `raw`, which the caller frees. NULL when it is not a mangled name, longer
 * than DEMANGLE_INPUT_MAX, when the result would exceed DEMANGLE_OUTPUT_MAX (a short name can
 * stand for gigabytes), or out of memory: then show `raw`.
 */
char *demangle(const char *raw);

#endif
