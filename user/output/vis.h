/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one place where bytes of a target become text for a terminal or a log. Well-formed UTF-8
 * passes; what could move a cursor, end a line or turn text around (utf8_is_unsafe), and every
 * ill-formed byte, is written as in vis(3): \n \r \t, else \ooo byte by byte. A backslash is
 * doubled, so that no text can imitate an escape.
 */
#ifndef PERFTRACE_OUTPUT_VIS_H
#define PERFTRACE_OUTPUT_VIS_H

#include <stddef.h>

#include "base/strbuf.h"

#define VIS_NAME_MAX	256  /* bytes of one name */
#define VIS_CONTEXT_MAX 1024 /* bytes of one context or path */

/* Appends `text` (NULL = nothing), at most `max` bytes of it; what is cut off shows as "...". */
void vis(struct strbuf *out, const char *text, size_t max);
/* The same for `len` bytes that may contain NULs. */
void vis_bytes(struct strbuf *out, const char *bytes, size_t len, size_t max);
/*
 * Appends a thread's name, `size` bytes with or without a NUL; also escapes ']' and ':', which
 * end fields of a log line.
 */
void vis_comm(struct strbuf *out, const char *comm, size_t size);

#endif
