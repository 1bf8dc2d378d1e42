// SPDX-License-Identifier: BSD-2-Clause
#include "probe/costs.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/notice.h"
#include "probe/closer.h"
#include "probe/costs_cache.h"
#include "probe/own_probe.h"

#define ROUNDS	    5 /* the best one counts: others can only make a round longer */
#define ROUND_NS    1000000ULL
#define FIRST_CALLS 8
#define CALLS_MAX   4096
#define ENOUGH_NS   300000000ULL /* from then on one short round has to do */
#define ANSWER_MS   500		 /* what a round takes at most, or there is no child */

/* What is linked where. */
static const struct row {
	const char *name;
	void (*function)(void);
	enum { ON_SITE, ON_CALL, ON_SKIPPED } link;
} rows[PROBE_COSTS] = {
	[COST_SITE_EMULATED] = {"site-emulated", own_target_push, ON_SITE},
	[COST_SITE_NOP] = {"site-nop", own_target_nop, ON_SITE},
	[COST_SITE_STEPPED] = {"site-stepped", own_target_stepped, ON_SITE},
	[COST_CALL_EMULATED] = {"call-emulated", own_call_push, ON_CALL},
	[COST_CALL_STEPPED] = {"call-stepped", own_call_stepped, ON_CALL},
	[COST_CALL_SKIPPED] = {"call-skipped", own_call_skipped, ON_SKIPPED},
};

/* What the child is to do; memory of both. */
struct task {
	void (*function)(void);
	unsigned int calls;
	uint64_t took_ns;
};

struct bench {
	const struct link_support *support;
	pid_t child;
	int line; /* a byte: do it; a byte back: done */
	struct task *task;
	uint64_t enough_ns; /* CLOCK_MONOTONIC */
	link_list links;
};

const char *probe_cost_name(enum probe_cost cost)
{
	return rows[cost].name;
}

/* ---- the child ---- */

static void work(struct task *task, int line)
{
	char byte;

	/* Nobody leaves it behind: it ends with its line, and with its parent. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(line, &byte, 1) == 1) {
		void (*function)(void) = task->function;
		unsigned int calls = task->calls;
		uint64_t start = clock_monotonic_ns();

		for (unsigned int i = 0; i < calls; i++)
			function();
		task->took_ns = clock_monotonic_ns() - start;
		if (send(line, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	_exit(0);
}

static int begin(struct bench *b)
{
	int pair[2];

	b->task = mmap(NULL, sizeof(*b->task), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (b->task == MAP_FAILED)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		munmap(b->task, sizeof(*b->task));
		return -errno;
	}
	b->child = fork();
	if (!b->child) {
		close(pair[0]);
		work(b->task, pair[1]);
	}
	close(pair[1]);
	b->line = pair[0];
	if (b->child > 0)
		return 0;
	close(b->line);
	munmap(b->task, sizeof(*b->task));
	return -EAGAIN;
}

/* Nanoseconds that `calls` calls take the child. */
static int run(struct bench *b, void (*function)(void), unsigned int calls, double *ns)
{
	struct pollfd answer = {.fd = b->line, .events = POLLIN};
	char byte = 'g';

	b->task->function = function;
	b->task->calls = calls;
	if (send(b->line, &byte, 1, MSG_NOSIGNAL) != 1)
		return -EPIPE;
	if (poll(&answer, 1, ANSWER_MS) != 1 || read(b->line, &byte, 1) != 1)
		return -ETIMEDOUT;
	*ns = b->task->took_ns;
	return 0;
}

/* Nanoseconds of one call at its best. */
static int best_call(struct bench *b, void (*function)(void), double *ns)
{
	unsigned int calls = FIRST_CALLS;
	int ret = run(b, function, calls, ns);

	*ns /= calls;
	if (!ret && *ns * CALLS_MAX > ROUND_NS)
		calls = ROUND_NS / *ns > FIRST_CALLS ? ROUND_NS / *ns : FIRST_CALLS;
	else
		calls = CALLS_MAX;
	for (int i = 0; !ret && i < ROUNDS && clock_monotonic_ns() < b->enough_ns; i++) {
		double round;

		ret = run(b, function, calls, &round);
		if (!ret && round / calls < *ns)
			*ns = round / calls;
	}
	return ret;
}

/* ---- the probes ---- */

static int link_rows(struct bench *b, int link, enum link_method method, bool at_return, int answer)
{
	struct link_request request = {.method = method, .at_return = at_return, .pid = b->child};
	struct link_site sites[PROBE_COSTS];
	int ret = 0;

	request.object_fd = -1;
	request.sites = sites;
	for (size_t i = 0; !ret && i < PROBE_COSTS; i++) {
		if ((int)rows[i].link != link)
			continue;
		if (request.object_fd >= 0)
			close(request.object_fd);
		request.object_fd = -1;
		ret = own_site__open(rows[i].function, &sites[request.n_sites++],
				     &request.object_fd);
	}
	request.prog_fd = own_program__load(method, answer, NULL);
	if (!ret)
		ret = request.prog_fd < 0 ? request.prog_fd : link_sites(&request, &b->links);
	for (size_t i = 0; !ret && i < request.n_sites; i++)
		ret = sites[i].refused;
	if (request.prog_fd >= 0)
		close(request.prog_fd);
	if (request.object_fd >= 0)
		close(request.object_fd);
	return ret;
}

static int link_all(struct bench *b)
{
	enum link_method sites = link_support__sites(b->support);
	enum link_method calls = link_support__calls(b->support);
	int ret = link_rows(b, ON_SITE, sites, false, 0);

	if (!ret)
		ret = link_rows(b, ON_CALL, calls, false, 0);
	if (!ret && calls != LINK_SESSION)
		ret = link_rows(b, ON_CALL, calls, true, 0);
	if (!ret && calls == LINK_SESSION)
		ret = link_rows(b, ON_SKIPPED, calls, false, 1);
	return ret;
}

/* Each waits for a grace period: side by side, and the child need not be there any more. */
static void end(struct bench *b)
{
	struct closer *closer = closer__new();
	int *fd;

	close(b->line);
	kill(b->child, SIGKILL);
	waitpid(b->child, NULL, 0);
	munmap(b->task, sizeof(*b->task));
	vec_for_each (&b->links, fd) {
		if (closer)
			closer__close(closer, *fd);
		else
			close(*fd);
	}
	closer__free(closer);
	vec_free(&b->links);
}

static bool is_linked(const struct bench *b, const struct row *row)
{
	return row->link != ON_SKIPPED || link_support__calls(b->support) == LINK_SESSION;
}

static int measure(struct bench *b, struct probe_costs *out)
{
	double untraced[PROBE_COSTS], traced;
	int ret = 0;

	for (size_t i = 0; !ret && i < PROBE_COSTS; i++)
		ret = best_call(b, rows[i].function, &untraced[i]);
	if (!ret)
		ret = link_all(b);
	for (size_t i = 0; !ret && i < PROBE_COSTS; i++) {
		if (!is_linked(b, &rows[i]))
			continue;
		ret = best_call(b, rows[i].function, &traced);
		if (!ret)
			out->ns[i] = traced > untraced[i] ? traced - untraced[i] : 0;
	}
	return ret;
}

static void forget(struct probe_costs *costs)
{
	for (size_t i = 0; i < PROBE_COSTS; i++)
		costs->ns[i] = NAN;
}

int probe_costs__measure(const struct link_support *support, struct probe_costs *out)
{
	struct bench b = {.support = support};
	uint64_t start = clock_monotonic_ns();
	int ret;

	forget(out);
	b.enough_ns = start + ENOUGH_NS;
	ret = begin(&b);
	if (ret)
		return ret;
	ret = measure(&b, out);
	end(&b);
	if (ret)
		forget(out);
	notice(NOTICE_DETAIL, "measuring what a probe costs took %.0f ms: %s",
	       (clock_monotonic_ns() - start) / 1e6, ret ? strerror(-ret) : "done");
	return ret;
}

int probe_costs__get(const struct link_support *support, struct probe_costs *out)
{
	char key[COSTS_KEY_LEN], directory[4096];
	bool has_cache = !costs_cache__directory(directory, sizeof(directory));
	int ret;

	costs_cache__key(support, key);
	if (has_cache && !costs_cache__load(directory, key, out))
		return 0;
	ret = probe_costs__measure(support, out);
	if (!ret && has_cache) {
		int err = costs_cache__store(directory, key, out);

		if (err)
			notice(NOTICE_DETAIL, "%s/probe-costs was not written: %s", directory,
			       strerror(-err));
	}
	return ret;
}

/* ---- prices ---- */

enum link_method probe_costs__method(const struct link_support *support,
				     const struct plan_probe *probe)
{
	/* The whole family hangs on one program, free along with those whose return counts. */
	if (probe->kind == PLAN_ALLOC || probe->hook == HOOK_CALL)
		return link_support__calls(support);
	return link_support__sites(support);
}

double probe_costs__of(const struct probe_costs *costs, const struct link_support *support,
		       const struct plan_probe *probe)
{
	if (probe->hook == HOOK_CALL)
		return costs->ns[probe->emulated ? COST_CALL_EMULATED : COST_CALL_STEPPED];
	if (!probe->emulated)
		return costs->ns[COST_SITE_STEPPED];
	if (probe_costs__method(support, probe) == LINK_SESSION)
		return costs->ns[COST_CALL_SKIPPED];
	return costs->ns[strcmp(probe->instruction, "nop") ? COST_SITE_EMULATED : COST_SITE_NOP];
}
