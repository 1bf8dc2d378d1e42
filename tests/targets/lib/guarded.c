// SPDX-License-Identifier: BSD-2-Clause
/* A pair behind a semaphore that only this library has, of the same name in every copy. */
#include "../usdt.h"

#define LOCAL __attribute__((visibility("hidden")))

void guarded_work(const char *text);

LOCAL USDT_SEMAPHORE(library_guarded_semaphore);

void guarded_work(const char *text)
{
	if (!__builtin_expect(library_guarded_semaphore, 0))
		return;
	USDT1("library", "guarded__start", "library_guarded_semaphore", text);
	USDT0("library", "guarded__done", "library_guarded_semaphore");
}
