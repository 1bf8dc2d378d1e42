// SPDX-License-Identifier: BSD-2-Clause
#include "output/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "output/utf8.h"

void json_begin(struct json *j, struct strbuf *out)
{
	memset(j, 0, sizeof(*j));
	j->out = out;
}

int json_end(const struct json *j)
{
	assert(!j->depth && j->done);
	return strbuf_error(j->out);
}

/* What comes before every value: the comma, and the key in objects. */
static void lead_in(struct json *j, const char *key)
{
	if (!j->depth) {
		assert(!key && !j->done);
		return;
	}
	assert(j->level[j->depth - 1].array == !key);
	if (j->level[j->depth - 1].started)
		strbuf_putc(j->out, ',');
	j->level[j->depth - 1].started = true;
	if (key) {
		strbuf_putc(j->out, '"');
		strbuf_puts(j->out, key);
		strbuf_puts(j->out, "\":");
	}
}

static void value_done(struct json *j)
{
	if (!j->depth)
		j->done = true;
}

static void open_level(struct json *j, const char *key, bool array)
{
	lead_in(j, key);
	assert(j->depth < JSON_DEPTH_MAX);
	j->level[j->depth].array = array;
	j->level[j->depth].started = false;
	j->depth++;
	strbuf_putc(j->out, array ? '[' : '{');
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, false);
}

void json_array(struct json *j, const char *key)
{
	open_level(j, key, true);
}

void json_close(struct json *j)
{
	assert(j->depth);
	j->depth--;
	strbuf_putc(j->out, j->level[j->depth].array ? ']' : '}');
	value_done(j);
}

static void add_escaped(struct json *j, uint32_t code)
{
	switch (code) {
	case '"':
		strbuf_puts(j->out, "\\\"");
		break;
	case '\\':
		strbuf_puts(j->out, "\\\\");
		break;
	case '\n':
		strbuf_puts(j->out, "\\n");
		break;
	case '\r':
		strbuf_puts(j->out, "\\r");
		break;
	case '\t':
		strbuf_puts(j->out, "\\t");
		break;
	default: /* all that need it are in the basic plane */
		strbuf_printf(j->out, "\\u%04" PRIx32, code);
	}
}

static void add_text(struct json *j, const char *bytes, size_t len)
{
	size_t plain = 0, i = 0;

	while (i < len) {
		uint32_t code = (unsigned char)bytes[i];
		size_t n = utf8_next(bytes + i, len - i, &code);

		if (n && code != '"' && code != '\\' && !utf8_is_unsafe(code)) {
			i += n;
			continue;
		}
		strbuf_add(j->out, bytes + plain, i - plain);
		add_escaped(j, code);
		i += n ? n : 1;
		plain = i;
	}
	strbuf_add(j->out, bytes + plain, i - plain);
}

void json_string_bytes(struct json *j, const char *key, const char *bytes, size_t len)
{
	lead_in(j, key);
	strbuf_putc(j->out, '"');
	add_text(j, bytes, len);
	strbuf_putc(j->out, '"');
	value_done(j);
}

void json_string(struct json *j, const char *key, const char *text)
{
	if (text)
		json_string_bytes(j, key, text, strlen(text));
	else
		json_null(j, key);
}

static void literal(struct json *j, const char *key, const char *text)
{
	lead_in(j, key);
	strbuf_puts(j->out, text);
	value_done(j);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	literal(j, key, text);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	literal(j, key, text);
}

void json_double(struct json *j, const char *key, double value)
{
	char text[40], *comma;

	if (!isfinite(value)) {
		json_null(j, key);
		return;
	}
	snprintf(text, sizeof(text), "%.15g", value);
	comma = strchr(text, ','); /* a locale's decimal point */
	if (comma)
		*comma = '.';
	literal(j, key, text);
}

void json_bool(struct json *j, const char *key, bool value)
{
	literal(j, key, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	literal(j, key, "null");
}
