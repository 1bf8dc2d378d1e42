// SPDX-License-Identifier: BSD-2-Clause
/* Built twice, with another name of SITE: the same code at the same address means something else.
 */
#include <stdlib.h>

void *volatile kept;

__attribute__((noinline)) void SITE(void);
void site(void);

void SITE(void)
{
	kept = malloc(555);
}

void site(void)
{
	SITE();
	__asm__ volatile("" : : : "memory");
}
