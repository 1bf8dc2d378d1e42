// SPDX-License-Identifier: BSD-2-Clause
#include "base/notice.h"

#include <stdarg.h>
#include <stdio.h>

static notice_sink_fn sink;

void notice_set_sink(notice_sink_fn new_sink)
{
	sink = new_sink;
}

void notice(enum notice_level level, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	if (!sink)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	sink(level, line);
}
