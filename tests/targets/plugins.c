// SPDX-License-Identifier: BSD-2-Clause
/*
 * plugins ELDER YOUNGER [CALLS=100] [PAUSE_MS=100]
 *
 * Two copies of lib/plug.c: ELDER is loaded from the start. On SIGUSR1 YOUNGER is loaded, PAUSE_MS
 * later plug_outer() of both is called CALLS times each; YOUNGER is closed, its place is taken, it
 * is loaded again elsewhere, and after PAUSE_MS called CALLS times more.
 */
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include "common.h"

static void *load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return library;
}

static void call(void *library, long times)
{
	int (*outer)(int) = (int (*)(int))dlsym(library, "plug_outer");

	for (long i = 0; i < times; i++) {
		if (outer(i) != i + 1)
			exit(1);
	}
}

static uintptr_t address(void *library)
{
	struct link_map *map;

	return dlinfo(library, RTLD_DI_LINKMAP, &map) ? 0 : map->l_addr;
}

int main(int argc, char **argv)
{
	long calls = number_arg(argc, argv, 3, 100), pause_ms = number_arg(argc, argv, 4, 100);
	void *elder, *younger;
	uintptr_t before;

	if (argc < 3)
		return 2;
	target_start();
	elder = load(argv[1]);
	target_ready();
	target_wait_go();
	younger = load(argv[2]);
	before = address(younger);
	sleep_ms(pause_ms);
	call(elder, calls);
	call(younger, calls);
	dlclose(younger);
	if (mmap((void *)before, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		 -1, 0) != (void *)before)
		return 1;
	younger = load(argv[2]);
	sleep_ms(pause_ms);
	call(younger, calls);
	target_truth("{\"calls\":%ld,\"moved\":%s}", 3 * calls,
		     address(younger) != before ? "true" : "false");
	target_idle();
}
