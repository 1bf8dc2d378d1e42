/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BPF programs as ordinary host C, for tests: include cmocka.h, this, then the .bpf.c files.
 *
 * The include guards of libbpf's BPF-side headers are defined here, so that including them gives
 * nothing, and what the programs use of them is defined in their place: on top of a target's
 * memory (memory.h), maps (maps.h), and the state of one CPU in `host` below. Nothing here runs
 * in parallel, but lookups in arrays; races are played by making a map operation fail, or by what
 * host.on_swap does in front of an atomic compare-and-swap and host.on_barrier at a barrier.
 */
#ifndef PERFTRACE_BPFHOST_HOST_H
#define PERFTRACE_BPFHOST_HOST_H

#include "vmlinux.h"

#include <linux/bpf.h>

#include "bpfhost/maps.h"
#include "bpfhost/memory.h"

/* ---- the machine ---- */

#define HOST_RECORDS_MAX 512

static struct {
	__u64 now; /* CLOCK_MONOTONIC */
	__u64 cookie;
	bool is_return; /* a session's second call */
	struct task_struct *task;
	bool no_memory; /* task storage cannot be made */
	bool ring_full;
	__u64 ring_waiting; /* bytes */
	struct {
		__u64 len, flags;
		__u64 bytes[96];
	} records[HOST_RECORDS_MAX];
	size_t n_records; /* sent, also beyond what is kept */
	/* Called once, before the next compare-and-swap of `on_swap_at`, or of any if that is 0. */
	void (*on_swap)(void);
	const void *on_swap_at;
	void (*on_barrier)(void); /* called once, at the next barrier() */
} host;

HOST_UNUSED void host__reset(void)
{
	memory__reset();
	host_maps__reset();
	memset(&host, 0, sizeof(host));
}

/* ---- libbpf's headers ---- */

#define __BPF_HELPERS__
#define __BPF_TRACING_H__
#define __BPF_CORE_READ_H__

#define SEC(name)
#define __ksym
#define preserve_access_index	     __unused__ /* BPF's compiler knows it, this one does not */
#define __uint(name, value)	     int(*name)[value]
#define __type(name, type)	     __typeof__(type) *name
#define barrier()		     host__barrier()
#define barrier_var(v)		     __asm__ volatile("" : "+r"(v))
#define BPF_PROG(name, ...)	     name(__VA_ARGS__)
#define BPF_CORE_READ(p, m)	     ((p)->m)
#define bpf_core_field_exists(field) true
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define __noinline __attribute__((noinline))
#ifndef __weak
#define __weak __attribute__((weak))
#endif

#define PT_REGS_PARM1(regs) ((regs)->di)
#define PT_REGS_PARM2(regs) ((regs)->si)
#define PT_REGS_PARM3(regs) ((regs)->dx)
#define PT_REGS_RC(regs)    ((regs)->ax)
#define PT_REGS_SP(regs)    ((regs)->sp)

#define bpf_map_lookup_elem(map, key)		    host_map__lookup(MAP_OF(map), key)
#define bpf_map_update_elem(map, key, value, flags) host_map__update(MAP_OF(map), key, value, flags)
#define bpf_map_delete_elem(map, key)		    host_map__delete(MAP_OF(map), key)
/* The definition's key is an int, as libbpf wants it; what it is found by is the task. */
#define bpf_task_storage_get(map, task, initial, flags)                                    \
	host__task_storage(host_map__get((map), BPF_MAP_TYPE_TASK_STORAGE, sizeof(void *), \
					 sizeof(*(map)->value), SIZE_MAX),                 \
			   task, flags)
#define bpf_ringbuf_output(ring, data, size, flags) host__send(data, size, flags)
#define bpf_ringbuf_query(ring, what)		    (host.ring_waiting)
#define bpf_seq_write(seq, data, size)		    host__send(data, size, 0)
#define bpf_ktime_get_ns()			    (host.now)
#define bpf_get_attach_cookie(ctx)		    (host.cookie)
#define bpf_get_current_task_btf()		    host__task()
#define bpf_get_current_comm(to, size)		    memcpy(to, host.task->comm, size)
#define bpf_get_current_pid_tgid()		    host__pid_tgid()
#define bpf_probe_read_user(to, size, from)	    memory__read(to, size, from, false)
#define bpf_copy_from_user(to, size, from)	    memory__read(to, size, from, true)
#define bpf_probe_read_user_str(to, size, from)	    memory__read_text(to, size, from)
#define bpf_probe_read_kernel(to, size, from)	    host__copy(to, size, from)

HOST_UNUSED long host__copy(void *to, __u32 size, const void *from)
{
	memcpy(to, from, size);
	return 0;
}

/* A task of one thread leads its own group. */
HOST_UNUSED struct task_struct *host__task(void)
{
	if (host.task && !host.task->group_leader)
		host.task->group_leader = host.task;
	return host.task;
}

HOST_UNUSED void host__barrier(void)
{
	void (*on_barrier)(void) = host.on_barrier;

	__asm__ volatile("" ::: "memory");
	if (!on_barrier)
		return;
	host.on_barrier = NULL;
	on_barrier();
}

#define __sync_val_compare_and_swap(at, old, new) \
	(host__swap_begins(at), __sync_val_compare_and_swap(at, old, new))

HOST_UNUSED void host__swap_begins(const void *at)
{
	void (*on_swap)(void) = host.on_swap;

	if (!on_swap || (host.on_swap_at && host.on_swap_at != at))
		return;
	host.on_swap = NULL;
	on_swap();
}

HOST_UNUSED __u64 host__pid_tgid(void)
{
	return (__u64)(__u32)host.task->tgid << 32 | (__u32)host.task->pid;
}

HOST_UNUSED void *host__task_storage(struct host_map *map, struct task_struct *task, __u64 flags)
{
	void *value = host_map__lookup(map, &task);

	if (value || !(flags & BPF_LOCAL_STORAGE_GET_F_CREATE) || host.no_memory)
		return value;
	return host_map__insert(map, &task);
}

extern bool bpf_session_is_return(void);
bool bpf_session_is_return(void)
{
	return host.is_return;
}

HOST_UNUSED long host__send(const void *data, __u64 len, __u64 flags)
{
	if (host.ring_full)
		return -EAGAIN;
	assert_true(len <= sizeof(host.records[0].bytes));
	if (host.n_records < HOST_RECORDS_MAX) {
		host.records[host.n_records].len = len;
		host.records[host.n_records].flags = flags;
		memset(host.records[host.n_records].bytes, 0xee, sizeof(host.records[0].bytes));
		memcpy(host.records[host.n_records].bytes, data, len);
	}
	host.n_records++;
	return 0;
}

/* ---- the sources that every program has ---- */

/* GLOBAL functions have no prototypes, and BPF's own warnings are the BPF compiler's. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wsign-compare"

/* Writable here: tests turn its switches. */
#include "abi/config.h"
extern const volatile struct config config __attribute__((section(".data.config")));
#include "main.bpf.c"

#define host_config (*(struct config *)&config)

/* The sum of a counter. */
HOST_UNUSED __u64 counted(enum counter which)
{
	__u32 zero = 0;
	struct counter_block *block = bpf_map_lookup_elem(&counters, &zero);

	return block->value[which];
}

#endif
