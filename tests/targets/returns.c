// SPDX-License-Identifier: BSD-2-Clause
/*
 * returns [ARGUMENTS]
 *
 * A program that hooked returns would kill or mislead. On SIGUSR1, 10 times: setjmp, which returns
 * twice; dlsym(RTLD_NEXT), which looks who calls it. The truth counts those that went well, and
 * the arguments, which lie where others have their return address when the program begins.
 */
#include <dlfcn.h>
#include <setjmp.h>

#include "common.h"

#define TIMES 10

static volatile int jumps, symbols;

NOINLINE static void jump(void)
{
	jmp_buf place;

	if (!setjmp(place))
		longjmp(place, 1);
	jumps++;
}

int main(int argc, char **argv)
{
	(void)argv;
	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < TIMES; i++) {
		jump();
		symbols += dlsym(RTLD_NEXT, "malloc") != NULL;
	}
	target_truth("{\"times\":%d,\"jumps\":%d,\"symbols\":%d,\"arguments\":%d}", TIMES, jumps,
		     symbols, argc - 1);
	target_idle();
}
