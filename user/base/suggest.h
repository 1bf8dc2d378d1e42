/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean ...?" for names that do not exist. */
#ifndef PERFTRACE_BASE_SUGGEST_H
#define PERFTRACE_BASE_SUGGEST_H

#include <stddef.h>

/*
 * The one of `names` that `wanted` most likely was meant to be: at most a third of it mistyped
 * (Levenshtein distance), or it is part of the name. NULL if none is close. Names longer than 255
 * bytes are not looked at.
 */
const char *suggest(const char *wanted, char *const *names, size_t n);

#endif
