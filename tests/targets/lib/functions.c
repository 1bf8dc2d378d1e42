// SPDX-License-Identifier: BSD-2-Clause
#include "functions.h"

static __attribute__((noinline, noclone)) int lib_helper(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

int lib_work(int n)
{
	return lib_helper(n) + lib_helper(n + 1);
}

/* The name that sorts first is the one shown. */
int also_lib_work(int n) __attribute__((alias("lib_work")));
