// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * CPU samples: a timer on every CPU (a cpu-clock event) finds out which thread runs there, and this
 * counts where. It runs in the timer's interrupt: no uprobe's state is touched, no other sample can
 * come between on the same CPU.
 */
#include "stack.bpf.h"

/* Of the kernel's own, which is in include/uapi/linux/bpf_perf_event.h. */
struct bpf_perf_event_data {
	struct pt_regs regs;
} __attribute__((preserve_access_index));

/* x86-64: the kernel has the upper half of all addresses. */
static __always_inline int is_kernel_address(__u64 address)
{
	return (__s64)address < 0;
}

/* The kernel's part, where the interrupt came in the kernel. The first frame is the exact place. */
static __always_inline void capture_kernel(struct bpf_perf_event_data *ctx, struct cpu_stack *s)
{
	__u64 ip = ctx->regs.ip;
	long bytes;

	barrier_var(ip); /* read once: the verifier wants the context's fields at fixed places */

	s->kernel_depth = 0;
	s->kernel_cut = 0;
	if (!is_kernel_address(ip))
		return;
	count(COUNTER_SAMPLES_KERNEL, 1);
	bytes = bpf_get_stack(ctx, s->kernel, sizeof(s->kernel), 0);
	if (bytes < (long)sizeof(s->kernel[0])) {
		s->kernel[0] = ip;
		bytes = sizeof(s->kernel[0]);
	}
	s->kernel[0]++;
	s->kernel_depth = bytes / sizeof(s->kernel[0]);
	s->kernel_cut = bytes == sizeof(s->kernel);
}

/*
 * The user's part. Wherever the interrupt came, the user's registers are where the kernel was
 * entered: by this very interrupt, if it came in user mode.
 */
static __always_inline __u64 capture_user(struct task_struct *task, struct cpu_scratch *scratch)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct cpu_stack *s = &scratch->sample;
	__u64 hash = 0;

	/* An ending thread has no memory any more; a thread of io_uring has never been there. */
	if (!task->mm || !regs->ip) {
		count(COUNTER_SAMPLES_NO_USER, 1);
		s->depth = 0;
		s->stop = UNWIND_STOP_END;
		return mix(0, s->layout);
	}
	s->depth = capture_stack(regs, regs->ip + 1, s->layout, &scratch->stack, s->frames, &hash);
	s->stop = scratch->stack.stop;
	return hash;
}

/* The key; `hash` is the user stack's. */
GLOBAL __u64 cpu_stack_key(struct cpu_stack *s, __u64 hash)
{
	__u64 comm[sizeof(s->comm) / sizeof(__u64)];

	if (!s)
		return 0;
	__builtin_memcpy(comm, s->comm, sizeof(comm));
	hash = mix(mix(mix(hash, s->tgid), comm[0]), comm[1]);
	for (__u32 i = 0; i < CPU_KERNEL_DEPTH_MAX; i++) {
		if (i >= s->kernel_depth)
			break;
		hash = mix(hash, s->kernel[i]);
	}
	return hash;
}

static __always_inline void book_sample(struct cpu_stack *s, __u64 key)
{
	struct cpu_stack *known = bpf_map_lookup_elem(&cpu_stacks, &key);

	if (!known && bpf_map_update_elem(&cpu_stacks, &key, s, BPF_NOEXIST)) {
		/* Another CPU may have been faster; else there is no room. */
		known = bpf_map_lookup_elem(&cpu_stacks, &key);
		if (!known)
			count(COUNTER_SAMPLES_LOST, 1);
	}
	if (known)
		__sync_fetch_and_add(&known->count, 1);
}

SEC("perf_event")
int cpu_sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 begin, hash;
	__u32 tgid = task->tgid, zero = 0;
	struct cpu_scratch *scratch;
	struct target *target;

	if (!gate)
		return 0;
	/* What has no memory is no process that is new to us, but the kernel's own. */
	target = task->mm ? find_target(tgid) : known_target(tgid);
	if (!target)
		return 0;
	begin = bpf_ktime_get_ns();
	scratch = bpf_map_lookup_elem(&cpu_scratch, &zero);
	if (!scratch)
		return 0;
	count(COUNTER_SAMPLES, 1);
	scratch->sample.count = 1;
	scratch->sample.tgid = tgid;
	scratch->sample.layout = target->layout;
	bpf_get_current_comm(scratch->sample.comm, sizeof(scratch->sample.comm));
	capture_kernel(ctx, &scratch->sample);
	hash = capture_user(task, scratch);
	book_sample(&scratch->sample, cpu_stack_key(&scratch->sample, hash));
	count(COUNTER_SAMPLES_NS, bpf_ktime_get_ns() - begin);
	return 0;
}
