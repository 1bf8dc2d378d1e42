// SPDX-License-Identifier: BSD-2-Clause
/* bpf/cpu.bpf.c: what one tick of the timer books, compiled as host C (bpfhost/host.h). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "bpfhost/host.h"

#define PID	  4000
#define LAYOUT	  7
#define USER_IP	  0x401234ULL
#define KERNEL_IP 0xffffffff81001000ULL
#define KERNEL(n) (KERNEL_IP + 0x100 * (n))

static struct task_struct task;
static struct mm_struct mm;
static struct pt_regs user_regs; /* where the user was when the kernel was entered */
static long kernel_frames;	 /* what bpf_get_stack() has, negative: its error */

static long get_stack(__u64 *to, long size)
{
	for (long i = 0; i < kernel_frames && i < size / 8; i++)
		to[i] = KERNEL(i);
	if (kernel_frames < 0)
		return kernel_frames;
	return (kernel_frames < size / 8 ? kernel_frames : size / 8) * 8;
}

#define bpf_task_pt_regs(task)		  ((void)(task), (long)&user_regs)
#define bpf_get_stack(ctx, to, size, how) get_stack(to, size)

#include "args.bpf.c"
#include "span_stack.bpf.c"
#include "life.bpf.c"

/* The user stack is another's business: here it is what the test says. */
#define PERFTRACE_STACK_BPF_H
static struct {
	__u64 here, layout;
	__u32 n, stop;
} user_stack;

static __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

static __u32 capture_stack(struct pt_regs *regs, __u64 here, __u64 layout, struct stack_scratch *s,
			   __u64 *frames, __u64 *hash)
{
	assert_ptr_equal(regs, &user_regs);
	user_stack.here = here;
	user_stack.layout = layout;
	*hash = mix(layout, here);
	for (__u32 i = 0; i < user_stack.n; i++) {
		frames[i] = i ? 0x500000 + i : here;
		*hash = mix(*hash, frames[i]);
	}
	s->stop = user_stack.stop;
	return user_stack.n;
}

#include "cpu.bpf.c"

static int set_up(void **state)
{
	struct target target = {.space = 1, .layout = LAYOUT};
	__u32 pid = PID;

	host__reset();
	memset(&task, 0, sizeof(task));
	task.tgid = PID;
	task.pid = PID + 5;
	task.mm = &mm;
	strcpy(task.comm, "worker");
	host.task = &task;
	host.now = 1000;
	memset(&user_regs, 0, sizeof(user_regs));
	user_regs.ip = USER_IP;
	memset(&user_stack, 0, sizeof(user_stack));
	user_stack.n = 3;
	user_stack.stop = UNWIND_STOP_END;
	kernel_frames = 0;
	gate = 1;
	memset(&host_config, 0, sizeof(host_config));
	assert_int_equal(bpf_map_update_elem(&targets, &pid, &target, BPF_ANY), 0);
	return 0;
}

static int tear_down(void **state)
{
	memory__check();
	host__reset();
	return 0;
}

static void tick_at(__u64 ip)
{
	struct bpf_perf_event_data ctx = {.regs = {.ip = ip}};

	assert_int_equal(cpu_sample(&ctx), 0);
}

static void tick_in_user(void)
{
	tick_at(user_regs.ip);
}

static size_t stacks(void)
{
	return MAP_OF(&cpu_stacks)->len;
}

/* The one stack there is, or the last one made. */
static const struct cpu_stack *last_stack(void)
{
	struct host_map *map = MAP_OF(&cpu_stacks);

	assert_non_null(map->elements);
	return host_map__value(map, map->elements);
}

static void a_sample_in_user_mode(void **state)
{
	const struct cpu_stack *s;

	tick_in_user();
	assert_int_equal(stacks(), 1);
	s = last_stack();
	assert_int_equal(s->count, 1);
	assert_int_equal(s->tgid, PID);
	assert_int_equal(s->layout, LAYOUT);
	assert_int_equal(s->kernel_depth, 0);
	assert_int_equal(s->depth, 3);
	assert_int_equal(s->stop, UNWIND_STOP_END);
	assert_int_equal(s->frames[0], USER_IP + 1); /* the exact place */
	assert_string_equal(s->comm, "worker");
	assert_int_equal(user_stack.layout, LAYOUT);
	assert_int_equal(counted(COUNTER_SAMPLES), 1);
	assert_int_equal(counted(COUNTER_SAMPLES_KERNEL), 0);
}

static void the_same_place_is_counted(void **state)
{
	for (int i = 0; i < 5; i++)
		tick_in_user();
	assert_int_equal(stacks(), 1);
	assert_int_equal(last_stack()->count, 5);
	assert_int_equal(counted(COUNTER_SAMPLES), 5);
	assert_int_equal(counted(COUNTER_SAMPLES_LOST), 0);
}

/* Whatever tells two samples apart makes two stacks. */
static void other_places_are_apart(void **state)
{
	struct target other = {.space = 2, .layout = LAYOUT};
	__u32 pid = PID + 1;

	bpf_map_update_elem(&targets, &pid, &other, BPF_ANY);
	tick_in_user();
	user_regs.ip++;
	tick_in_user();
	assert_int_equal(stacks(), 2);
	user_regs.ip--;
	user_stack.n = 2;
	tick_in_user();
	assert_int_equal(stacks(), 3);
	user_stack.n = 3;
	strcpy(task.comm, "worker-long-nm");
	tick_in_user();
	assert_int_equal(stacks(), 4);
	strcpy(task.comm, "worker");
	task.tgid = pid;
	tick_in_user();
	assert_int_equal(stacks(), 5);
	kernel_frames = 1;
	tick_at(KERNEL_IP);
	assert_int_equal(stacks(), 6);
	kernel_frames = 2;
	tick_at(KERNEL_IP);
	assert_int_equal(stacks(), 7);
	tick_at(KERNEL_IP);
	assert_int_equal(stacks(), 7);
	assert_int_equal(last_stack()->count, 2);
}

static void a_sample_in_the_kernel(void **state)
{
	const struct cpu_stack *s;

	kernel_frames = 4;
	tick_at(KERNEL_IP);
	s = last_stack();
	assert_int_equal(s->kernel_depth, 4);
	assert_int_equal(s->kernel[0], KERNEL(0) + 1); /* exact; the others are return addresses */
	assert_int_equal(s->kernel[1], KERNEL(1));
	assert_int_equal(s->kernel[3], KERNEL(3));
	assert_int_equal(s->kernel_cut, 0);
	assert_int_equal(s->depth, 3);
	assert_int_equal(s->frames[0], USER_IP + 1); /* where the kernel was entered */
	assert_int_equal(counted(COUNTER_SAMPLES_KERNEL), 1);
}

/* Without a stack there is the place at least. */
static void a_kernel_that_tells_no_stack(void **state)
{
	static const long none[] = {0, -EFAULT};

	for (int i = 0; i < 2; i++) {
		kernel_frames = none[i];
		tick_at(KERNEL_IP);
		assert_int_equal(last_stack()->kernel_depth, 1);
		assert_int_equal(last_stack()->kernel[0], KERNEL_IP + 1);
	}
	assert_int_equal(stacks(), 1);
}

static void a_deep_kernel_stack_is_cut(void **state)
{
	kernel_frames = 1000;
	tick_at(KERNEL_IP);
	assert_int_equal(last_stack()->kernel_depth, CPU_KERNEL_DEPTH_MAX);
	assert_int_equal(last_stack()->kernel_cut, 1);
	/* And no rest of it shows in the next one. */
	tick_in_user();
	assert_int_equal(last_stack()->kernel_depth, 0);
	assert_int_equal(last_stack()->kernel_cut, 0);
}

/* Ending threads have no memory, and threads of io_uring never had a place in user mode. */
static void threads_without_a_user_stack(void **state)
{
	kernel_frames = 2;
	task.mm = NULL;
	tick_at(KERNEL_IP);
	assert_int_equal(last_stack()->depth, 0);
	assert_int_equal(last_stack()->stop, UNWIND_STOP_END);
	assert_int_equal(last_stack()->kernel_depth, 2);
	task.mm = &mm;
	user_regs.ip = 0;
	tick_at(KERNEL_IP);
	assert_int_equal(user_stack.here, 0); /* nobody asked */
	assert_int_equal(counted(COUNTER_SAMPLES_NO_USER), 2);
	assert_int_equal(counted(COUNTER_SAMPLES), 2);
	assert_int_equal(last_stack()->count, 2);
}

static void others_are_not_looked_at(void **state)
{
	task.tgid = PID + 1;
	tick_in_user();
	task.tgid = PID;
	gate = 0;
	tick_in_user();
	assert_int_equal(stacks(), 0);
	assert_int_equal(counted(COUNTER_SAMPLES), 0);
	assert_int_equal(counted(COUNTER_SAMPLES_NS), 0);
}

/* -a: who is met becomes a target, but for the kernel's own threads and the tracer. */
static void everybody(void **state)
{
	host_config.everybody = 1;
	host_config.self = 77;
	task.tgid = 77;
	tick_in_user();
	task.tgid = 2;
	task.mm = NULL;
	tick_at(KERNEL_IP);
	assert_int_equal(counted(COUNTER_SAMPLES), 0);
	assert_int_equal(host.n_records, 0);
	task.tgid = 5000;
	task.mm = &mm;
	tick_in_user();
	assert_int_equal(counted(COUNTER_SAMPLES), 1);
	assert_int_equal(last_stack()->tgid, 5000);
	assert_int_equal(host.n_records, 1); /* it has been told */
}

static void a_full_map_is_told(void **state)
{
	MAP_OF(&cpu_stacks)->capacity = 1;
	tick_in_user();
	user_regs.ip++;
	tick_in_user();
	tick_in_user();
	assert_int_equal(stacks(), 1);
	assert_int_equal(last_stack()->count, 1);
	user_regs.ip--;
	tick_in_user(); /* what is there goes on being counted */
	assert_int_equal(last_stack()->count, 2);
	assert_int_equal(counted(COUNTER_SAMPLES), 4);
	assert_int_equal(counted(COUNTER_SAMPLES_LOST), 2);
}

static void no_memory_is_told(void **state)
{
	MAP_OF(&cpu_stacks)->failing_updates = 1;
	tick_in_user();
	assert_int_equal(counted(COUNTER_SAMPLES_LOST), 1);
	tick_in_user();
	assert_int_equal(last_stack()->count, 1);
	assert_int_equal(counted(COUNTER_SAMPLES), counted(COUNTER_SAMPLES_LOST) + 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_sample_in_user_mode),
		CASE(the_same_place_is_counted),
		CASE(other_places_are_apart),
		CASE(a_sample_in_the_kernel),
		CASE(a_kernel_that_tells_no_stack),
		CASE(a_deep_kernel_stack_is_cut),
		CASE(threads_without_a_user_stack),
		CASE(others_are_not_looked_at),
		CASE(everybody),
		CASE(a_full_map_is_told),
		CASE(no_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
