/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes JSON (RFC 8259) onto a strbuf as it goes; commas and nesting are its business. Every
 * function takes the key, which is NULL inside arrays and for the outermost value. Keys are
 * literals of ours. Wrong nesting is a bug of the caller and asserts.
 *
 * Strings of the target may be anything: well-formed UTF-8 passes, an ill-formed byte 0xNN is
 * written as \u00NN. That keeps the byte (and reads right if the text was Latin-1), where U+FFFD
 * would lose it. Controls and direction marks are written as \uNNNN, so that a document shown on
 * a terminal does nothing.
 */
#ifndef PERFTRACE_OUTPUT_JSON_H
#define PERFTRACE_OUTPUT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

#define JSON_DEPTH_MAX 16

struct json {
	struct strbuf *out;
	unsigned depth;
	bool done; /* the outermost value is complete */
	struct {
		bool array, started;
	} level[JSON_DEPTH_MAX];
};

/* Starts one document at the end of `out`. */
void json_begin(struct json *j, struct strbuf *out);
/* Asserts that everything was closed. 0, or -ENOMEM when the strbuf failed on the way. */
int json_end(const struct json *j);

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
/* Closes the innermost object or array. */
void json_close(struct json *j);

/* NULL is null. */
void json_string(struct json *j, const char *key, const char *text);
void json_string_bytes(struct json *j, const char *key, const char *bytes, size_t len);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
/* NAN and the infinities are null. */
void json_double(struct json *j, const char *key, double value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

#endif
