// SPDX-License-Identifier: BSD-2-Clause
/* libearly.so: its constructor allocates, and has a span, before the program's own code runs. */
#include <stdlib.h>

#include <perftrace.h>

#include "../early.h"

static void *volatile kept[LIBRARY_BLOCKS];

__attribute__((constructor)) static void construct_library(void)
{
	PERF_START("early.library");
	for (int i = 0; i < LIBRARY_BLOCKS; i++)
		kept[i] = malloc(LIBRARY_BYTES);
	PERF_END("early.library");
}

int early_library(void)
{
	return LIBRARY_BLOCKS;
}
