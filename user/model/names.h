/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One copy of every name that occurs in a run. A name once interned stays at its address until
 * names__free(), so later rooms compare and hash names by pointer.
 *
 * The number of names is bounded: a target that invents names (an id in a span name) would
 * otherwise grow the tracer. Past the bound every new name becomes NAMES_OVERFLOW.
 */
#ifndef PERFTRACE_MODEL_NAMES_H
#define PERFTRACE_MODEL_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_OVERFLOW "(other names)"

struct names;

/* `limit`: most names kept. NULL when out of memory. */
struct names *names__new(size_t limit);
void names__free(struct names *names);

/*
 * The pool's copy of `len` bytes at `text` (an embedded NUL ends it). Never NULL: NAMES_OVERFLOW
 * when the pool is full or memory is out. Two calls with equal text return the same pointer.
 */
const char *names__intern_bytes(struct names *names, const char *text, size_t len);
const char *names__intern(struct names *names, const char *text);

size_t names__count(const struct names *names);
/* How many calls were answered with NAMES_OVERFLOW. */
uint64_t names__overflowed(const struct names *names);

#endif
