// SPDX-License-Identifier: BSD-2-Clause
/* The library that alloc_plugin loads: its malloc is that of own_malloc.c beside it. */
#include "../common.h"

void plugin_work(struct tally *books);

void plugin_work(struct tally *books)
{
	for (int i = 0; i < 50; i++) {
		void *p = opaque(malloc(200));

		tally_alloc(books, 200);
		p = opaque(realloc(p, 500));
		tally_alloc(books, 500);
		tally_free(books, 200);
		if (i % 5) {
			free(p);
			tally_free(books, 500);
		}
	}
}
