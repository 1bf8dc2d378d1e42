// SPDX-License-Identifier: BSD-2-Clause
#include "probe/special_functions.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

/* setjmp(3), getcontext(3): they go there again, long after the hook has been used up. */
static const struct special_function keeps = {
	.why = "it keeps its return address to go there again",
};

/* dlopen(3), dlsym(3): where they look depends on the object that calls; profilers: on its name. */
static const struct special_function asks = {
	.why = "it asks who has called it",
};

/* Entered by the kernel, by the dynamic linker or by a return: other words lie on the stack. */
static const struct special_function uncalled = {
	.refused = true,
	.why = "nobody calls it: there is no return address on its stack",
};

/* Without leading underscores, which C libraries vary. */
static const struct {
	const char *glob;
	const struct special_function *what;
} table[] = {
	{"setjmp", &keeps},
	{"sigsetjmp", &keeps},
	{"savectx", &keeps},
	{"getcontext", &keeps},
	{"swapcontext", &keeps},
	{"dlopen", &asks},
	{"dlmopen", &asks},
	{"dlsym", &asks},
	{"dlvsym", &asks},
	{"libc_dl*", &asks},
	{"mcount", &asks},
	{"fentry__", &asks},
	{"cyg_profile_func_*", &asks},
	{"start", &uncalled},
	{"dl_start_user", &uncalled},
	{"restore_rt", &uncalled},
	{"dl_runtime_resolve*", &uncalled},
	{"dl_runtime_profile*", &uncalled},
	{"morestack*", &uncalled},
};

const struct special_function *special_function__find(const char *symbol)
{
	const char *plain = symbol + strspn(symbol, "_");

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!fnmatch(table[i].glob, plain, 0))
			/* A program may well have a start() of its own. */
			return table[i].what == &uncalled && plain == symbol ? NULL : table[i].what;
	}
	return NULL;
}
