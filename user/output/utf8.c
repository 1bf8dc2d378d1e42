// SPDX-License-Identifier: BSD-2-Clause
#include "output/utf8.h"

#include <string.h>

size_t utf8_next(const char *s, size_t len, uint32_t *code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *b = (const unsigned char *)s;
	size_t n;
	uint32_t c;

	if (!len)
		return 0;
	if (b[0] < 0x80) {
		*code = b[0];
		return 1;
	}
	n = b[0] >= 0xf0 && b[0] < 0xf8 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	if (b[0] < 0xc2 || b[0] >= 0xf8 || n > len)
		return 0;
	c = b[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3f);
	}
	if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return n;
}

bool utf8_is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||	     /* controls */
	       (code >= 0x202a && code <= 0x202e) ||		     /* embeddings, overrides */
	       (code >= 0x2066 && code <= 0x2069) ||		     /* isolates */
	       code == 0x061c || code == 0x200e || code == 0x200f || /* direction marks */
	       code == 0x2028 || code == 0x2029;		     /* line, paragraph separator */
}

size_t utf8_columns(const char *s)
{
	size_t len = strlen(s), columns = 0;

	for (size_t i = 0; i < len; columns++) {
		uint32_t code;
		size_t n = utf8_next(s + i, len - i, &code);

		i += n ? n : 1;
	}
	return columns;
}

size_t utf8_prefix(const char *s, size_t columns)
{
	size_t len = strlen(s), i = 0;

	while (i < len && columns--) {
		uint32_t code;
		size_t n = utf8_next(s + i, len - i, &code);

		i += n ? n : 1;
	}
	return i;
}
