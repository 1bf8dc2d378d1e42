// SPDX-License-Identifier: BSD-2-Clause
/*
 * vanisher [TIMES=20]
 *
 * On SIGUSR1 allocates a block of 1 MB TIMES times and takes each away behind malloc's back, with
 * munmap, so that the next one gets the same address. No free is ever called: a tracer must notice
 * from the address that TIMES - 1 frees were missed. The last block stays.
 */
#include <sys/mman.h>

#include "common.h"

#define BLOCK_BYTES (1 << 20)
#define PAGE	    4096
#define HEADER	    16 /* of glibc, in front of a block that has a mapping of its own */

NOINLINE char *allocate_here(void);

NOINLINE char *allocate_here(void)
{
	return opaque(malloc(BLOCK_BYTES));
}

int main(int argc, char **argv)
{
	long times = number_arg(argc, argv, 1, 20);
	char *first = NULL, *block;

	target_start();
	target_ready();
	target_wait_go();
	for (long i = 0; i < times; i++) {
		block = allocate_here();
		if (!first)
			first = block;
		if (block != first)
			return 1;
		if (i + 1 < times && munmap(block - HEADER, BLOCK_BYTES + PAGE))
			return 1;
	}
	target_truth("{\"allocs\":%ld,\"missed\":%ld,\"live_blocks\":1,\"live_bytes\":%d}", times,
		     times - 1, BLOCK_BYTES);
	target_idle();
}
