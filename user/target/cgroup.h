/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is in a control group, cgroups(7): version 2, version 1 hierarchies, and both side by side.
 * They are looked for where they are mounted (/proc/self/mountinfo, proc(5)); nothing is ever
 * mounted. systemd keeps a directory per unit, called like the unit, in version 2 or, on older
 * systems, in the hierarchy "name=systemd".
 *
 * Directories are named by whoever they were delegated to, and there may be any number of them:
 * searches are bounded in depth and number.
 */
#ifndef PERFTRACE_TARGET_CGROUP_H
#define PERFTRACE_TARGET_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/vec.h"
#include "target/process.h"

struct cgroup_mount {
	char *directory; /* where it is mounted */
	char *root;	 /* the group of the hierarchy that is seen there, "/" = all */
	bool has_units;	 /* version 2, or the hierarchy that systemd keeps for itself */
};

struct cgroup_mounts {
	VEC(struct cgroup_mount) list; /* version 2 first, then as listed */
};

/* Directories of control groups; absolute paths. Zero-initialise. */
struct cgroup_list {
	VEC(char *) dirs;
};

/* The mounts of the text of a mountinfo file; lines of other forms are passed over. -ENOMEM. */
int cgroup_mounts__parse(const char *text, size_t len, struct cgroup_mounts *mounts);
int cgroup_mounts__load(struct cgroup_mounts *mounts);
void cgroup_mounts__free(struct cgroup_mounts *mounts);

/*
 * Finds a group by its directory, or by its path in a hierarchy as /proc/PID/cgroup shows it (a
 * leading slash may be missing). In several hierarchies the first that has it. Says in err which
 * one does not exist (exit 4).
 */
int cgroup__find_path(const struct cgroup_mounts *mounts, const char *path,
		      struct cgroup_list *found, struct error *err);
/*
 * Finds a unit by its name, with or without ".service", ".scope" or ".slice" (tried in that
 * order), also units of users' own managers: all of that name. Says in err when there is none,
 * and what might have been meant (exit 4).
 */
int cgroup__find_unit(const struct cgroup_mounts *mounts, const char *unit,
		      struct cgroup_list *found, struct error *err);

/*
 * Adds the PIDs in the groups and in the groups below to *out, each once; those of other PID
 * namespaces, which have none here, are left out. Kernel threads and zombies are among them. To
 * be called again to see who has joined. A group that is gone has no processes: 0. -E2BIG beyond
 * the bounds, -EACCES, -ENOMEM.
 */
int cgroup__pids(const struct cgroup_list *groups, pid_list *out);
void cgroup_list__free(struct cgroup_list *groups);

#endif
