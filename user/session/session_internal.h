/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files that implement session/session.h, for nobody else. */
#ifndef PERFTRACE_SESSION_SESSION_INTERNAL_H
#define PERFTRACE_SESSION_SESSION_INTERNAL_H

#include <sys/resource.h>

#include "model/names.h"
#include "probe/support.h"
#include "session/attach.h"
#include "session/cpu_time.h"
#include "session/family.h"
#include "session/intake.h"
#include "session/kernel.h"
#include "session/layouts.h"
#include "session/sampler.h"
#include "session/session.h"
#include "stack/symbolize.h"

struct session {
	struct session_options options;
	struct session_observer observer;
	struct roster roster;
	struct plan plan;
	struct kernel *kernel;
	struct attachment *attachment;
	struct sampler *sampler; /* NULL = none, or stopped */
	size_t sampled_cpus;
	struct symbolizer *symbolizer;
	struct layouts *layouts; /* NULL: no stacks are wanted */
	struct family *family;
	struct intake *intake;
	struct names *names;
	struct link_support support;
	bool kills_returns;	     /* return probes would kill a target */
	const char *no_return_hooks; /* constant phrase: why functions' returns are left alone */
	struct memory_timeline memory;
	struct cpu_time cpu_time;
	struct clock_offset clock;
	struct rusage usage_at_begin;
	uint64_t started_ns, begin_ns, attach_took_ns;
	uint64_t next_sample_ns, next_tick_ns, next_search_ns;
	bool attached, finished;
};

/* Takes in processes that belong to the run by now, see session_options.find_more. */
void session__search(struct session *s);
/* Reads the memory now; the observer is told when its interval is over. */
void session__sample_memory(struct session *s, uint64_t now_ns);

#endif
