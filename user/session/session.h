/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run, from the processes named to the facts about them:
 *
 *	session__new()     processes opened and checked, probes planned; nothing attached
 *	session__attach()  loaded, linked, gate open: data flows
 *	session__run()     until duration, stop, or the targets' end; facts go to the observer
 *	session__finish()  gate closed, links gone, books settled
 *
 * in that order, each once.
 */
#ifndef PERFTRACE_SESSION_SESSION_H
#define PERFTRACE_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "model/heap.h"
#include "model/ledger.h"
#include "model/memory.h"
#include "model/profile.h"
#include "model/span.h"
#include "probe/plan.h"
#include "probe/support.h"
#include "session/roster.h"
#include "target/process.h"

struct session_options {
	pid_list pids; /* roots, at least one; read by session__new() only */
	/* So many were named one by one; those behind were found, and may turn out untraceable. */
	size_t named_pids;
	/*
	 * Asked every second for the processes that belong to the run now (a control group's):
	 * those that are new become roots. Adds PIDs; 0 or a negative errno. May be NULL.
	 */
	int (*find_more)(void *arg, pid_list *pids);
	void *find_arg;
	bool heap, spans;
	uint32_t cpu_hz; /* samples a second on each CPU, 0 = none */
	const pair_rule_list *rules;
	const alloc_rule_list *alloc_rules;
	const function_rule_list *functions; /* NULL or empty: none */
	enum follow_mode follow;
	bool everybody;	 /* pids are all there are, and new ones are targets, too */
	bool inode_wide; /* link shared libraries for everybody who maps them */
	size_t ring_bytes;
	size_t live_max;
	uint32_t stack_depth; /* frames kept per call site */
	uint64_t duration_ns; /* 0 = until stopped */
	uint64_t interval_ns; /* of observer.tick; 0 = never */
	uint64_t age_ns;      /* heap snapshots tell blocks older than this apart; 0 = no */
};

/* Receives facts while the run goes on. Everything passed is borrowed for the call. */
struct session_observer {
	void (*span)(void *arg, const struct span *span);
	void (*mark)(void *arg, const struct mark *mark);
	/* Every interval, with the primary root's memory just read. */
	void (*tick)(void *arg, const struct memory_sample *sample);
	/* After every look at the ring; non-zero ends the run. May be NULL. */
	int (*poll)(void *arg);
	void *arg;
};

enum session_end {
	SESSION_DURATION_OVER,
	SESSION_STOPPED, /* stop_fd became readable */
	SESSION_TARGET_GONE,
	SESSION_OBSERVER_ENDED,
};

struct session_results {
	uint64_t begin_ns, end_ns; /* CLOCK_MONOTONIC: gate opened, gate closed */
	struct heap_snapshot heap; /* strings live as long as the session */
	struct profile profile;	   /* the same holds for its strings */
	struct memory_growth growth;
	struct ledger ledger;
	uint64_t probe_hits;
	double tracer_cpu_percent; /* of one CPU, over the run */
	uint64_t tracer_rss_bytes;
	uint64_t detach_ns;
	uint64_t execs;
	bool target_exited;
	uint32_t target_exit_code; /* as wait(2) encodes it */
	uint64_t malformed_records;
};

struct session;
struct symbolizer;

/* Borrows options->rules and functions; copies the rest. */
int session__new(const struct session_options *options, const struct session_observer *observer,
		 struct session **out, struct error *err);
int session__attach(struct session *s, struct error *err);
/* `stop_fd`: readable when the user wants to stop; -1 = never. */
enum session_end session__run(struct session *s, int stop_fd);
/* Fills *results (heap_snapshot__free() and profile__free() what is in it); whatever fails is
 * missing there, with a notice. */
void session__finish(struct session *s, struct session_results *results);
void session__free(struct session *s);
/* What this kernel's uprobes can do, tried once per run. */
const struct link_support *session__support(const struct session *s);

/* The first process named: whose memory is watched, whom documents call the target. */
const struct process *session__root(const struct session *s);
size_t session__root_count(const struct session *s);
const struct plan *session__plan(const struct session *s);
/* Label of the root's allocator, NULL if there is none. */
const char *session__allocator(const struct session *s);
bool session__follows(const struct session *s);
/* Processes traced now: roots and children that lived at the attach. */
size_t session__process_count(const struct session *s);
/* How many CPUs are sampled. */
size_t session__sampled_cpus(const struct session *s);
/* Whole run: what was traced since the attach, as it is now (approximate while it runs). */
int session__heap_now(struct session *s, struct heap_snapshot *heap);
/*
 * The scoped spans that a thread has open right now, outermost first, status SPAN_OPEN; returns
 * how many. Asks the kernel about every thread of the machine: for rare use.
 */
size_t session__open_spans(struct session *s, uint32_t pid, uint32_t tid, struct span *open,
			   size_t capacity);
const struct clock_offset *session__clock(struct session *s);
/* Names for addresses; NULL when the heap is not traced. The session's own. */
struct symbolizer *session__symbolizer(const struct session *s);
uint64_t session__attached_ns(const struct session *s); /* how long attaching took */

#endif
