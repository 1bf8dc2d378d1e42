// SPDX-License-Identifier: BSD-2-Clause
/*
 * becomes PATH [ARGUMENTS]
 *
 * On SIGUSR1 keeps 7 blocks of 300 bytes and becomes another program. It has functions of the names
 * that those have: family_work (execer), sometimes and between (thrower), but calls none.
 */
#include "family.h"

int sometimes(int n);
int between(int n);

NOINLINE int sometimes(int n)
{
	return n + 1;
}

NOINLINE int between(int n)
{
	return sometimes(n) * 2;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < 7; i++)
		opaque(malloc(300));
	execv(argv[1], argv + 1);
	return 1;
}
