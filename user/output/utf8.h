/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading UTF-8 that nobody promised to be UTF-8. */
#ifndef PERFTRACE_OUTPUT_UTF8_H
#define PERFTRACE_OUTPUT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Length of the well-formed character at `s` (at most `len` bytes), its code point in `*code`;
 * 0 when there is none: truncated, overlong, a surrogate, or beyond U+10FFFF (RFC 3629).
 */
size_t utf8_next(const char *s, size_t len, uint32_t *code);
/*
 * May a terminal or a reader be fooled by it? C0 and C1 controls, DEL, and the invisible ones
 * that change the direction of text or end a line (U+2028, U+2029).
 */
bool utf8_is_unsafe(uint32_t code);
/* Characters in the NUL-terminated `s`; an ill-formed byte counts as one. */
size_t utf8_columns(const char *s);
/* Bytes that the first `columns` characters of `s` take. */
size_t utf8_prefix(const char *s, size_t columns);

#endif
