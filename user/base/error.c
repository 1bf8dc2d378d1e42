// SPDX-License-Identifier: BSD-2-Clause
#include "base/error.h"

#include <stdio.h>

int error_set(struct error *err, enum exit_code exit_code, int ret, const char *fmt, ...)
{
	va_list args;

	if (!err || err->exit_code)
		return ret;
	err->exit_code = exit_code;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return ret;
}
