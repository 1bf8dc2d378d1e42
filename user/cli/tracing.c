// SPDX-License-Identifier: BSD-2-Clause
#include "cli/tracing.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/notice.h"
#include "base/strbuf.h"
#include "cli/function_offer.h"
#include "cli/launched.h"
#include "cli/price.h"
#include "cli/signals.h"
#include "output/format.h"
#include "target/everybody.h"

/* Wrong before any privilege is asked for. */
static int check_own_pid(const pid_list *pids, struct error *err)
{
	const pid_t *pid;

	vec_for_each (pids, pid) {
		if (*pid == getpid())
			return error_set(
				err, EXIT_USAGE, -EINVAL,
				"cannot trace %d: that is perftrace itself. Give another PID.",
				*pid);
	}
	return 0;
}

int tracing__check_permissions(const char *what, struct error *err)
{
	char missing[128], namespace[64];
	ssize_t n;

	process__missing_capabilities(missing, sizeof(missing));
	if (missing[0])
		return error_set(
			err, EXIT_UNSUPPORTED, -EPERM,
			"cannot %s: not permitted (missing %s). Run it with sudo, or give it "
			"CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE (Linux 6.6 or newer).",
			what, missing);
	/* The kernel side knows PIDs of the first namespace; 0xeffffffc is its inode. */
	n = readlink("/proc/self/ns/pid", namespace, sizeof(namespace) - 1);
	namespace[n > 0 ? n : 0] = '\0';
	if (n > 0 && strcmp(namespace, "pid:[4026531836]"))
		return error_set(
			err, EXIT_UNSUPPORTED, -ENOTSUP,
			"cannot trace from inside a PID namespace. Run perftrace on the host, "
			"with the PID seen there.");
	return 0;
}

static int check_permissions(const pid_list *pids, struct error *err)
{
	char what[32];

	snprintf(what, sizeof(what), "attach to %d", pids->data[0]);
	return tracing__check_permissions(what, err);
}

/* Under memory pressure the tracer goes before its target; many links need many descriptors. */
static void prepare_self(void)
{
	struct rlimit files;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "500", 3) < 0)
			notice(NOTICE_DETAIL, "oom_score_adj could not be raised");
		close(fd);
	}
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Probes that the plan or the kernel refused: what they would have told is missing. */
static void announce_refusals(struct tracing *t, const struct plan *plan)
{
	const struct plan_probe *probe;
	size_t refused = 0;

	vec_for_each (&plan->probes, probe) {
		if (!probe->refused || probe->kind == PLAN_USDT)
			continue;
		notice(refused ? NOTICE_DETAIL : NOTICE_WARNING, "no probe on %s: %s",
		       probe->symbol, probe->refused);
		refused++;
	}
	if (refused > 1)
		notice(NOTICE_WARNING, "%zu probes refused in all; -v names them", refused);
	if (refused)
		tracing__note(t, "%zu probe%s refused; what %s would have seen is missing", refused,
			      refused == 1 ? " was" : "s were", refused == 1 ? "it" : "they");
}

static void announce(struct tracing *t)
{
	const struct session *s = t->session;
	const struct process *root = session__root(s);
	const struct plan *plan = session__plan(s);
	const char *allocator = session__allocator(s);
	size_t processes = session__process_count(s), pairs = plan__span_pairs(plan);
	size_t functions = plan__function_spans(plan);
	char pid[16] = "";
	struct strbuf what = {0};

	if (pairs)
		strbuf_printf(&what, ", %zu span pair%s", pairs, pairs == 1 ? "" : "s");
	if (plan__has_own_macros(plan))
		strbuf_puts(&what, ", perftrace.h spans");
	if (functions)
		strbuf_printf(&what, ", %zu function%s", functions, functions == 1 ? "" : "s");
	if (allocator)
		strbuf_printf(&what, ", %s", allocator);
	if (session__sampled_cpus(s))
		strbuf_printf(&what, ", %zu CPUs sampled", session__sampled_cpus(s));
	if (session__follows(s) && !everybody__is(root))
		strbuf_puts(&what, ", children followed");
	if (!everybody__is(root))
		snprintf(pid, sizeof(pid), "%d ", root->pid);
	/* The first comma of the list is the colon of the sentence. */
	notice(NOTICE_INFO, "attached to %s%s in %.0f ms%s%s", pid, root->comm,
	       session__attached_ns(s) / 1e6, what.len ? ":" : "",
	       what.len ? strbuf_str(&what) + 1 : "");
	strbuf_free(&what);
	if (plan->notes_left_out)
		notice(NOTICE_WARNING, "%zu USDT sites left out: no program has that many",
		       plan->notes_left_out);
	if (plan->bad_objects)
		notice(NOTICE_DETAIL, "%u mapped files could not be read as ELF",
		       plan->bad_objects);
	announce_refusals(t, plan);
	if (processes > 1)
		notice(NOTICE_INFO,
		       session__sampled_cpus(s) ? "%zu processes traced"
						: "%zu processes traced; memory is that of %d",
		       processes, root->pid);
	if (allocator)
		notice(NOTICE_INFO, "heap exact: every call is booked; an "
				    "allocation-heavy program will feel it");
	price__tell_stepped(plan, &t->costs);
	if (t->launched && t->launched->launch.caveat) {
		notice(NOTICE_WARNING, "%s", t->launched->launch.caveat);
		tracing__note(t, "%s", t->launched->launch.caveat);
	}
	if (!t->launched)
		notice(NOTICE_INFO, "Ctrl-C ends with a %s",
		       allocator		  ? "report"
		       : session__sampled_cpus(s) ? "profile"
						  : "summary");
}

static int check_offer(struct tracing *t, const struct tracing_wants *wants, struct error *err)
{
	const struct plan *plan = session__plan(t->session);
	const struct process *root = session__root(t->session);

	if (everybody__is(root)) /* whatever there is, and what comes */
		return wants->spans ? function_offer__check(plan, &t->options->functions, root, err)
				    : 0;
	if (wants->heap && !session__allocator(t->session)) {
		const struct plan_allocator *allocator = plan__allocator(plan, root);
		const char *why = allocator ? allocator->why : "it could not be planned";

		if (wants->needs_heap)
			return error_set(
				err, EXIT_UNSUPPORTED, -ENOTSUP,
				"cannot trace the heap of %d (%s): %s. perftrace probes -p %d "
				"lists what can be traced.",
				root->pid, root->exe, why, root->pid);
		notice(NOTICE_WARNING, "heap n/a of %s: %s", root->exe, why);
		tracing__note(t, "heap: n/a, %s", why);
	}
	if (wants->spans && t->options->functions.len)
		return function_offer__check(plan, &t->options->functions, root, err);
	if (wants->spans && !plan->sites.len) {
		if (wants->needs_spans && t->options->rules.len)
			return error_set(
				err, EXIT_UNSUPPORTED, -ENOTSUP,
				"no USDT pair in %d matches -u. perftrace probes -p %d lists "
				"what is there.",
				root->pid, root->pid);
		if (wants->needs_spans)
			return error_set(
				err, EXIT_UNSUPPORTED, -ENOTSUP,
				"no spans in %d: neither USDT pairs nor perftrace.h macros in "
				"%s or its libraries. perftrace leaks -p %d looks at its "
				"memory.",
				root->pid, root->exe, root->pid);
		notice(NOTICE_WARNING,
		       "no spans: neither USDT pairs nor perftrace.h macros in %s or "
		       "its libraries",
		       root->exe);
	}
	return 0;
}

static void describe_run(struct tracing *t)
{
	const struct process *root = session__root(t->session);

	if (gethostname(t->host, sizeof(t->host) - 1))
		snprintf(t->host, sizeof(t->host), "unknown");
	t->run = (struct run_info){
		.version = PERFTRACE_VERSION,
		.host = t->host,
		.target =
			{
				.pid = root->pid,
				.comm = root->comm,
				.exe = root->exe[0] ? root->exe : NULL,
				.allocator = session__allocator(t->session),
				.started_ns = root->started_realtime_ns,
				.from_start = t->launched && !t->launched->launch.caveat,
			},
		.offset = *session__clock(t->session),
		.overhead = {.estimated_percent = NAN, .tracer_cpu_percent = NAN},
	};
}

/* A group is a whole service: what its processes start belongs to it. */
static enum follow_mode follow_mode(const struct options *options)
{
	bool whole = options->unit || options->cgroup || options->command;

	return whole && options->follow == FOLLOW_AUTO ? FOLLOW_ON : options->follow;
}

static int prepare_pids(struct session_options *s, const struct options *options, struct error *err)
{
	int ret = tracing__find_pids(options, &s->pids, &s->named_pids, err);

	if (options->unit || options->cgroup) {
		s->find_more = tracing__find_members;
		s->find_arg = (void *)options;
	}
	if (!ret)
		ret = check_own_pid(&s->pids, err);
	if (!ret)
		ret = check_permissions(&s->pids, err);
	return ret;
}

/* Every malloc on the machine is a high price: it has to be asked for. */
static int prepare_everybody(struct session_options *s, const struct options *options,
			     const struct tracing_wants *wants, struct error *err)
{
	if (options->pids.len || options->name || options->unit || options->cgroup)
		return error_set(
			err, EXIT_USAGE, -EINVAL,
			"-a means every process: -p, -n, -U and --cgroup do not go with it");
	if (wants->needs_heap && !options->mode_exact)
		return error_set(
			err, EXIT_USAGE, -EINVAL,
			"leaks -a would slow down every malloc and free on this machine. Say "
			"so with --mode exact, or choose a process.");
	s->everybody = true;
	s->heap = wants->heap && options->mode_exact;
	return tracing__check_permissions("attach to all processes", err);
}

int tracing__prepare(struct tracing *t, const struct options *options,
		     const struct tracing_wants *wants, const struct session_observer *observer,
		     struct error *err)
{
	struct session_options s = {
		.heap = wants->heap,
		.spans = wants->spans,
		.cpu_hz = wants->cpu_hz,
		.rules = &options->rules,
		.alloc_rules = &options->alloc_rules,
		.functions = &options->functions,
		.follow = follow_mode(options),
		.ring_bytes = options->ring_bytes,
		.live_max = options->live_max,
		.stack_depth = options->stack_depth,
		.inode_wide = options->inode_wide,
		.duration_ns = options->duration_ns,
		.interval_ns = options->interval_ns,
		.age_ns = options->older_ns,
	};
	int ret;

	memset(t, 0, sizeof(*t));
	t->options = options;
	t->launched = wants->launched;
	t->probes = wants->heap || wants->spans;
	if (options->everybody)
		ret = prepare_everybody(&s, options, wants, err);
	else
		ret = prepare_pids(&s, options, err);
	if (!ret) {
		t->stop_fd = signals__begin();
		prepare_self();
		ret = session__new(&s, observer, &t->session, err);
	}
	if (!ret) {
		describe_run(t);
		ret = check_offer(t, wants, err);
	}
	vec_free(&s.pids);
	if (ret)
		tracing__free(t);
	return ret;
}

int tracing__attach(struct tracing *t, struct error *err)
{
	const struct link_support *support = session__support(t->session);
	const struct process *root = session__root(t->session);
	const struct plan *plan = session__plan(t->session);
	int ret;

	price__get(plan, root, t->options, support, &t->costs);
	if (t->probes)
		price__tell_others(plan, root, t->options, support, &t->costs);
	ret = session__attach(t->session, err);

	if (ret)
		return ret;
	t->run.begin_ns = clock_to_realtime_ns(session__clock(t->session), clock_monotonic_ns());
	announce(t);
	return 0;
}

void tracing__note(struct tracing *t, const char *fmt, ...)
{
	va_list args;
	char *text;

	if (t->note_count == TRACING_NOTES_MAX)
		return;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) >= 0)
		t->notes[t->note_count++] = text;
	va_end(args);
}

/* " (signal 9, Killed)", " (status 3)", or "" when it is not known. */
static const char *exit_reason(const struct session_results *r, char *text, size_t size)
{
	int code = r->target_exit_code;

	text[0] = '\0';
	if (r->target_exited && WIFSIGNALED(code))
		snprintf(text, size, " (signal %d, %s)", WTERMSIG(code), strsignal(WTERMSIG(code)));
	else if (r->target_exited)
		snprintf(text, size, " (status %d)", WEXITSTATUS(code));
	return text;
}

static void tell_end(struct tracing *t)
{
	char reason[64];
	double seconds = (t->results.end_ns - t->results.begin_ns) / 1e9;

	if (t->end == SESSION_TARGET_GONE && t->launched) {
		notice(NOTICE_INFO, "%s ended%s after %.1f s", t->launched->name,
		       exit_reason(&t->results, reason, sizeof(reason)), seconds);
	} else if (t->end == SESSION_TARGET_GONE) {
		notice(NOTICE_WARNING, "target exited%s after %.1f s. Report of what was seen:",
		       exit_reason(&t->results, reason, sizeof(reason)), seconds);
		tracing__note(t, "the target exited during the trace");
	}
	notice(NOTICE_DETAIL, "detached in %.0f ms", t->results.detach_ns / 1e6);
}

static void note_limits(struct tracing *t)
{
	const struct session_results *r = &t->results;

	if (everybody__is(session__root(t->session)))
		tracing__note(t, "target: pid is 0, exe and started are null: all processes");
	if (r->profile.samples)
		tracing__note(t, "overhead.estimated_percent: taking samples; the timer's "
				 "interrupts come on top");
	else
		tracing__note(t, "overhead.estimated_percent: n/a, it is not computed in this "
				 "version");
	if (r->ledger.children.gap_ns_total || r->ledger.children.never_linked)
		tracing__note(
			t, "children: what a new child did between its fork and its own probes is "
			   "not in the numbers");
	if (r->heap.traced)
		tracing__note(t, "heap: only blocks allocated since the attach");
	if (process__memory_lags())
		tracing__note(t, "RSS: before Linux 6.2 the kernel is up to 64 page faults per "
				 "thread behind");
	if (r->heap.sampled)
		tracing__note(t,
			      "heap: blocks of %s are samples that the program tells of, their "
			      "bytes what those stand for",
			      TOLD_PROVIDER);
	if (r->malformed_records)
		tracing__note(t, "%llu records had no known form and were ignored",
			      (unsigned long long)r->malformed_records);
}

void tracing__look(struct tracing *t)
{
	if (t->launched)
		launched__look(t->launched);
}

void tracing__run(struct tracing *t)
{
	struct session_results *r = &t->results;

	if (t->launched) {
		launched__heed(t->launched, t->stop_fd);
		launched__release(t->launched);
		t->end = session__run(t->session, -1);
	} else {
		t->end = session__run(t->session, t->stop_fd);
		signals__leave();
	}
	session__finish(t->session, r);
	t->run.duration_ns = r->end_ns - r->begin_ns;
	t->run.offset = *session__clock(t->session);
	t->run.overhead.probe_hits = r->probe_hits;
	if (r->profile.samples)
		t->run.overhead.estimated_percent =
			100.0 * r->profile.cost_ns /
			profile__time_ns(&r->profile, r->profile.samples);
	t->run.overhead.tracer_cpu_percent = r->tracer_cpu_percent;
	t->run.overhead.tracer_rss_bytes = r->tracer_rss_bytes;
	t->run.target.gone = t->end == SESSION_TARGET_GONE;
	tell_end(t);
	note_limits(t);
	t->run.notes = (const char *const *)t->notes;
	t->run.note_count = t->note_count;
}

const struct run_info *tracing__run_info(struct tracing *t)
{
	t->run.offset = *session__clock(t->session);
	return &t->run;
}

int tracing__exit_code(const struct tracing *t)
{
	if (t->options->strict && !ledger__is_complete(&t->results.ledger))
		return EXIT_INCOMPLETE;
	return EXIT_DONE;
}

struct text_style tracing__style(const struct options *options)
{
	bool tty = isatty(STDOUT_FILENO);
	struct text_style style = {0};
	struct winsize size;

	if (tty && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		style.width = size.ws_col;
	style.color = options->color == COLOR_ALWAYS ||
		      (options->color == COLOR_AUTO && tty && !getenv("NO_COLOR"));
	return style;
}

void tracing__free(struct tracing *t)
{
	heap_snapshot__free(&t->results.heap);
	profile__free(&t->results.profile);
	session__free(t->session);
	for (size_t i = 0; i < t->note_count; i++)
		free(t->notes[i]);
	memset(t, 0, sizeof(*t));
}
