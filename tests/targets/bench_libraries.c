// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench_libraries LIBRARY...
 *
 * Loads every LIBRARY, says it is ready, and idles until SIGTERM: a process with that many mapped
 * files.
 */
#include <dlfcn.h>

#include "common.h"

int main(int argc, char **argv)
{
	target_start();
	for (int i = 1; i < argc; i++) {
		if (!dlopen(argv[i], RTLD_NOW)) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
	}
	target_ready();
	target_idle();
	return 0;
}
