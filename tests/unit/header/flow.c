// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every macro and every way out of a scope, in what C and C++ share: it is compiled as both.
 * Without an argument nobody is attached. EVALUATED counts contexts.
 */
#include <errno.h>
#include <perftrace.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "trap.h"

static int evaluated;
static jmp_buf jump;

static const char *context(const char *text)
{
	evaluated++;
	return text;
}

static int counted(int n)
{
	evaluated++;
	return n;
}

static int early_return(int n)
{
	PERF_GUARD("return", context("early"));
	if (n > 1)
		return n;
	PERF_START("not reached");
	return 0;
}

static void loops(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		PERF_GUARD("loop");
		if (i == 0)
			continue;
		if (i == 1)
			break;
	}
	{
		PERF_GUARD("goto", PERF_FMT("%s %d", "round", counted(i)));
		goto out;
	}
out:
	PERF_CHECKPOINT("after goto");
}

static int from_block(void)
{
	PERF_TIMED_BLOCK("block")
	{
		PERF_TIMED_BLOCK("inner")
		{
			PERF_EVENT("TAG", "in block");
		}
		return 7;
	}
	return 0;
}

static void left_by_longjmp(void)
{
	PERF_START("lost");
	longjmp(jump, 1);
}

static void nothing(int n)
{
	(void)n;
}

static void values(void)
{
	const char *none = NULL;
	char text[8];
	int n;

	n = PERF_TIMED("outer", 1 + PERF_TIMED("inner", context("ctx"), 2 * 3));
	PERF_TIMED("void", nothing(n));
	PERF_TIMED("void", PERF_FMT("%d", n), nothing(n));
	PERF_END("none", none);
	/* A text written by plain stores, which only the probe reads. */
	text[0] = 'a';
	text[1] = 'b';
	text[2] = '\0';
	PERF_START(text);
	text[1] = 'c';
	PERF_END("stores", text);
	PERF_EVENT("CACHE", PERF_FMT("GET_HIT %d", counted(n)));
}

static void long_text(void)
{
	char wide[400];
	int kept = 0;

	memset(wide, 'x', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	errno = 77;
	PERF_CHECKPOINT("long", PERF_FMT("%s", wide));
	kept = errno;
	printf("errno %d\n", kept);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		trap_attach();
	early_return(argc + 1);
	loops();
	from_block();
	if (!setjmp(jump))
		left_by_longjmp();
	values();
	long_text();
	trap_print();
	printf("evaluated %d\n", evaluated);
	return 0;
}
