// SPDX-License-Identifier: BSD-2-Clause
#include "insight/evidence.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int evidence__say(struct evidence *evidence, const char *fmt, ...)
{
	char *text = NULL, **slot;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		return -ENOMEM;
	slot = vec_push(&evidence->list);
	if (!slot) {
		free(text);
		return -ENOMEM;
	}
	*slot = text;
	return 0;
}

void evidence__free(struct evidence *evidence)
{
	char **text;

	vec_for_each (&evidence->list, text)
		free(*text);
	vec_free(&evidence->list);
}
