// SPDX-License-Identifier: BSD-2-Clause
#include "output/vis.h"

#include <stdbool.h>
#include <string.h>

#include "output/utf8.h"

static void add_octal(struct strbuf *out, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		strbuf_printf(out, "\\%03o", (unsigned char)bytes[i]);
}

static void add_unsafe(struct strbuf *out, const char *bytes, size_t len)
{
	switch (bytes[0]) {
	case '\n':
		strbuf_puts(out, "\\n");
		break;
	case '\r':
		strbuf_puts(out, "\\r");
		break;
	case '\t':
		strbuf_puts(out, "\\t");
		break;
	default:
		add_octal(out, bytes, len);
	}
}

static void add(struct strbuf *out, const char *bytes, size_t len, size_t max, const char *also)
{
	size_t plain = 0, i = 0; /* bytes [plain, i) pass as they are */

	while (i < len && i < max) {
		uint32_t code = 0;
		size_t n = utf8_next(bytes + i, len - i, &code);

		/* A character across the bound is left out, not cut in two. */
		if (i + n > max)
			break;
		if (n && !utf8_is_unsafe(code) && code != '\\' &&
		    !(code < 0x80 && strchr(also, (int)code))) {
			i += n;
			continue;
		}
		strbuf_add(out, bytes + plain, i - plain);
		if (code == '\\')
			strbuf_puts(out, "\\\\");
		else if (n)
			add_unsafe(out, bytes + i, n);
		else
			add_octal(out, bytes + i, 1);
		i += n ? n : 1;
		plain = i;
	}
	strbuf_add(out, bytes + plain, i - plain);
	if (i < len)
		strbuf_puts(out, "...");
}

void vis_bytes(struct strbuf *out, const char *bytes, size_t len, size_t max)
{
	add(out, bytes, len, max, "");
}

void vis(struct strbuf *out, const char *text, size_t max)
{
	if (text)
		add(out, text, strlen(text), max, "");
}

void vis_comm(struct strbuf *out, const char *comm, size_t size)
{
	add(out, comm, strnlen(comm, size), size, "]:");
}
