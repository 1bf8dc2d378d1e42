/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions that do with their return address something else than to return to it, known by name:
 * no flow of instructions tells what a C library keeps or asks. A hooked return puts another
 * address in its place.
 */
#ifndef PERFTRACE_PROBE_SPECIAL_FUNCTIONS_H
#define PERFTRACE_PROBE_SPECIAL_FUNCTIONS_H

#include <stdbool.h>

struct special_function {
	bool refused;	 /* it is no function at all; else its exits may be probed */
	const char *why; /* constant phrase */
};

/* NULL: a function like any other. `symbol` is the raw name, without a version. */
const struct special_function *special_function__find(const char *symbol);

#endif
