// SPDX-License-Identifier: BSD-2-Clause
/*
 * sites
 *
 * On SIGUSR1 three call sites keep memory, each on both sides of a bound that options choose by:
 *
 *	few()	    10 blocks of  2000 bytes, and then 1.5 s pass
 *	many()	  1000 blocks of   100 bytes
 *	one()	     1 block  of 1 MB (2^20)
 */
#include "common.h"

#define MB (1L << 20)

static struct tally books;

NOINLINE void few(void);
NOINLINE void many(void);
NOINLINE void one(void);

static void keep(void *block, long bytes)
{
	if (!opaque(block))
		abort();
	tally_alloc(&books, bytes);
}

NOINLINE void few(void)
{
	for (int i = 0; i < 10; i++)
		keep(malloc(2000), 2000);
}

NOINLINE void many(void)
{
	for (int i = 0; i < 1000; i++)
		keep(malloc(100), 100);
}

NOINLINE void one(void)
{
	keep(malloc(MB), MB);
}

int main(void)
{
	target_start();
	target_ready();
	target_wait_go();
	few();
	sleep_ms(1500);
	many();
	one();
	target_truth("{\"sites\":{\"one\":[1,%ld],\"many\":[1000,100000],\"few\":[10,20000]},"
		     "\"old\":\"few\"," TALLY_FORMAT "}",
		     MB, TALLY_VALUES(&books));
	target_idle();
}
