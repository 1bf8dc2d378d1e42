/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every tracing command does around its own work: find the processes, check permissions,
 * start the session, tell the user what is happening, and describe the run for the writers.
 */
#ifndef PERFTRACE_CLI_TRACING_H
#define PERFTRACE_CLI_TRACING_H

#include "cli/options.h"
#include "output/run_info.h"
#include "output/text_parts.h"
#include "probe/costs.h"
#include "session/session.h"

#define TRACING_NOTES_MAX 32

struct launched;

struct tracing {
	struct probe_costs costs; /* where they are told */
	const struct options *options;
	bool probes;		   /* some are set, and slow down who runs into them */
	struct launched *launched; /* NULL: the target was there before us */
	struct session *session;
	int stop_fd;
	enum session_end end;
	struct session_results results;
	struct run_info run;
	char host[256];
	char *notes[TRACING_NOTES_MAX]; /* owned */
	size_t note_count;
};

struct tracing_wants {
	bool heap, spans;
	uint32_t cpu_hz;	   /* CPU samples a second, 0 = none */
	bool needs_heap;	   /* without an allocator there is nothing to do: exit 3 */
	bool needs_spans;	   /* without span probes likewise */
	struct launched *launched; /* the target, held by us until everything is attached */
};

/*
 * Finds and checks the processes and plans the probes; nothing is attached, so that output files
 * can be opened before anything happens to the target. On failure the exit code is in err;
 * tracing__free() is allowed in any case.
 */
int tracing__prepare(struct tracing *t, const struct options *options,
		     const struct tracing_wants *wants, const struct session_observer *observer,
		     struct error *err);
/* Up to the open gate. */
int tracing__attach(struct tracing *t, struct error *err);
/* For the session's observer, at every poll. */
void tracing__look(struct tracing *t);
/* Runs to the end and settles; t->results and t->run are complete afterwards. */
void tracing__run(struct tracing *t);
/* run_info as far as it is known now. */
const struct run_info *tracing__run_info(struct tracing *t);
/* A sentence for the documents' notes. */
void tracing__note(struct tracing *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 0, or what --strict makes of incomplete data. */
int tracing__exit_code(const struct tracing *t);
/* How text goes to standard output. */
struct text_style tracing__style(const struct options *options);
void tracing__free(struct tracing *t);

/* Is tracing allowed here at all? `what` is what will not be done: "attach to 17". */
int tracing__check_permissions(const char *what, struct error *err);

/* Who is in the unit and control group of the options now; session_options.find_more. */
int tracing__find_members(void *options, pid_list *pids);
/*
 * -p, -n, -U and --cgroup into a list of PIDs, each once. The first *named were given with -p and
 * may be anything; the others are running programs, the oldest of a kind first.
 */
int tracing__find_pids(const struct options *options, pid_list *pids, size_t *named,
		       struct error *err);

#endif
