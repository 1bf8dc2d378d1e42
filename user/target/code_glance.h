/* SPDX-License-Identifier: BSD-2-Clause */
/* Has a process mapped other code than before? Cheaper than reading its mappings. */
#ifndef PERFTRACE_TARGET_CODE_GLANCE_H
#define PERFTRACE_TARGET_CODE_GLANCE_H

#include <stdint.h>
#include <sys/types.h>

/* Hashes of the executable lines of /proc/PID/maps: equal as long as these are. */
struct code_glance {
	uint64_t files; /* of those that map files with names */
	uint64_t made;	/* of the others */
};

/* 0, or a negative errno as maps__load(). A process without mappings gives {0, 0}. */
int code_glance(pid_t pid, struct code_glance *out);
/* The same of a text. */
void code_glance__parse(const char *text, size_t len, struct code_glance *out);

#endif
