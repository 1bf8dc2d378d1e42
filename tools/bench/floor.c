// SPDX-License-Identifier: BSD-2-Clause
/*
 * floor PID: puts the cheapest probes there are where "perftrace leaks -p PID" would put its own:
 * programs that do nothing, on entry and return of the allocating functions and on the freeing
 * ones. What the target then takes is the kernel's price, the floor that no tracer of these calls
 * gets under. Prints "attached N probes" and stays until SIGINT or SIGTERM.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/own_probe.h"
#include "probe/plan.h"
#include "probe/support.h"
#include "target/process.h"

static struct link_support support;

static int plan_heap(pid_t pid, struct plan *plan, struct error *err)
{
	struct plan_options options = {.heap = true};
	struct process process = {.pidfd = -1};
	struct maps maps = {0};
	int ret = process__open(pid, &process, err);

	if (!ret)
		ret = maps__load(pid, &maps);
	if (!ret)
		ret = plan__add_process(plan, &process, &maps, &options, err);
	maps__free(&maps);
	process__close(&process);
	return ret;
}

/* One link per site: this is about the price of a hit, not that of attaching. */
static int link_probe(const struct plan *plan, const struct plan_probe *probe, pid_t pid,
		      bool at_return, link_list *links)
{
	enum link_method method = probe->hook == HOOK_CALL ? link_support__calls(&support)
							   : link_support__sites(&support);
	struct link_site site = {.offset = probe->site_offset};
	struct link_request request = {
		.method = method,
		.at_return = at_return,
		.prog_fd = own_program__load(method, 0, NULL),
		.object_fd = plan->objects.data[probe->object].fd,
		.pid = pid,
		.sites = &site,
		.n_sites = 1,
	};
	int ret = request.prog_fd < 0 ? request.prog_fd : link_sites(&request, links);

	if (request.prog_fd >= 0)
		close(request.prog_fd);
	if (!ret && probe->hook == HOOK_CALL && method != LINK_SESSION && !at_return)
		return link_probe(plan, probe, pid, true, links);
	return ret;
}

static int link_all(const struct plan *plan, pid_t pid, link_list *links)
{
	const struct plan_probe *probe;
	int ret = plan->probes.len ? 0 : -ENOENT;

	vec_for_each (&plan->probes, probe) {
		if (!ret && !probe->refused)
			ret = link_probe(plan, probe, pid, false, links);
	}
	return ret;
}

int main(int argc, char **argv)
{
	pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
	struct error err = {0};
	struct plan plan = {0};
	link_list links = {0};
	sigset_t end;
	int ret, got;

	if (pid <= 0) {
		fprintf(stderr, "usage: floor PID\n");
		return EXIT_USAGE;
	}
	sigemptyset(&end);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	ret = link_support__detect(&support, &err);
	if (!ret)
		ret = plan_heap(pid, &plan, &err);
	if (!ret)
		ret = link_all(&plan, pid, &links);
	if (ret) {
		fprintf(stderr, "floor: %s\n", err.exit_code ? err.text : strerror(-ret));
		return EXIT_FAILED;
	}
	printf("attached %zu probes\n", links.len);
	fflush(stdout);
	sigwait(&end, &got);
	/* The kernel takes the links down with the process. */
	return 0;
}
