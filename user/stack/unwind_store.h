/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All unwind tables of a run, and what the processes of each layout map where: the content of the
 * arrays that the kernel side reads (bpf/abi/unwind.h). The arrays are given: memory shared with
 * the kernel, or plain memory in tests.
 *
 *	unwind_store__learn()	    for what the first processes map: how large must the arrays be?
 *	unwind_store__bind()	    here they are
 *	unwind_store__set_layout()  from now on
 *
 * The kernel side reads without locks. So what it may be reading is never written over: new
 * mappings are written elsewhere and published by one map update, and what was in use is reused a
 * second later at the earliest.
 */
#ifndef PERFTRACE_STACK_UNWIND_STORE_H
#define PERFTRACE_STACK_UNWIND_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/unwind.h"
#include "elf/image.h"
#include "stack/unwind_table.h"
#include "target/maps.h"

#define UNWIND_QUARANTINE_NS 1000000000ULL
#define UNWIND_SHARDS_MAX    256 /* 256 MB */

/* As unwind_table__build(). */
typedef int (*unwind_build_fn)(const struct elf_image *img, struct unwind_rules *rules,
			       struct unwind_table *out);

struct unwind_memory {
	uint16_t *halves; /* of the shards */
	size_t n_halves;  /* whole shards, except in tests */
	struct unwind_page *pages;
	size_t n_pages;
	struct unwind_rule *rules; /* UNWIND_RULES_MAX */
	struct unwind_mapping *mappings;
	size_t n_mappings;
	/*
	 * Makes a layout visible, or another one than it was; NULL: there is no such layout any
	 * more. 0 or a negative errno.
	 */
	int (*publish)(void *arg, uint64_t layout, const struct unwind_layout *value);
	void *arg;
};

struct unwind_store_facts {
	size_t objects; /* files known */
	size_t tables;	/* of those, with tables in the arrays */
	uint64_t rows;	/* in use, those of objects that are kept in case they come again, too */
	uint64_t pages;
	uint64_t eh_frame_bytes; /* what these were made from */
	size_t evicted;		 /* objects that nobody mapped any more and that made room */
	size_t cut;		 /* objects that found no room */
	size_t layouts;
	uint64_t mappings; /* in use */
};

struct unwind_store;

/* `build` NULL = unwind_table__build(). NULL when out of memory. */
struct unwind_store *unwind_store__new(unwind_build_fn build);
void unwind_store__free(struct unwind_store *store);

/* Before bind: builds the tables of what a process maps. 0 or -ENOMEM. */
int unwind_store__learn(struct unwind_store *store, pid_t pid, const struct maps *maps);
/* Shards and pages that make sense for what was learned, with room for more. */
void unwind_store__needs(const struct unwind_store *store, size_t *shards, size_t *pages);
/* Copies *memory. 0 or -ENOMEM. */
int unwind_store__bind(struct unwind_store *store, const struct unwind_memory *memory,
		       uint64_t now_ns);

/*
 * What the processes of a layout map, by the mappings of `pid`, which still runs. 0: published, or
 * nothing has changed since. -EAGAIN: published, but some of it found no room; -ENOSPC: not
 * published, the kernel side knows nothing of the layout now. After both it is worth trying again
 * a second later. -ENOMEM and what publish() returned: as -ENOSPC.
 */
int unwind_store__set_layout(struct unwind_store *store, uint64_t layout, pid_t pid,
			     const struct maps *maps, uint64_t now_ns);
/* Nobody has it any more. */
void unwind_store__drop_layout(struct unwind_store *store, uint64_t layout, uint64_t now_ns);

void unwind_store__facts(const struct unwind_store *store, struct unwind_store_facts *facts);

#endif
