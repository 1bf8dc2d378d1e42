/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every map on one page. Sizes marked [user] are set before load (user/session/load.c). Nothing
 * here evicts: a full map loses the new entry, and the named counter says so.
 */
#ifndef PERFTRACE_MAPS_BPF_H
#define PERFTRACE_MAPS_BPF_H

#include "vmlinux.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/cpu.h"
#include "abi/heap.h"
#include "abi/records.h"
#include "abi/spans.h"
#include "abi/unwind.h"

#define MAP __weak SEC(".maps")

/* Finished spans, marks, life. [user] size; full -> RING_*_LOST. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} ring MAP;

/* tgid -> every traced process. Full -> TARGETS_FULL, the child is not followed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct target);
} targets MAP;

/* abi/counters.h. Per CPU, yet added to atomically: uprobe programs can be preempted. */
struct counter_block {
	__u64 value[COUNTER_COUNT];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter_block);
} counters MAP;

/* ---- heap ---- */

/*
 * Blocks alive: a table of our own, see live_table.bpf.h. [user] size; all of its memory is there
 * from the start. A full bucket -> the hash below.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct live_bucket);
} live_table MAP;

/*
 * Blocks alive that found no place in the table. [user] size; full -> HEAP_LIVE_FULL. Not
 * preallocated: memory follows use.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct live_key);
	__type(value, struct live_block);
} live MAP;

/* Call sites. [user] size; full -> HEAP_SITES_FULL, the block is tracked without a site. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u64);
	__type(value, struct heap_site);
} sites MAP;

/* ---- unwind tables: abi/unwind.h; written by user space through shared mappings ---- */

/* [user] size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_shard);
} unwind_shards MAP;

/* [user] size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_page);
} unwind_pages MAP;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, UNWIND_RULES_MAX);
	__type(key, __u32);
	__type(value, struct unwind_rule);
} unwind_rules MAP;

struct unwind_mapping_table {
	struct unwind_mapping mapping[UNWIND_MAPPINGS_MAX];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_mapping_table);
} unwind_mappings MAP;

/* Layout -> its mappings. Full -> that layout's stacks are counted STACKS_NO_TABLES. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct unwind_layout);
} unwind_layouts MAP;

/*
 * Rules found by address, of all layouts and CPUs: a table without chains, see unwind_rules.bpf.h.
 * check = key ^ rule: programs can be preempted between two writes, then the slot fits nothing.
 */
#define UNWIND_CACHE_BITS 13
struct unwind_cache {
	struct {
		__u64 check, rule;
	} slot[1 << UNWIND_CACHE_BITS];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_cache);
} unwind_caches MAP;

/* When user space was last asked to look at a layout's mappings, by the number's lower bits. */
struct unwind_asked {
	__u64 seen; /* layouts_changed then */
	__u64 ns, wait_ns;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64); /* a power of two */
	__type(key, __u32);
	__type(value, struct unwind_asked);
} unwind_asks MAP;

/* What capturing a stack remembers, of a thread or of a CPU, and works with: see stack.bpf.h. */
#define STACK_WINDOW 4096 /* bytes, a power of two, at most a page */
struct stack_scratch {
	/* The mappings of `layout` when layouts_changed was `seen`. */
	__u64 seen, layout, seed;
	__u32 first, n; /* 0: nothing is known of it */
	/* The walk: `sp` and `bp` are those of the frame at `frame` - 1. */
	__u64 frame, sp, bp;
	__u64 registers;	    /* address of the innermost frame's, 0: not in that frame */
	__u64 signal_at, signal_sp; /* the ucontext just left, and the rsp in it */
	__u64 hash;
	__u32 depth;			/* frames recorded */
	__u32 flags;			/* UNWIND_BY_CHAIN, UNWIND_EXACT */
	__u32 stop;			/* enum unwind_stop */
	__u64 word;			/* read last outside the window */
	__u64 window_end;		/* where copies have to end; 0, ~0: nowhere that is known */
	__u64 window_at;		/* the address of: */
	__u64 window[STACK_WINDOW / 8]; /* a copy of the stack's top */
};

/* A probe's struct pt_regs, which can be indexed, unlike a program's context. */
#define PROBE_REGS	 32	  /* words: a power of two is easy to bound */
#define PROBE_REGS_BYTES (21 * 8) /* of struct pt_regs, of which vmlinux.h names only some */
struct probe_regs {
	__u64 word[PROBE_REGS];
};

/* The allocator call a thread is in. Dies with its thread; no memory -> HEAP_NO_STATE. */
struct heap_thread {
	__u64 sp; /* at the outermost call's entry; 0 = in no allocator call */
	/* Of its process, once that is known to be a ready target: it stays one till its exec. */
	__u64 space;		   /* 0 = not known */
	__u64 layout, layout_seen; /* its process', when layouts_changed was that */
	__u64 size;
	__u64 alignment;
	__u64 old_address; /* realloc: the block handed in, 0 = none */
	__u64 site_key;
	__u32 function;	 /* the cookie's description */
	__u32 old_known; /* realloc: the block was in the live set, `old` holds it */
	__u64 out;	 /* posix_memalign: where the block's address will be stored */
	__u64 freed;	 /* the block freed last, and where: it may be passed on */
	__u64 freed_ip;
	struct live_block old;
	struct heap_site site; /* filled with the stack at entry; inserted if it is a new one */
	struct stack_scratch stack;
	struct probe_regs regs; /* scratch */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct heap_thread);
} heap_threads MAP;

/* ---- CPU samples ---- */

/* Where threads were found running. [user] size; full -> SAMPLES_LOST. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, __u64);
	__type(value, struct cpu_stack);
} cpu_stacks MAP;

/* A sample in the making. */
struct cpu_scratch {
	struct stack_scratch stack;
	struct cpu_stack sample;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_scratch);
} cpu_scratch MAP;

/* ---- spans ---- */

/* Probe sites, indexed by BPF cookie. [user] size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct span_site);
} span_sites MAP;

/* Span pairs, indexed by span_site.pair. [user] size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct span_pair);
} span_pairs MAP;

/* hash -> text of names given by the program. Full -> SPAN_NAMES_FULL, the name is unknown. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 14);
	__type(key, __u64);
	__type(value, struct span_name);
} span_names MAP;

/* An open span carries its record, so that ending it copies nothing. */
struct open_span {
	__u64 sp; /* stack pointer at its start */
	__u64 start_rss;
	struct span_record record;
};

/* Open spans of a thread. Dies with it; no memory -> SPAN_NO_STATE. */
struct span_thread {
	__u64 serial;	     /* of the last span started */
	__u32 depth;	     /* used entries of `open` */
	__u32 overflow;	     /* starts beyond the last entry whose ends are still to come */
	__u32 unscoped_used; /* bit mask over `unscoped` */
	__u32 of_target;     /* its process is a target and ready: it stays one while it lives */
	/* Functions count here and hand over now and then: see hand_over_counts(). */
	__u32 starts, ends;
	__u64 comm_ns; /* when comm was read */
	char comm[COMM_LEN];
	struct probe_regs regs;
	struct open_span open[SPAN_DEPTH_MAX];
	struct open_span unscoped[SPAN_UNSCOPED_MAX];
	struct mark_record mark; /* scratch */
	struct span_name name;	 /* scratch */
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct span_thread);
} span_threads MAP;

#endif
