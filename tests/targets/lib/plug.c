// SPDX-License-Identifier: BSD-2-Clause
/* A plugin: functions, a span of its own name, a USDT pair, and blocks that it keeps. */
#include <perftrace.h>

#include <stdlib.h>

#include "../usdt.h"

int plug_outer(int n);

__attribute__((noinline, noclone)) static int plug_inner(int n)
{
	PERF_GUARD("plugged");
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

__attribute__((noinline, noclone)) int plug_outer(int n)
{
	USDT1("plug", "job__start", "0", (const char *)"from the plugin");
	n = plug_inner(n);
	if (!malloc(48))
		n = 0;
	USDT0("plug", "job__done", "0");
	return n;
}
