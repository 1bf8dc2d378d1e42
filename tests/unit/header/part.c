// SPDX-License-Identifier: BSD-2-Clause
/* One of several parts of a program: two in the executable (PART 1 and 2), one in a library (3). */
#include <perftrace.h>
#include <stdio.h>

#include "trap.h"

#define TEXT_(part) #part
#define TEXT(part)  TEXT_(part)

void part1(void);
void part2(void);
void part3(void);

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

void JOIN(part, PART)(void)
{
	PERF_GUARD("part" TEXT(PART), PERF_FMT("%s", "ctx"));
	PERF_CHECKPOINT("point", "ctx");
	PERF_EVENT("TAG", "text");
}

#if PART == 1
int main(void)
{
	trap_attach();
	part1();
	part2();
	part3();
	trap_print();
	return 0;
}
#endif
