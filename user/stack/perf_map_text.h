/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of a perf map, made searchable. Part of perf_map.h. */
#ifndef PERFTRACE_STACK_PERF_MAP_TEXT_H
#define PERFTRACE_STACK_PERF_MAP_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Addresses [start, end) belong to the code that starts at `code` and is called so. */
struct perf_map_piece {
	uint64_t start, end, code;
	uint32_t name; /* offset in the text; NUL-terminated */
};

struct perf_map_pieces {
	struct perf_map_piece *list; /* ascending, disjoint; owned */
	size_t count;
};

/*
 * Reads the lines of text[0, len), whose names are terminated in place. Where lines overlap the
 * later one counts. Lines that are no map lines, or not complete, are skipped; of more than
 * PERF_MAP_ENTRIES_MAX the last count. 0 or -ENOMEM. len is at most PERF_MAP_BYTES_MAX.
 */
int perf_map_text__index(char *text, size_t len, struct perf_map_pieces *out);

#endif
