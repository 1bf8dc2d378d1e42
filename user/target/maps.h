/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's mappings, from /proc/PID/maps (proc(5)). */
#ifndef PERFTRACE_TARGET_MAPS_H
#define PERFTRACE_TARGET_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct mapping {
	uint64_t start, end; /* [start, end) in the process */
	uint64_t file_offset;
	/*
	 * Which file; inode 0 = none. As in the text, but maps__load() puts in what stat(2) shows
	 * where the text is ambiguous: all subvolumes of a btrfs have one device number there, and
	 * a snapshot's inodes those of its origin.
	 */
	uint32_t dev_major, dev_minor;
	uint64_t inode;
	bool readable, writable, executable, shared;
	bool deleted; /* the kernel appended " (deleted)", which is not part of path */
	char *path;   /* as seen in the process's own root; "[heap]" and the like; "" = anonymous */
};

struct maps {
	VEC(struct mapping) list; /* by ascending address, without overlaps */
	unsigned int bad_lines;	  /* skipped: unreadable, out of order or overlapping */
};

/*
 * Appends the mappings of `text` to `maps` (zero-initialised; freed with maps__free() whatever is
 * returned). 0 or -ENOMEM: whatever the text, it is never an error, only counted.
 */
int maps__parse(const char *text, size_t len, struct maps *maps);
/*
 * Reads the mappings of a running process. -ESRCH: it does not exist; -EACCES, -EPERM: not
 * allowed; -EFBIG: more text than any real process has; -ENOMEM. Kernel threads and zombies have
 * no mappings: 0 and an empty list.
 */
int maps__load(pid_t pid, struct maps *maps);
/* The mapping that contains `address`, or NULL. */
const struct mapping *maps__find(const struct maps *maps, uint64_t address);
void maps__free(struct maps *maps);

#endif
