// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What all programs of the object share: licence, switches, the gate. */
#include "common.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct config config = {};
volatile __u32 gate = 0;
volatile __u32 born_heap_ready = 0, born_spans_ready = 0;
volatile __u64 last_space = 0;
volatile __u64 live_spilled = 0;
volatile __u64 layouts_changed = 0;
struct heap_gauge gauge = {};

extern bool bpf_session_is_return(void) __ksym __weak;

/* In one place: libbpf 1.1 cannot link objects that name the same kernel function. */
GLOBAL int session_is_return(void)
{
	return bpf_session_is_return();
}
