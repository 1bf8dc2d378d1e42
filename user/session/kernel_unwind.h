/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel side's unwind tables as memory: part of session/kernel.h. */
#ifndef PERFTRACE_SESSION_KERNEL_UNWIND_H
#define PERFTRACE_SESSION_KERNEL_UNWIND_H

#include <stddef.h>
#include <stdint.h>

#include "stack/unwind_store.h"

struct bpf_map;

#define KERNEL_UNWIND_ARRAYS 4

/* Zero-initialise; kernel_unwind__close() when done. */
struct kernel_unwind {
	struct {
		void *at; /* NULL = not mapped */
		size_t bytes;
	} arrays[KERNEL_UNWIND_ARRAYS]; /* shards, pages, rules, mappings */
	size_t n_halves, n_pages, n_mappings;
	int layouts_fd;
	uint64_t *changed;
};

/* Maps the arrays of a loaded object; `changed` is counted up after every change of a layout. */
int kernel_unwind__open(struct kernel_unwind *u, const struct bpf_map *shards,
			const struct bpf_map *pages, const struct bpf_map *rules,
			const struct bpf_map *mappings, const struct bpf_map *layouts,
			uint64_t *changed);
void kernel_unwind__close(struct kernel_unwind *u);
/* -ENOENT: never opened. */
int kernel_unwind__memory(struct kernel_unwind *u, struct unwind_memory *memory);

#endif
