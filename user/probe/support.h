/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this kernel's uprobes can do, found out by trying it on ourselves: version numbers lie,
 * distributions take features and fixes back to older kernels.
 */
#ifndef PERFTRACE_PROBE_SUPPORT_H
#define PERFTRACE_PROBE_SUPPORT_H

#include <stdbool.h>

#include "base/error.h"
#include "probe/link.h"

struct link_support {
	bool session; /* Linux 6.13 */
	bool multi;   /* Linux 6.6, and its process filter lets all threads pass (6.10) */
	bool perf;    /* Linux 4.17; here always with a cookie (5.15) */
};

/*
 * Tries all rungs. `*out` has at least one of them, or an error is returned: exit code 3 with what
 * is missing. PERFTRACE_LINK=session|multi|single in the environment hides the rungs above.
 */
int link_support__detect(struct link_support *out, struct error *err);

/* The way to probe entry and return of a function, and sites without a return. */
enum link_method link_support__calls(const struct link_support *s);
enum link_method link_support__sites(const struct link_support *s);

/*
 * Would a return probe kill a program that filters its system calls? On some kernels the system
 * call behind return probes is itself subject to the filter (CVE-2025-21834). Tried on a child of
 * our own in strict mode. When it cannot be tried, the answer is true.
 */
bool link_support__return_kills_seccomp(const struct link_support *s);

#endif
