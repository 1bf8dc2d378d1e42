// SPDX-License-Identifier: BSD-2-Clause
#include "elf/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct output {
	size_t len;
	jmp_buf too_long;
	char text[DEMANGLE_OUTPUT_MAX];
};

/*
 * Substitutions let the result double with every few bytes of input, so the demangler has to be
 * stopped in the middle. It cannot be told to; but its callback variants keep their state on the
 * stack (at worst one identifier's buffer leaks), so that leaving them by longjmp is sound.
 */
static void append(const char *part, size_t len, void *opaque)
{
	struct output *out = opaque;

	if (len >= sizeof(out->text) - out->len)
		longjmp(out->too_long, 1);
	memcpy(out->text + out->len, part, len);
	out->len += len;
}

static bool run(const char *raw, struct output *out)
{
	if (setjmp(out->too_long))
		return false;
	if (rust_demangle_callback(raw, DMGL_PARAMS | DMGL_ANSI, append, out) && out->len)
		return true;
	out->len = 0;
	return cplus_demangle_v3_callback(raw, DMGL_PARAMS | DMGL_ANSI, append, out) && out->len;
}

char *demangle(const char *raw)
{
	struct output out;

	if (raw[0] != '_' || (raw[1] != 'Z' && raw[1] != 'R') ||
	    strnlen(raw, DEMANGLE_INPUT_MAX + 1) > DEMANGLE_INPUT_MAX)
		return NULL;
	out.len = 0;
	if (!run(raw, &out))
		return NULL;
	return strndup(out.text, out.len);
}
