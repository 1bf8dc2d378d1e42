/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Telling user space what happens to a target. Rare events: these wake the reader at once. */
#ifndef PERFTRACE_LIFE_BPF_H
#define PERFTRACE_LIFE_BPF_H

#include "common.bpf.h"

static __always_inline void tell(__u32 kind, __u32 tgid, __u32 other, __u64 space)
{
	struct life_record r = {
		.type = RECORD_LIFE,
		.kind = kind,
		.tgid = tgid,
		.other = other,
		.time_ns = bpf_ktime_get_ns(),
		.space = space,
	};

	if (bpf_ringbuf_output(&ring, &r, sizeof(r), BPF_RB_FORCE_WAKEUP))
		count(COUNTER_RING_LIFE_LOST, 1);
}

#endif
