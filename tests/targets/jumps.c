// SPDX-License-Identifier: BSD-2-Clause
/*
 * jumps
 *
 * Functions that are hard to trace, or cannot be. On SIGUSR1 calls each 10 times:
 *
 *	only_jumps	an unconditional jump to real_work, nothing else
 *	real_work
 *	chosen		an IFUNC whose resolver takes chosen_plain
 *	sleeps		2 ms
 */
#include "common.h"

#define CALLS 10

int only_jumps(int n);
int real_work(int n);
int chosen(int n);
int sleeps(int n);

__asm__("	.text\n"
	"	.globl	only_jumps\n"
	"	.type	only_jumps, @function\n"
	"only_jumps:\n"
	"	.cfi_startproc\n"
	"	jmp	real_work\n"
	"	.cfi_endproc\n"
	"	.size	only_jumps, . - only_jumps\n");

NOINLINE int real_work(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

NOINLINE static int chosen_plain(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 2;
}

static int (*choose(void))(int)
{
	return chosen_plain;
}

int chosen(int n) __attribute__((ifunc("choose")));

NOINLINE int sleeps(int n)
{
	sleep_ms(2);
	return n;
}

int main(void)
{
	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < CALLS; i++) {
		only_jumps(i);
		chosen(i);
		sleeps(i);
	}
	target_truth("{\"calls\":%d}", CALLS);
	target_idle();
}
