/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The allocator call a thread is in, left without its return; and the gauge, for it may take a
 * block with it.
 */
#ifndef PERFTRACE_HEAP_THREAD_BPF_H
#define PERFTRACE_HEAP_THREAD_BPF_H

#include "common.bpf.h"

static __always_inline void gauge_add(__s64 bytes, __s64 blocks)
{
	__s64 now = __sync_fetch_and_add(&gauge.live_bytes, bytes) + bytes;

	__sync_fetch_and_add(&gauge.live_blocks, blocks);
	/* Of two racing peaks the lower one may lose its update, never the higher: it tries again.
	 */
	for (int i = 0; i < 4; i++) {
		__s64 peak = gauge.peak_live_bytes;

		if (now <= peak ||
		    __sync_val_compare_and_swap(&gauge.peak_live_bytes, peak, now) == peak)
			break;
	}
}

static __always_inline void gauge_in_realloc(__s64 blocks)
{
	__sync_fetch_and_add(&gauge.in_realloc, blocks);
}

/* The block a realloc took out of the live set will never be settled. */
static __always_inline void lose_old_block(struct heap_thread *t)
{
	gauge_in_realloc(-1);
	gauge_add(-(__s64)t->old.size, -1);
	count(COUNTER_HEAP_RESTORE_FAILED, 1);
	t->old_known = 0;
}

/* The call we wait for was left without returning: its result is not known. */
static __always_inline void abandon(struct heap_thread *t)
{
	count(COUNTER_HEAP_MISSED_RETURNS, 1);
	if (t->old_known)
		lose_old_block(t);
	t->sp = 0;
}

/* Its process becomes another program: other memory, and other code at the same addresses. */
static __always_inline void forget_program(struct heap_thread *t)
{
	if (t->sp)
		abandon(t);
	t->space = 0;
	t->freed = 0;
}

#endif
