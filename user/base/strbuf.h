/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A growing string. Zero-initialise it; free with strbuf_free(). A failed allocation is
 * remembered in `failed`, further appends do nothing, and strbuf_error() tells once at the end.
 */
#ifndef PERFTRACE_BASE_STRBUF_H
#define PERFTRACE_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf {
	char *data; /* NUL-terminated once anything was appended; NULL before */
	size_t len;
	size_t capacity;
	bool failed;
};

void strbuf_add(struct strbuf *b, const char *bytes, size_t len);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text so far, never NULL. Valid until the next append. */
const char *strbuf_str(const struct strbuf *b);
/* Empties it, keeps the memory. */
void strbuf_reset(struct strbuf *b);
/* 0, or -ENOMEM when an append failed. */
int strbuf_error(const struct strbuf *b);
void strbuf_free(struct strbuf *b);

#endif
