// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What tools/bench/stack_floor.c compares: no stack, the kernel's walk, ours. */
#include "stack.bpf.h"
#include "stack_floor.h"

struct bench_thread {
	struct stack_scratch scratch;
	__u64 frames[STACK_DEPTH_MAX];
	__u64 hash;
	__u64 n;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct bench_thread);
} bench_threads MAP;

/* Of the last stack that each took; user space reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STACK_FLOOR_RESULTS);
	__type(key, __u32);
	__type(value, __u64);
} bench_results MAP;

static __always_inline void note(__u32 which, __u64 value)
{
	__u64 *result = bpf_map_lookup_elem(&bench_results, &which);

	if (result)
		*result = value;
}

static __always_inline struct bench_thread *this_thread(void)
{
	return bpf_task_storage_get(&bench_threads, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
}

SEC("uprobe")
int no_stack(struct pt_regs *ctx)
{
	struct bench_thread *t = this_thread();

	if (t)
		t->n++;
	return 0;
}

SEC("uprobe")
int kernel_stack(struct pt_regs *ctx)
{
	struct bench_thread *t = this_thread();

	if (t)
		note(KERNEL_BYTES,
		     bpf_get_stack(ctx, t->frames, sizeof(t->frames), BPF_F_USER_STACK));
	return 0;
}

SEC("uprobe")
int own_stack(struct pt_regs *ctx)
{
	struct bench_thread *t = this_thread();

	if (!t)
		return 0;
	note(OWN_FRAMES, capture_stack(ctx, 0, 1, &t->scratch, t->frames, &t->hash));
	note(OWN_STOP, t->scratch.stop);
	return 0;
}

/* As own_stack, but no rule is remembered: each is found in the tables. */
SEC("uprobe")
int cold_stack(struct pt_regs *ctx)
{
	struct bench_thread *t = this_thread();

	if (!t)
		return 0;
	t->scratch.seed += 0x9e3779b97f4a7c15ULL;
	note(OWN_FRAMES, capture_stack(ctx, 0, 1, &t->scratch, t->frames, &t->hash));
	note(OWN_STOP, t->scratch.stop);
	return 0;
}
