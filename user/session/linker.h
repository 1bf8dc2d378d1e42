/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linking the probes of one object: which program sits on which site, and in which order. Part of
 * session/attach.h, which knows what is linked for whom.
 */
#ifndef PERFTRACE_SESSION_LINKER_H
#define PERFTRACE_SESSION_LINKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "probe/link.h"
#include "probe/plan.h"
#include "session/kernel.h"

/* Borrows both. Probes that the kernel refuses are marked in the plan. */
struct linker {
	struct plan *plan;
	const struct kernel *kernel;
};

struct link_set {
	link_list fds;
	/*
	 * Of functions whose returns are hooked: gone as soon as something is loaded that throws.
	 */
	link_list returns;
};

/*
 * Links probes of plan->objects[object], for one process or, with pid 0, for all. Links are
 * appended, also when not all could be made. 0 or a negative errno, -ESRCH: the process is gone.
 */
int linker__heap(const struct linker *l, size_t object, pid_t pid, link_list *fds);
/* All but the heap's and the loader's; `returns`: returns of functions may be hooked. */
int linker__others(const struct linker *l, size_t object, pid_t pid, bool returns,
		   struct link_set *links);
/* Where the dynamic linker tells of what it loads. */
int linker__loader(const struct linker *l, size_t object, pid_t pid, link_list *fds);

#endif
