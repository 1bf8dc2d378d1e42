/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes a run begins with: the roots that the user named, and those of their children
 * that live already, if children are followed.
 */
#ifndef PERFTRACE_SESSION_ROSTER_H
#define PERFTRACE_SESSION_ROSTER_H

#include <stdbool.h>

#include "base/error.h"
#include "target/process.h"

enum follow_mode {
	FOLLOW_AUTO, /* children of a root that has children running the same program */
	FOLLOW_ON,
	FOLLOW_OFF,
};

/* Zero-initialise; roster__close() when done, also after a failure. */
struct roster {
	VEC(struct process) roots;
	VEC(struct process) children;
	VEC(struct process) joined; /* roots that came later */
	enum follow_mode mode;
	bool follow; /* what the mode came to */
};

/*
 * Opens the roots and finds their children. The first `named` roots must be traceable each; of the
 * others those that are not are left out with a notice, as long as one remains.
 */
int roster__open(struct roster *r, const pid_list *pids, size_t named, enum follow_mode mode,
		 struct error *err);
/* Everybody is the one root; children are not listed. */
int roster__open_everybody(struct roster *r);
/* A root that came later; takes `p`. -ENOMEM: it is still the caller's. */
int roster__join(struct roster *r, const struct process *p);
/* Looks again: children born since are added at the end of `children`. */
int roster__adopt_children(struct roster *r);
void roster__close(struct roster *r);

/* The first root. */
const struct process *roster__root(const struct roster *r);
bool roster__any_root_alive(const struct roster *r);
/*
 * Does nobody else run the roots' executables? Only then may those be probed for all their
 * processes at once: otherwise somebody else's /usr/bin/python3 would pay.
 */
bool roster__owns_executables(const struct roster *r);

#endif
