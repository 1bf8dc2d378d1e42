/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What every program does first: is this ours, is the trace on, count it, where does it go. */
#ifndef PERFTRACE_COMMON_BPF_H
#define PERFTRACE_COMMON_BPF_H

#include "maps.bpf.h"
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

extern const volatile struct config config;

/*
 * 0 until every link exists and again before the first one goes: programs are inert while the
 * trace is half attached, so that no return is seen without its entry.
 */
extern volatile __u32 gate;

/* 1: these probes need no link per process, a child is ready when it is born. */
extern volatile __u32 born_heap_ready, born_spans_ready;

/* The number of the last address space. */
extern volatile __u64 last_space;

/* Grows with every change of a process' layout number or of a layout's mappings. */
extern volatile __u64 layouts_changed;

/* Added to atomically from both sides: user space takes off what died with its process. */
extern struct heap_gauge gauge;

/* Blocks in the hash `live`; user space takes off what it deletes there. */
extern volatile __u64 live_spilled;

/*
 * Functions with loops or many branches are global: the verifier then checks each once for any
 * argument, instead of once per caller and state. Pointers may be NULL to it.
 */
#define GLOBAL __attribute__((noinline))

/* Is a session program called at the function's return? */
int session_is_return(void);
#define SKIP_RETURN 1 /* its answer at entry: do not come back at return */

static __always_inline void count(enum counter which, __u64 n)
{
	__u32 zero = 0;
	struct counter_block *block = bpf_map_lookup_elem(&counters, &zero);

	if (block)
		__sync_fetch_and_add(&block->value[which], n);
}

/* A target that is known already. */
static __always_inline struct target *known_target(__u32 tgid)
{
	return bpf_map_lookup_elem(&targets, &tgid);
}

static __always_inline int is_target(__u32 tgid)
{
	return known_target(tgid) != NULL;
}

/* Makes a process a target that nobody has told us of. */
int adopt_target(__u32 tgid);

/* Links filter by process already; children of a filtered process still arrive here. */
static __always_inline struct target *find_target(__u32 tgid)
{
	struct target *target = known_target(tgid);

	if (target || !config.everybody)
		return target;
	adopt_target(tgid);
	return known_target(tgid);
}

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

/* Before Linux 6.2 the counters of an address space were atomics in a struct of their own. */
struct mm_rss_stat___before_6_2 {
	struct {
		s64 counter;
	} count[4];
} __attribute__((preserve_access_index));

struct mm_struct___before_6_2 {
	struct mm_rss_stat___before_6_2 rss_stat;
} __attribute__((preserve_access_index));

/*
 * Resident bytes by the kernel's own counters, without their per-CPU remainders: cheap, and off
 * by at most batch x CPUs pages each (user/model/memory.h carries the bound).
 */
static __always_inline __u64 rss_bytes(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	__s64 pages;

	/*
	 * Asked of the field, not of the old type: looking for a type that is nowhere libbpf goes
	 * through the modules, and needs CAP_SYS_ADMIN for that.
	 */
	if (bpf_core_field_exists(mm->rss_stat)) {
		pages = mm->rss_stat[0].count /* files */ + mm->rss_stat[1].count /* anonymous */ +
			mm->rss_stat[3].count /* shared memory */;
	} else {
		struct mm_struct___before_6_2 *old = (void *)mm;

		/* Copied: the verifier of 6.1 does not follow a typedef inside an array. */
		pages = BPF_CORE_READ(old, rss_stat.count[0].counter) +
			BPF_CORE_READ(old, rss_stat.count[1].counter) +
			BPF_CORE_READ(old, rss_stat.count[3].counter);
	}
	return pages > 0 ? (__u64)pages * config.page_size : 0;
}

/*
 * Waking the reader costs 9 us, so it polls; it is only woken when the ring fills up, and only
 * while it passes the mark and `window` bytes behind it: a reader that is behind would be woken
 * for every record.
 */
static __always_inline __u64 ring_flags_within(__u64 window)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	return waiting - config.wakeup_bytes < window ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline __u64 ring_flags(void)
{
	return ring_flags_within(sizeof(struct span_record));
}

#endif
