// SPDX-License-Identifier: BSD-2-Clause
/* From processes to attached probes: what to probe, the kernel side loaded, the links made. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/notice.h"
#include "session/session_internal.h"
#include "target/everybody.h"
#include "target/hazards.h"

/* Room for probes that are found later: libraries and programs loaded after the attach. */
#define SPARE_SITES 8192
#define SPARE_PAIRS 2048
#define NAMES_MAX   65536

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
		.no_return_hooks = s->no_return_hooks,
		.alloc_rules = s->options.alloc_rules,
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
	if (!ret && s->layouts)
		layouts__learn(s->layouts, p->pid, &maps);
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

/* Processes that go meanwhile or cannot be traced are passed over. */
static int plan_everybody(struct session *s)
{
	pid_list pids = {0};
	pid_t *pid;
	int ret = everybody__pids(&pids);

	vec_for_each (&pids, pid) {
		struct process p;

		if (ret)
			break;
		if (process__open(*pid, &p, NULL))
			continue;
		ret = plan_process(s, &p, NULL) == -ENOMEM ? -ENOMEM : 0;
		process__close(&p);
	}
	vec_free(&pids);
	return ret;
}

/* Only a target that filters its system calls can be hurt; only then the kernel is tried. */
static bool return_probes_would_kill(const struct session *s)
{
	const struct process *root;

	/* Somebody among them will. */
	if (s->options.everybody)
		return link_support__return_kills_seccomp(&s->support);

	vec_for_each (&s->roster.roots, root) {
		struct hazards hazards;

		if (!hazards__read(root->pid, &hazards) && hazards.seccomp)
			return link_support__return_kills_seccomp(&s->support);
	}
	return false;
}

/* What this kernel's probes can do to these targets decides the plan. */
static int judge_returns(struct session *s, struct error *err)
{
	int ret = link_support__detect(&s->support, err);

	if (ret)
		return ret;
	s->kills_returns = return_probes_would_kill(s);
	if (s->kills_returns) {
		s->no_return_hooks = "the process filters its system calls (seccomp), and this "
				     "kernel has CVE-2025-21834";
	} else if (s->options.everybody || s->options.inode_wide) {
		s->no_return_hooks = "everybody who maps the file is probed, and some may throw";
	}
	return 0;
}

/* Only stacks need names for addresses, and to know what is mapped where. */
static int prepare_stacks(struct session *s)
{
	if (!s->options.heap && !s->options.cpu_hz)
		return 0;
	s->symbolizer = symbolizer__new();
	if (!s->symbolizer)
		return -ENOMEM;
	if (!s->options.stack_depth)
		return 0;
	s->layouts = layouts__new(s->symbolizer);
	return s->layouts ? 0 : -ENOMEM;
}

int session__new(const struct session_options *options, const struct session_observer *observer,
		 struct session **out, struct error *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int ret = s ? 0 : -ENOMEM;

	if (ret)
		return ret;
	s->options = *options;
	s->started_ns = clock_monotonic_ns();
	s->observer = *observer;
	clock_offset_refresh(&s->clock, 0);
	ret = options->everybody ? roster__open_everybody(&s->roster)
				 : roster__open(&s->roster, &options->pids, options->named_pids,
						options->follow, err);
	if (!ret)
		ret = judge_returns(s, err);
	if (!ret)
		ret = prepare_stacks(s);
	if (!ret)
		ret = options->everybody ? plan_everybody(s) : plan_all(s, err);
	if (!ret && !options->everybody)
		ret = plan__check_alloc_rules(&s->plan, session__root(s)->pid, err);
	if (ret) {
		session__free(s);
		return error_set(err, EXIT_FAILED, ret, "cannot start: %s", strerror(-ret));
	}
	*out = s;
	return 0;
}

/* ---- attach ---- */

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
		.told = plan__count(&s->plan, PLAN_TOLD),
		.cpu = s->options.cpu_hz,
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

	if (s->layouts)
		layouts__needs(s->layouts, &options.unwind_shards, &options.unwind_pages);
	options.pairs = pairs.data;
	options.n_pairs = pairs.len;
	if (!ret)
		ret = kernel__load(&options, &s->kernel, err);
	if (!ret && s->layouts)
		ret = layouts__bind(s->layouts, s->kernel);
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
	if (!s->names || !s->attachment)
		return -ENOMEM;
	family.kernel = s->kernel;
	family.attachment = s->attachment;
	family.layouts = s->layouts;
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
		if (!ret && !everybody__is(p))
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

static int start_sampler(struct session *s, struct error *err)
{
	int ret = sampler__start(kernel__sampler(s->kernel), s->options.cpu_hz, &s->sampler, err);

	if (!ret)
		s->sampled_cpus = sampler__cpus(s->sampler);
	return ret;
}

int session__attach(struct session *s, struct error *err)
{
	int ret;

	if (s->options.heap && s->kills_returns)
		return error_set(
			err, EXIT_UNSUPPORTED, -ENOTSUP,
			"return probes would kill %d: it filters its system calls (seccomp), and "
			"this kernel has CVE-2025-21834. perftrace spans -p %d is safe.",
			session__root(s)->pid, session__root(s)->pid);
	ret = build_rooms(s, err);
	if (!ret)
		ret = link_all(s, err);
	if (!ret && s->options.cpu_hz)
		ret = start_sampler(s, err);
	if (!ret && !roster__any_root_alive(&s->roster))
		ret = -ESRCH;
	if (ret == -ESRCH)
		return vanished(s, ret, err);
	if (ret)
		return error_set(err, EXIT_FAILED, ret, "cannot attach: %s", strerror(-ret));
	getrusage(RUSAGE_SELF, &s->usage_at_begin);
	kernel__set_gate(s->kernel, true);
	s->begin_ns = clock_monotonic_ns();
	s->attach_took_ns = s->begin_ns - s->started_ns;
	s->attached = true;
	session__sample_memory(s, s->begin_ns);
	return adopt_latecomers(s);
}

static int join(struct session *s, pid_t pid)
{
	struct process p;
	int ret = process__open(pid, &p, NULL);

	if (ret)
		return ret;
	ret = family__add(s->family, &p, 0, NULL);
	if (!ret)
		ret = roster__join(&s->roster, &p);
	if (ret)
		process__close(&p);
	else
		notice(NOTICE_INFO, "%d %s has joined", p.pid, p.comm);
	return ret;
}

void session__search(struct session *s)
{
	pid_list pids = {0};
	pid_t *pid;

	if (s->options.find_more(s->options.find_arg, &pids))
		pids.len = 0; /* asked again in a second */
	vec_for_each (&pids, pid) {
		if (*pid != getpid() && !family__has(s->family, *pid))
			join(s, *pid);
	}
	vec_free(&pids);
}
