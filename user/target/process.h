/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is traced: a process by PID, checked to be one that can be traced, held by a pidfd so that
 * a reused PID is never taken for it.
 */
#ifndef PERFTRACE_TARGET_PROCESS_H
#define PERFTRACE_TARGET_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/vec.h"

struct process {
	pid_t pid;
	int pidfd;		     /* readable when the process is gone; owned */
	char comm[16];		     /* as the kernel knows it, unescaped */
	char exe[4096];		     /* path as seen from the process; "" if unknown */
	bool exe_deleted;	     /* it has no name any more, or another file has it */
	uint64_t exe_dev, exe_inode; /* identity of the executable's file */
	uint64_t start_ticks;	     /* since boot; with the pid it names the process for ever */
	uint64_t started_realtime_ns;
};

/*
 * Fills *p and opens the pidfd. Refuses, with a sentence and exit code in err: a PID that does
 * not exist (4), a thread that is no process (4), a kernel thread or zombie (3), this process
 * itself (2), a 32-bit or otherwise foreign program (3).
 */
int process__open(pid_t pid, struct process *p, struct error *err);
void process__close(struct process *p);

/* False once it exited, zombies included. */
bool process__is_alive(const struct process *p);
/* True while /proc still describes the same process (the pid was not reused). */
bool process__is_same(const struct process *p);

typedef VEC(pid_t) pid_list;

/* PIDs of all processes whose comm or executable file is called `name`, except this one. */
int process__find_by_name(const char *name, pid_list *out);
/* PIDs of everything /proc lists. */
int process__list(pid_list *out);
/*
 * Keeps of PIDs that were found by other means those of running programs: no kernel threads, no
 * zombies, not this process, nothing that is gone meanwhile. The oldest comes first.
 */
int process__keep_programs(pid_list *pids);
/* The process that a thread belongs to; 0 if there is no such thread. */
pid_t process__of_thread(pid_t tid);
/*
 * PIDs of all processes that run the same executable file as `p`, itself included. Files of two
 * overlay file systems that are alike may be one file of a common lower layer, and count as one.
 */
int process__find_by_executable(const struct process *p, pid_list *out);
/* Does a process run the same file as `p`, by the same device and inode? */
bool process__runs_executable_of(const struct process *p, pid_t pid);
/* PIDs of the living children of `p` that run the same executable file (a postmaster's). */
int process__siblings_in_trade(const struct process *p, pid_list *out);
/* PIDs of all living children, recursively. */
int process__descendants(pid_t pid, pid_list *out);

/*
 * Sizes of a process from /proc/PID/statm, in bytes: exact, but before Linux 6.2 each thread keeps
 * up to 64 page faults to itself (process__memory_lags()). What would be exact there, smaps_rollup,
 * walks the page tables under the target's memory lock.
 */
struct process_memory {
	uint64_t virtual_bytes, resident_bytes, shared_bytes, text_bytes, data_bytes;
	uint64_t stack_bytes; /* of the main thread's stack mapping; from /proc/PID/status */
};
int process__memory(pid_t pid, struct process_memory *m);
/* Is what this kernel says of resident memory too low by some pages per thread? */
bool process__memory_lags(void);

/* Missing capabilities for tracing as "CAP_BPF, CAP_PERFMON"; empty string if none is missing. */
void process__missing_capabilities(char *text, size_t size);

#endif
