// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_plugin LIBRARY
 *
 * Loads LIBRARY, which has a malloc of its own for itself alone (plugin.c, own_malloc.c, linked
 * with -Bsymbolic). On SIGUSR1 both the program, with libc's malloc, and the plugin allocate.
 */
#include <dlfcn.h>

#include "common.h"

int main(int argc, char **argv)
{
	void (*plugin_work)(struct tally *);
	struct tally books = {0};
	void *library;

	target_start();
	library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	*(void **)&plugin_work = dlsym(library, "plugin_work");
	target_ready();
	target_wait_go();
	for (int i = 0; i < 100; i++) {
		void *p = opaque(malloc(100));

		tally_alloc(&books, 100);
		free(p);
		tally_free(&books, 100);
	}
	plugin_work(&books);
	target_truth("{" TALLY_FORMAT "}", TALLY_VALUES(&books));
	target_idle();
}
