// SPDX-License-Identifier: BSD-2-Clause
#include "session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/notice.h"
#include "session/cpu_facts.h"
#include "session/heap_facts.h"
#include "session/session_internal.h"

#define SETTLE_US 2000 /* programs that passed the gate before it closed are done by then */

static double cpu_seconds(const struct rusage *u)
{
	return u->ru_utime.tv_sec + u->ru_stime.tv_sec +
	       (u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static void measure_self(const struct session *s, struct session_results *r)
{
	struct process_memory m;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	r->tracer_cpu_percent = 100 * (cpu_seconds(&usage) - cpu_seconds(&s->usage_at_begin)) /
				((r->end_ns - r->begin_ns) / 1e9);
	if (!process__memory(getpid(), &m))
		r->tracer_rss_bytes = m.resident_bytes;
}

struct live_sum {
	uint64_t blocks, bytes;
};

static int sum_live(void *arg, const struct live_key *key, const struct live_block *block)
{
	struct live_sum *sum = arg;

	sum->blocks++;
	sum->bytes += block->size;
	return 0;
}

static void settle_books(struct session *s, struct session_results *r)
{
	const struct family_facts *family = family__facts(s->family);
	struct ledger_input input = {
		.heap_traced = r->heap.traced,
		.gone_blocks = family->gone_blocks,
		.gone_bytes = family->gone_bytes,
		.children_followed = family->followed,
		.children_never_linked = family->never_linked,
		.gap_ns_total = family->gap_ns_total,
		.gap_ns_max = family->gap_ns_max,
	};
	struct live_sum live = {0};
	struct heap_gauge gauge;

	if (kernel__counters(s->kernel, input.counters))
		notice(NOTICE_WARNING, "the kernel's counters could not be read");
	if (r->heap.traced && kernel__for_each_live(s->kernel, sum_live, &live))
		notice(NOTICE_WARNING, "the live set could not be read completely");
	kernel__gauge(s->kernel, &gauge);
	input.live_blocks = live.blocks;
	input.live_bytes = live.bytes;
	input.in_flight_blocks = gauge.in_realloc;
	ledger__settle(&r->ledger, &input);
	r->probe_hits = input.counters[COUNTER_PROBE_HITS];
	r->execs = family->execs;
	r->target_exited = family->root_exited;
	r->target_exit_code = family->root_exit_code;
	r->malformed_records = intake__malformed(s->intake);
}

/* Some of it is known by samples only, of which programs tell themselves. */
static bool heap_is_sampled(const struct session *s)
{
	const struct plan_allocator *a;

	vec_for_each (&s->plan.allocators, a) {
		if (s->options.heap && a->sampled)
			return true;
	}
	return false;
}

/* Blocks' ages are those at `when_ns`. */
static int heap_at(struct session *s, struct heap_snapshot *heap, uint64_t when_ns)
{
	heap->traced = s->options.heap && session__allocator(s);
	heap->begin_ns = s->begin_ns;
	heap->taken_ns = when_ns;
	heap->age_ns = s->options.age_ns;
	heap->sampled = heap_is_sampled(s);
	heap->by_process = s->options.everybody; /* whose is the question then */
	if (!heap->traced)
		return 0;
	family__purge_gone(s->family);
	return heap_facts__read(s->kernel, s->symbolizer, s->names, heap);
}

static int profile_of(struct session *s, struct profile *profile)
{
	profile->hz = s->options.cpu_hz;
	profile->cpus = s->sampled_cpus;
	/* Children that came meanwhile may have gone again: nobody has asked them. */
	profile->cpu_known = !s->options.everybody && !family__facts(s->family)->followed;
	profile->cpu_ns = cpu_time__used_ns(&s->cpu_time);
	return cpu_facts__read(s->kernel, s->symbolizer, s->names, profile);
}

void session__finish(struct session *s, struct session_results *r)
{
	uint64_t before;

	memset(r, 0, sizeof(*r));
	r->begin_ns = s->begin_ns;
	if (!s->attached)
		return;
	s->finished = true;
	kernel__set_gate(s->kernel, false);
	r->end_ns = clock_monotonic_ns();
	session__sample_memory(s, r->end_ns);
	usleep(SETTLE_US);
	if (s->layouts)
		layouts__refresh(s->layouts);
	before = clock_monotonic_ns();
	sampler__stop(s->sampler);
	s->sampler = NULL;
	attachment__detach(s->attachment);
	r->detach_ns = clock_monotonic_ns() - before;
	kernel__close_open_spans(s->kernel);
	while (kernel__drain(s->kernel) == -EAGAIN)
		;
	if (heap_at(s, &r->heap, r->end_ns))
		notice(NOTICE_WARNING, "the heap's books could not be read");
	if (s->options.cpu_hz && profile_of(s, &r->profile))
		notice(NOTICE_WARNING, "the CPU samples could not be read");
	memory_timeline__growth(&s->memory, &r->growth);
	settle_books(s, r);
	measure_self(s, r);
}

void session__free(struct session *s)
{
	if (!s)
		return;
	if (s->kernel && !s->finished)
		kernel__set_gate(s->kernel, false);
	sampler__stop(s->sampler);
	attachment__free(s->attachment);
	intake__free(s->intake);
	family__free(s->family);
	layouts__free(s->layouts);
	kernel__free(s->kernel);
	symbolizer__free(s->symbolizer);
	names__free(s->names);
	vec_free(&s->cpu_time.list);
	plan__free(&s->plan);
	roster__close(&s->roster);
	free(s);
}

/* ---- questions ---- */

const struct process *session__root(const struct session *s)
{
	return roster__root(&s->roster);
}

size_t session__root_count(const struct session *s)
{
	return s->roster.roots.len;
}

const struct plan *session__plan(const struct session *s)
{
	return &s->plan;
}

const char *session__allocator(const struct session *s)
{
	const struct plan_allocator *a = plan__allocator(&s->plan, session__root(s));

	if (s->options.everybody)
		return s->options.heap && plan__count(&s->plan, PLAN_ALLOC) ? "every malloc in use"
									    : NULL;
	return a && a->found ? a->label : NULL;
}

size_t session__open_spans(struct session *s, uint32_t pid, uint32_t tid, struct span *open,
			   size_t capacity)
{
	return intake__open_spans(s->intake, pid, tid, open, capacity);
}

bool session__follows(const struct session *s)
{
	return s->roster.follow;
}

size_t session__process_count(const struct session *s)
{
	return s->roster.roots.len + s->roster.children.len;
}

int session__heap_now(struct session *s, struct heap_snapshot *heap)
{
	return heap_at(s, heap, clock_monotonic_ns());
}

size_t session__sampled_cpus(const struct session *s)
{
	return s->sampled_cpus;
}

const struct link_support *session__support(const struct session *s)
{
	return &s->support;
}

const struct clock_offset *session__clock(struct session *s)
{
	return &s->clock;
}

struct symbolizer *session__symbolizer(const struct session *s)
{
	return s->symbolizer;
}

uint64_t session__attached_ns(const struct session *s)
{
	return s->attach_took_ns;
}
