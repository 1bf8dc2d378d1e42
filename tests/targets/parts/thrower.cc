// SPDX-License-Identifier: BSD-2-Clause
/* Makes a C program one that exceptions may pass through. */
extern "C" void throws_if(int n);

extern "C" void throws_if(int n)
{
	if (n)
		throw n;
}
