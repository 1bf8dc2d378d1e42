// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Births, deaths and changes of image of the traced processes, and what they leave open. The reader
 * is told at once: a child's own probes wait for it.
 */
#include <asm-generic/errno.h>

#include "heap_thread.bpf.h"
#include "life.bpf.h"
#include "span_stack.bpf.h"

static __always_inline __u64 new_space(void)
{
	return __sync_fetch_and_add(&last_space, 1) + 1;
}

GLOBAL int adopt_target(__u32 tgid)
{
	struct target fresh = {.heap_ready = 1, .spans_ready = 1};

	if (tgid == config.self)
		return 0;
	fresh.space = fresh.layout = new_space();
	if (!bpf_map_update_elem(&targets, &tgid, &fresh, BPF_NOEXIST))
		tell(LIFE_ADOPTED, tgid, 0, fresh.space);
	else if (!is_target(tgid))
		count(COUNTER_TARGETS_FULL, 1);
	return 0;
}

GLOBAL int send_unfinished(struct open_span *span, __u64 now, __u64 rss)
{
	struct span_record *r;
	__u32 len;

	if (!span || span->record.flags & SPAN_FLAG_SENT)
		return 0;
	r = &span->record;
	len = r->context_len;
	r->end_ns = now;
	r->status = SPAN_UNFINISHED;
	r->rss_bytes = r->flags & SPAN_FLAG_BARE ? 0 : rss;
	r->rss_delta_bytes = r->rss_bytes ? rss - span->start_rss : 0;
	if (len > CONTEXT_LEN)
		len = CONTEXT_LEN;
	count(COUNTER_SPAN_UNFINISHED, 1);
	if (bpf_ringbuf_output(&ring, r, RECORD_HEAD_LEN(struct span_record) + len,
			       BPF_RB_NO_WAKEUP))
		count(COUNTER_RING_SPANS_LOST, 1);
	return 0;
}

/* Everything a thread still has open, innermost first; afterwards it has nothing open. */
GLOBAL int close_thread(struct span_thread *t, __u64 rss)
{
	__u64 now = bpf_ktime_get_ns();

	if (!t)
		return 0;
	hand_over_counts(t);
	for (__u32 n = 0; n < SPAN_DEPTH_MAX; n++) {
		__u32 i = t->depth - 1 - n;

		if (n >= t->depth)
			break;
		if (i < SPAN_DEPTH_MAX)
			send_unfinished(&t->open[i], now, rss);
	}
	for (__u32 i = 0; i < SPAN_UNSCOPED_MAX; i++) {
		if (t->unscoped_used & (1U << i))
			send_unfinished(&t->unscoped[i], now, rss);
	}
	t->depth = 0;
	t->overflow = 0;
	t->unscoped_used = 0;
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(life_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = child->tgid;
	struct target *target, fresh;
	int shares;

	if (!gate || child->pid != child->tgid || !config.follow_children)
		return 0;
	target = find_target(parent->tgid);
	if (!target)
		return 0;
	/* A vfork child lives in its parent's address space, which stays when it goes. */
	shares = BPF_CORE_READ(child, mm) == BPF_CORE_READ(parent, mm);
	fresh.layout = target->layout;
	fresh.heap_ready = born_heap_ready;
	fresh.spans_ready = born_spans_ready;
	fresh.space = shares ? target->space : new_space();
	if (bpf_map_update_elem(&targets, &tgid, &fresh, BPF_ANY)) {
		count(COUNTER_TARGETS_FULL, 1);
		return 0;
	}
	tell(LIFE_FORK, tgid, parent->tgid, shares ? 0 : fresh.space);
	return 0;
}

/* Run by user space. -ENOENT: it is no target; -ESTALE: it has become another program since. */
SEC("syscall")
int change_target(struct target_change *change)
{
	__u32 tgid = change->tgid;
	struct target *target = known_target(tgid);
	__u64 layout;

	if (!target)
		return -ENOENT;
	if (change->ready)
		target->heap_ready = target->spans_ready = 1;
	if (!change->layout)
		return 0;
	layout = target->layout;
	if (layout > change->layout ||
	    __sync_val_compare_and_swap(&target->layout, layout, change->layout) != layout)
		return -ESTALE;
	__sync_fetch_and_add(&layouts_changed, 1);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(life_exec, struct task_struct *task, int old_pid)
{
	struct target *target = find_target(task->tgid);
	struct heap_thread *heap;
	struct span_thread *t;

	if (!gate || !target)
		return 0;
	t = bpf_task_storage_get(&span_threads, task, 0, 0);
	close_thread(t, 0);
	heap = bpf_task_storage_get(&heap_threads, task, 0, 0);
	if (heap)
		forget_program(heap);
	target->space = target->layout = new_space();
	__sync_fetch_and_add(&layouts_changed, 1);
	tell(LIFE_EXEC, task->tgid, old_pid, target->space);
	return 0;
}

/* A dynamic linker has loaded or dropped libraries: there may be more to probe. */
SEC("uprobe")
int life_loaded(struct pt_regs *ctx)
{
	__u32 tgid = current_tgid();

	if (gate && is_target(tgid))
		tell(LIFE_LOADED, tgid, 0, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(life_exit, struct task_struct *task)
{
	struct span_thread *t;

	if (!is_target(task->tgid))
		return 0;
	/* Also when the gate is closed: what the thread counted would die with it. */
	t = bpf_task_storage_get(&span_threads, task, 0, 0);
	close_thread(t, rss_bytes(task));
	/* The kernel has already taken this thread off signal->live: 0 means it was the last. */
	if (task->signal->live.counter == 0)
		tell(LIFE_EXIT, task->tgid, task->signal->group_exit_code, 0);
	return 0;
}

/* Read through by user space at the end of a trace: every thread's open spans become records. */
SEC("iter/task")
int close_open_spans(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct span_thread *t;

	if (!task || !is_target(task->tgid))
		return 0;
	t = bpf_task_storage_get(&span_threads, task, 0, 0);
	close_thread(t, 0);
	return 0;
}

/* Read through when a tree was held too long: what its thread has open now, as whole records. */
SEC("iter/task")
int list_open_spans(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct span_thread *t;

	if (!task || !is_target(task->tgid))
		return 0;
	t = bpf_task_storage_get(&span_threads, task, 0, 0);
	if (!t)
		return 0;
	for (__u32 i = 0; i < SPAN_DEPTH_MAX; i++) {
		if (i >= t->depth)
			break;
		if (!(t->open[i].record.flags & SPAN_FLAG_SENT))
			bpf_seq_write(ctx->meta->seq, &t->open[i].record,
				      sizeof(struct span_record));
	}
	return 0;
}
