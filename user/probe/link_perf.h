/* SPDX-License-Identifier: BSD-2-Clause */
/* The lowest rung of probe/link.h, for it alone: a uprobe as a perf event of its own. */
#ifndef PERFTRACE_PROBE_LINK_PERF_H
#define PERFTRACE_PROBE_LINK_PERF_H

#include "probe/link.h"

/* A BPF link on one site of the file at `path`; its descriptor or a negative errno. */
int link_perf(int prog_fd, const char *path, pid_t pid, bool at_return,
	      const struct link_site *site);

#endif
