// SPDX-License-Identifier: BSD-2-Clause
/*
 * reuse FIRST SECOND [TURNS=4] [PAUSE_MS=100] [CALLS=50]
 *
 * Loads FIRST and SECOND in turns, two builds of lib/reused.c, always at one and the same address:
 * PAUSE_MS after that, calls its site() CALLS times, which loses a block of 555 bytes each, and
 * closes it. Truth: calls of each, and whether the address was the same.
 */
#include <dlfcn.h>
#include <link.h>

#include "common.h"

static uintptr_t run(const char *path, long pause_ms, long calls)
{
	void *library = dlopen(path, RTLD_NOW);
	struct link_map *map;
	void (*site)(void);
	uintptr_t at;

	if (!library || dlinfo(library, RTLD_DI_LINKMAP, &map)) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	at = map->l_addr;
	site = (void (*)(void))dlsym(library, "site");
	sleep_ms(pause_ms);
	for (long i = 0; i < calls; i++)
		site();
	dlclose(library);
	return at;
}

int main(int argc, char **argv)
{
	long turns = number_arg(argc, argv, 3, 4), pause_ms = number_arg(argc, argv, 4, 100),
	     calls = number_arg(argc, argv, 5, 50);
	uintptr_t first = 0;
	int same = 1;

	if (argc < 3)
		return 2;
	target_start();
	target_ready();
	target_wait_go();
	for (long i = 0; i < 2 * turns; i++) {
		uintptr_t at = run(argv[1 + i % 2], pause_ms, calls);

		if (!i)
			first = at;
		same &= at == first;
	}
	target_truth("{\"calls\":%ld,\"same_address\":%s}", turns * calls, same ? "true" : "false");
	target_idle();
}
