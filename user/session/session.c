// SPDX-License-Identifier: BSD-2-Clause
#include "session/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/notice.h"
#include "model/names.h"
#include "session/attach.h"
#include "session/family.h"
#include "session/heap_facts.h"
#include "session/intake.h"
#include "session/kernel.h"
#include "session/roster.h"
#include "stack/symbolize.h"

#define LOOK_MS	  50 /* how often the ring is looked at; `tail -f` feels immediate */
#define SAMPLE_NS (NSEC_PER_SEC / 4)
/* Room for probes that are found later: libraries and programs loaded after the attach. */
#define SPARE_SITES   8192
#define SPARE_PAIRS   2048
#define NAMES_MAX     65536
#define RING_PAUSE_US 2000
#define SETTLE_US     2000 /* programs that passed the gate before it closed are done by then */

struct session {
	struct session_options options;
	struct session_observer observer;
	struct roster roster;
	struct plan plan;
	struct kernel *kernel;
	struct attachment *attachment;
	struct symbolizer *symbolizer;
	struct family *family;
	struct intake *intake;
	struct names *names;
	struct link_support support;
	struct memory_timeline memory;
	struct clock_offset clock;
	struct rusage usage_at_begin;
	uint64_t begin_ns, attach_took_ns;
	uint64_t next_sample_ns, next_tick_ns;
	bool attached, finished;
};

typedef VEC(struct span_pair) pair_table;

/* ---- who and what ---- */

/* Who names functions and no pairs gets the functions alone. */
static bool traces_pairs(const struct session *s)
{
	bool only_functions = s->options.functions && s->options.functions->len &&
			      !(s->options.rules && s->options.rules->len);

	return s->options.spans && !only_functions;
}

static int plan_maps(struct session *s, const struct process *p, const struct maps *maps,
		     struct error *err)
{
	struct plan_options options = {
		.heap = s->options.heap,
		.spans = traces_pairs(s),
		.rules = s->options.rules,
		.functions = s->options.functions,
	};

	return plan__add_process(&s->plan, p, maps, &options, err);
}

static int plan_process(struct session *s, const struct process *p, struct error *err)
{
	struct maps maps = {0};
	int ret = maps__load(p->pid, &maps);

	if (ret == -EACCES || ret == -EPERM)
		error_set(err, EXIT_UNSUPPORTED, ret,
			  "cannot read the memory map of %d: not permitted. Run it with sudo.",
			  p->pid);
	if (!ret && !maps.list.len)
		ret = -ESRCH;
	if (!ret)
		ret = plan_maps(s, p, &maps, err);
	maps__free(&maps);
	return ret;
}

static int vanished(const struct session *s, int ret, struct error *err)
{
	const struct process *root = session__root(s);

	return error_set(err, EXIT_NO_TARGET, ret,
			 "process %d (%s) exited before it could be traced", root->pid, root->comm);
}

static int plan_all(struct session *s, struct error *err)
{
	const struct process *p;
	int ret = 0;

	vec_for_each (&s->roster.roots, p) {
		ret = plan_process(s, p, err);
		if (ret == -ESRCH)
			return vanished(s, ret, err);
		if (ret)
			return error_set(err, EXIT_FAILED, ret, "cannot read %d: %s", p->pid,
					 strerror(-ret));
	}
	vec_for_each (&s->roster.children, p) {
		ret = plan_process(s, p, NULL);
		if (ret == -ENOMEM)
			return ret;
	}
	return 0;
}

int session__new(const struct session_options *options, const struct session_observer *observer,
		 struct session **out, struct error *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int ret = s ? 0 : -ENOMEM;

	if (ret)
		return ret;
	s->options = *options;
	s->observer = *observer;
	clock_offset_refresh(&s->clock, 0);
	ret = roster__open(&s->roster, &options->pids, options->named_pids, options->follow, err);
	if (!ret)
		ret = plan_all(s, err);
	if (ret) {
		session__free(s);
		return error_set(err, EXIT_FAILED, ret, "cannot start: %s", strerror(-ret));
	}
	*out = s;
	return 0;
}

/* ---- attach ---- */

/* Only a target that filters its system calls can be hurt; only then the kernel is tried. */
static bool return_probes_would_kill(const struct session *s)
{
	const struct process *root;

	vec_for_each (&s->roster.roots, root) {
		if (process__uses_seccomp(root->pid))
			return link_support__return_kills_seccomp(&s->support);
	}
	return false;
}

static void on_span(void *arg, const struct span *span)
{
	struct session *s = arg;

	if (s->observer.span)
		s->observer.span(s->observer.arg, span);
}

static void on_mark(void *arg, const struct mark *mark)
{
	struct session *s = arg;

	if (s->observer.mark)
		s->observer.mark(s->observer.arg, mark);
}

static void on_life(void *arg, const struct life_record *record)
{
	struct session *s = arg;

	family__on_life(s->family, record);
}

/* The kernel's view of the plan's pairs, which the caller frees. */
static int list_pairs(const struct plan *plan, pair_table *pairs)
{
	const struct plan_pair *pair;

	vec_for_each (&plan->pairs, pair) {
		struct span_pair *slot = vec_push(pairs);

		if (!slot)
			return -ENOMEM;
		*slot = pair->abi;
	}
	return 0;
}

static int load_kernel(struct session *s, struct error *err)
{
	pair_table pairs = {0};
	struct kernel_options options = {
		.heap = s->options.heap,
		.spans = traces_pairs(s),
		.functions = s->options.functions && s->options.functions->len,
		.support = s->support,
		.follow_children = s->roster.follow,
		.everybody = s->options.everybody,
		.ring_bytes = s->options.ring_bytes,
		.live_max = s->options.live_max,
		.stack_depth = s->options.stack_depth,
		.sites = s->plan.sites.data,
		.n_sites = s->plan.sites.len,
		.spare_sites = SPARE_SITES,
		.spare_pairs = SPARE_PAIRS,
	};
	int ret = list_pairs(&s->plan, &pairs);

	options.pairs = pairs.data;
	options.n_pairs = pairs.len;
	if (!ret)
		ret = kernel__load(&options, &s->kernel, err);
	vec_free(&pairs);
	return ret;
}

/* family's planner: what a process has mapped since, or a new program offers. */
static int plan_more(void *arg, const struct process *process, const struct maps *maps, bool *grown)
{
	struct session *s = arg;
	size_t probes = s->plan.probes.len;
	pair_table pairs = {0};
	int ret = plan_maps(s, process, maps, NULL);

	*grown = s->plan.probes.len > probes;
	if (ret || !*grown)
		return ret;
	ret = list_pairs(&s->plan, &pairs);
	if (!ret)
		ret = kernel__extend_tables(s->kernel, s->plan.sites.data, s->plan.sites.len,
					    pairs.data, pairs.len);
	vec_free(&pairs);
	if (ret == -E2BIG) {
		notice(NOTICE_WARNING, "no room for the %zu probes that %d brought later",
		       s->plan.probes.len - probes, process->pid);
		plan__refuse_from(&s->plan, probes, "found too late: the tables are full");
		ret = 0;
	}
	return ret;
}

static int build_rooms(struct session *s, struct error *err)
{
	struct intake_events events = {on_span, on_mark, on_life, s};
	struct family_options family = {
		.plan = plan_more, .plan_arg = s, .children_end = s->options.everybody};
	int ret = load_kernel(s, err);

	if (ret)
		return ret;
	s->names = names__new(NAMES_MAX);
	s->attachment = attachment__new(&s->plan, s->kernel);
	/* Only call sites need names for addresses. */
	if (s->options.heap)
		s->symbolizer = symbolizer__new();
	if (!s->names || !s->attachment || (s->options.heap && !s->symbolizer))
		return -ENOMEM;
	family.kernel = s->kernel;
	family.attachment = s->attachment;
	family.symbolizer = s->symbolizer;
	s->family = family__new(&family);
	s->intake = intake__new(s->kernel, &s->plan, s->names, &events);
	if (!s->family || !s->intake)
		return -ENOMEM;
	return kernel__set_reader(s->kernel, intake__record, s->intake);
}

/* A child that has just gone, or cannot be had, is no reason to give up the others. */
static int add_child(struct session *s, const struct process *child)
{
	struct error err = {0};
	int ret = family__add(s->family, child, session__root(s)->pid, &err);

	if (ret && ret != -ESRCH && ret != -ENOMEM)
		notice(NOTICE_WARNING, "child %d is not traced: %s", child->pid,
		       err.exit_code ? err.text : strerror(-ret));
	return ret == -ENOMEM ? ret : 0;
}

static enum attach_scope scope_of(const struct session *s)
{
	if (s->options.everybody || s->options.inode_wide)
		return SHARE_EVERYTHING;
	return s->roster.follow && roster__owns_executables(&s->roster) ? SHARE_EXECUTABLES
									: SHARE_NOTHING;
}

static int link_all(struct session *s, struct error *err)
{
	const struct process *p;
	int ret = kernel__attach_life(s->kernel, err);

	if (ret)
		return ret;
	ret = attachment__share(s->attachment, scope_of(s), err);
	/* Spans in the executable are seen from birth even if those in libraries are not. */
	kernel__set_born_ready(s->kernel, !attachment__heap_is_per_process(s->attachment),
			       attachment__scope(s->attachment) != SHARE_NOTHING);
	vec_for_each (&s->roster.roots, p) {
		if (!ret)
			ret = family__add(s->family, p, 0, err);
	}
	for (size_t i = 0; !ret && i < s->roster.children.len; i++)
		ret = add_child(s, &s->roster.children.data[i]);
	return ret;
}

/* Children born between the first look and the open gate: no notice told of them. */
static int adopt_latecomers(struct session *s)
{
	size_t known = s->roster.children.len;
	int ret = roster__adopt_children(&s->roster);

	for (size_t i = known; !ret && i < s->roster.children.len; i++)
		ret = add_child(s, &s->roster.children.data[i]);
	return ret;
}

static void sample_memory(struct session *s, uint64_t now);

int session__attach(struct session *s, struct error *err)
{
	uint64_t before = clock_monotonic_ns();
	int ret;

	ret = link_support__detect(&s->support, err);
	if (ret)
		return ret;
	if (s->options.heap && return_probes_would_kill(s))
		return error_set(
			err, EXIT_UNSUPPORTED, -ENOTSUP,
			"return probes would kill %d: it filters its system calls (seccomp), and "
			"this kernel has CVE-2025-21834. perftrace spans -p %d is safe.",
			session__root(s)->pid, session__root(s)->pid);
	ret = build_rooms(s, err);
	if (!ret)
		ret = link_all(s, err);
	if (!ret && !process__is_alive(session__root(s)))
		ret = -ESRCH;
	if (ret == -ESRCH)
		return vanished(s, ret, err);
	if (ret)
		return error_set(err, EXIT_FAILED, ret, "cannot attach: %s", strerror(-ret));
	getrusage(RUSAGE_SELF, &s->usage_at_begin);
	kernel__set_gate(s->kernel, true);
	s->begin_ns = clock_monotonic_ns();
	s->attach_took_ns = s->begin_ns - before;
	s->attached = true;
	sample_memory(s, s->begin_ns);
	return adopt_latecomers(s);
}

/* ---- run ---- */

static void read_sample(const struct session *s, struct memory_sample *sample)
{
	struct process_memory m;

	memset(sample, 0, sizeof(*sample));
	sample->time_ns = clock_monotonic_ns();
	if (process__memory(session__root(s)->pid, &m) || !process__is_same(session__root(s)))
		return;
	memory_sample__set(sample, MEMORY_RSS, m.resident_bytes);
	memory_sample__set(sample, MEMORY_RESIDENT, m.resident_bytes);
	memory_sample__set(sample, MEMORY_VIRTUAL, m.virtual_bytes);
	memory_sample__set(sample, MEMORY_SHARED, m.shared_bytes);
	memory_sample__set(sample, MEMORY_TEXT, m.text_bytes);
	memory_sample__set(sample, MEMORY_DATA, m.data_bytes);
	memory_sample__set(sample, MEMORY_STACK, m.stack_bytes);
}

static void sample_memory(struct session *s, uint64_t now)
{
	struct memory_sample sample;

	read_sample(s, &sample);
	memory_timeline__add(&s->memory, &sample);
	s->next_sample_ns = now + SAMPLE_NS;
	if (!s->next_tick_ns)
		s->next_tick_ns = now + s->options.interval_ns;
	if (s->options.interval_ns && now >= s->next_tick_ns) {
		s->next_tick_ns += s->options.interval_ns;
		if (s->next_tick_ns <= now) /* we were stopped for a while */
			s->next_tick_ns = now + s->options.interval_ns;
		if (s->observer.tick)
			s->observer.tick(s->observer.arg, &sample);
	}
}

/* True when records are still waiting. */
static bool look(struct session *s)
{
	bool more = kernel__drain(s->kernel) == -EAGAIN;
	uint64_t now;

	now = clock_monotonic_ns();
	if (now >= s->next_sample_ns || (s->options.interval_ns && now >= s->next_tick_ns))
		sample_memory(s, now);
	family__tick(s->family, now);
	clock_offset_refresh(&s->clock, 10 * NSEC_PER_SEC);
	return more;
}

static int wait_ms(const struct session *s, uint64_t deadline)
{
	uint64_t now = clock_monotonic_ns(), left;

	if (!deadline || deadline > now + LOOK_MS * 1000000ULL)
		return LOOK_MS;
	left = deadline > now ? deadline - now : 0;
	return (left + 999999) / 1000000;
}

enum session_end session__run(struct session *s, int stop_fd)
{
	uint64_t deadline = s->options.duration_ns ? s->begin_ns + s->options.duration_ns : 0;
	struct pollfd fds[] = {
		{.fd = stop_fd, .events = POLLIN},
		{.fd = kernel__ring_fd(s->kernel), .events = POLLIN},
		{.fd = session__root(s)->pidfd, .events = POLLIN},
	};

	bool more = false;

	for (;;) {
		poll(fds, sizeof(fds) / sizeof(fds[0]), more ? 0 : wait_ms(s, deadline));
		more = look(s);
		/* The ring stays readable while records keep coming: no reason to spin. */
		if (fds[1].revents && !more)
			usleep(RING_PAUSE_US);
		if (s->observer.poll && s->observer.poll(s->observer.arg))
			return SESSION_OBSERVER_ENDED;
		if (fds[0].revents)
			return SESSION_STOPPED;
		if (fds[2].revents) {
			if (!roster__any_root_alive(&s->roster))
				return SESSION_TARGET_GONE;
			fds[2].fd = -1; /* others live on: asked for at every look */
		}
		if (fds[2].fd < 0 && !roster__any_root_alive(&s->roster))
			return SESSION_TARGET_GONE;
		if (deadline && clock_monotonic_ns() >= deadline)
			return SESSION_DURATION_OVER;
	}
}

/* ---- finish ---- */

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
	sample_memory(s, r->end_ns);
	usleep(SETTLE_US);
	family__refresh_symbols(s->family);
	before = clock_monotonic_ns();
	attachment__detach(s->attachment);
	r->detach_ns = clock_monotonic_ns() - before;
	kernel__close_open_spans(s->kernel);
	while (kernel__drain(s->kernel) == -EAGAIN)
		;
	if (session__heap_now(s, &r->heap))
		notice(NOTICE_WARNING, "the heap's books could not be read");
	r->heap.taken_ns = r->end_ns;
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
	attachment__free(s->attachment);
	intake__free(s->intake);
	family__free(s->family);
	kernel__free(s->kernel);
	symbolizer__free(s->symbolizer);
	names__free(s->names);
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
	heap->traced = s->options.heap && session__allocator(s);
	heap->begin_ns = s->begin_ns;
	heap->taken_ns = clock_monotonic_ns();
	heap->age_ns = s->options.age_ns;
	if (!heap->traced)
		return 0;
	return heap_facts__read(s->kernel, s->symbolizer, s->family, s->names, heap);
}

int session__rescan(struct session *s, pid_t pid)
{
	return family__rescan(s->family, pid);
}

const struct clock_offset *session__clock(struct session *s)
{
	return &s->clock;
}

uint64_t session__attached_ns(const struct session *s)
{
	return s->attach_took_ns;
}
