// SPDX-License-Identifier: BSD-2-Clause
/* Variables and parameters that only a context uses: no warnings, enabled or disabled. */
#include <perftrace.h>

int unused(int n, const char *region);
int unused(int n, const char *region)
{
	const char *name = "name";
	int assigned;

	assigned = n + 1;
	PERF_GUARD(name, region);
	PERF_END("x", PERF_FMT("%d", assigned));
	return 0;
}
