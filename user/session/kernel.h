/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel side as user space sees it: the loaded BPF object, its maps and its gate. The only
 * file that knows the generated skeleton is kernel.c.
 */
#ifndef PERFTRACE_SESSION_KERNEL_H
#define PERFTRACE_SESSION_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/counters.h"
#include "abi/cpu.h"
#include "abi/heap.h"
#include "abi/spans.h"
#include "base/error.h"
#include "probe/support.h"
#include "session/kernel_live.h"
#include "stack/unwind_store.h"

struct kernel;

struct kernel_options {
	bool heap, spans; /* spans: USDT pairs and our own macros */
	bool functions;	  /* spans of whole functions */
	bool told;	  /* heaps that tell of themselves */
	bool cpu;	  /* CPU samples */
	struct link_support support;
	bool follow_children;
	bool everybody;	      /* every process but this one is a target */
	size_t ring_bytes;    /* a power of two of at least a page */
	size_t live_max;      /* blocks alive at once */
	uint32_t stack_depth; /* frames kept per call site, 0..STACK_DEPTH_MAX */
	/* Size of the unwind tables; 0 = nobody takes stacks, or none is kept. */
	size_t unwind_shards, unwind_pages;
	const struct span_site *sites;
	size_t n_sites;
	const struct span_pair *pairs;
	size_t n_pairs;
	/* Room for sites and pairs of libraries that are loaded later. */
	size_t spare_sites, spare_pairs;
};

/* Loads the programs that the options need; nothing is attached yet. */
int kernel__load(const struct kernel_options *options, struct kernel **out, struct error *err);
void kernel__free(struct kernel *k);
/*
 * The tables have grown: hands over what is new of them. -E2BIG: there is no room; then nothing is
 * handed over.
 */
int kernel__extend_tables(struct kernel *k, const struct span_site *sites, size_t n_sites,
			  const struct span_pair *pairs, size_t n_pairs);

/* Attaches fork/exec/exit notices. */
int kernel__attach_life(struct kernel *k, struct error *err);

/* What is linked to probes. Which program does it depends on the kernel's uprobes. */
enum kernel_program {
	KERNEL_HEAP_ENTRY,	/* allocator calls; with sessions their returns, too */
	KERNEL_HEAP_RETURN,	/* without sessions */
	KERNEL_HEAP_TOLD,	/* where programs tell of their blocks themselves */
	KERNEL_SPAN,		/* USDT pairs and our own macros */
	KERNEL_FUNCTION_CALL,	/* entry and return of functions, with sessions */
	KERNEL_FUNCTION_SITE,	/* entries, and exits that are probed one by one */
	KERNEL_FUNCTION_RETURN, /* without sessions */
	KERNEL_LOADER,		/* where a dynamic linker has loaded or dropped a library */
	KERNEL_PROGRAMS,
};
/* The program's descriptor and how to link it; -ENOENT if it is not needed here. */
int kernel__program(const struct kernel *k, enum kernel_program which, enum link_method *method);

/* The descriptor of the program that takes CPU samples; -ENOENT if it is not needed here. */
int kernel__sampler(const struct kernel *k);

/* Until it is opened no program does anything, see bpf/common.bpf.h. */
void kernel__set_gate(struct kernel *k, bool open);
/*
 * Makes a process a target; one that a fork notice has made one already stays as it is. *space
 * becomes the number of its address space.
 */
int kernel__add_target(struct kernel *k, uint32_t tgid, uint64_t *space);
/* All probes of this target are linked now. -ENOENT: it is gone. */
int kernel__set_ready(struct kernel *k, uint32_t tgid);
/* Numbers of address spaces and layouts are never used twice. */
uint64_t kernel__new_number(struct kernel *k);
/* The layout of a target; -ENOENT: it is none. */
int kernel__layout(const struct kernel *k, uint32_t tgid, uint64_t *layout);
/*
 * A target maps something else now; `layout` is a new number. -ENOENT: it is gone; -ESTALE: it has
 * become another program since.
 */
int kernel__set_layout(struct kernel *k, uint32_t tgid, uint64_t layout);
/*
 * The arrays of the unwind tables, for unwind_store__bind(). -ENOENT: there are none; -errno of
 * mmap(2). Valid until kernel__free().
 */
int kernel__unwind_memory(struct kernel *k, struct unwind_memory *memory);

/* Children have all their probes of that kind when they are born. */
void kernel__set_born_ready(struct kernel *k, bool heap, bool spans);
int kernel__remove_target(struct kernel *k, uint32_t tgid);

typedef void (*kernel_record_fn)(void *arg, const void *record, size_t len);
/* Who receives the ring's records; once. */
int kernel__set_reader(struct kernel *k, kernel_record_fn fn, void *arg);
/* Becomes readable when the ring fills up or a life record waits. */
int kernel__ring_fd(const struct kernel *k);
/*
 * Hands over what waits, up to a bound: -EAGAIN when there may be more. Else the number of records
 * or another negative errno.
 */
int kernel__drain(struct kernel *k);
/* Calls fn for every scoped span that is open in a target's thread, outermost first per thread. */
int kernel__list_open_spans(struct kernel *k, kernel_record_fn fn, void *arg);
/* Makes the open spans of all targets into unfinished records in the ring. */
int kernel__close_open_spans(struct kernel *k);

/* The counters summed over all CPUs. */
int kernel__counters(const struct kernel *k, uint64_t values[COUNTER_COUNT]);
void kernel__gauge(const struct kernel *k, struct heap_gauge *g);
/* Text of a name by its hash; -ENOENT. */
int kernel__span_name(const struct kernel *k, uint64_t hash, struct span_name *name);

/* Calls fn for every entry, in batches; stops at the first non-zero answer and returns it. */
typedef int (*kernel_site_fn)(void *arg, uint64_t key, const struct heap_site *site);
int kernel__for_each_site(const struct kernel *k, kernel_site_fn fn, void *arg);
typedef int (*kernel_cpu_fn)(void *arg, const struct cpu_stack *stack);
int kernel__for_each_cpu_stack(const struct kernel *k, kernel_cpu_fn fn, void *arg);
/* Blocks alive, and deleting those of an address space that is gone: see kernel_live.h. */
int kernel__for_each_live(const struct kernel *k, kernel_live_fn fn, void *arg);
int kernel__purge_live(struct kernel *k, struct space_list spaces, kernel_live_fn fn, void *arg);

#endif
