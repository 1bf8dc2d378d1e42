/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of code that a process makes at run time: /tmp/perf-PID.map, as node --perf-basic-prof,
 * the JVM and others write it for perf(1). One line per piece of code: START SIZE NAME, numbers in
 * hex; format: tools/perf/Documentation/jit-interface.txt of Linux.
 *
 * The file is found in the process's own root, under the PID it knows itself by, and only believed
 * when it belongs to the user the process acts as: everybody may create names in /tmp.
 */
#ifndef PERFTRACE_STACK_PERF_MAP_H
#define PERFTRACE_STACK_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PERF_MAP_BYTES_MAX   (64U << 20) /* of a larger file the end is read: the newest code */
#define PERF_MAP_ENTRIES_MAX 2000000
#define PERF_MAP_NAME_MAX    512 /* bytes; the rest of a longer name is cut off */

struct perf_map;

enum perf_map_state {
	PERF_MAP_NONE, /* no such file so far */
	PERF_MAP_READ,
	PERF_MAP_FOREIGN,     /* belongs to somebody else: refused */
	PERF_MAP_NOT_REGULAR, /* a link, FIFO or the like: refused */
	PERF_MAP_UNREADABLE,  /* not allowed, process gone, out of memory */
};

struct perf_map_entry {
	uint64_t start;	  /* of the function, an address in the process */
	const char *name; /* raw, as in the file; valid until the next call of perf_map__find() */
	size_t name_len;
};

/* Of a process that runs; opens the file if it is there. NULL when out of memory. */
struct perf_map *perf_map__new(pid_t pid);
void perf_map__free(struct perf_map *map);
/* Opens the file if it has appeared meanwhile, so that it outlives its process. */
void perf_map__look(struct perf_map *map);

/*
 * The youngest piece of code that holds `address`: what is made later replaces what was there.
 * Looks for a file that was not there before and reads it again when it has changed, the latter for
 * a tenth of the time at most. -ENOENT.
 */
int perf_map__find(struct perf_map *map, uint64_t address, struct perf_map_entry *out);
enum perf_map_state perf_map__state(const struct perf_map *map);

/*
 * The same of a file that is open (taken, closed with the map) and belongs to `uid`: for
 * perf_map__new() and for tests. NULL when out of memory.
 */
struct perf_map *perf_map__new_of_file(int fd, uid_t uid);

#endif
