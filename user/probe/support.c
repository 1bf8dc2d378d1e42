// SPDX-License-Identifier: BSD-2-Clause
#include "probe/support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/notice.h"
#include "probe/own_probe.h"

/* One link of ours on one of our own functions. */
struct trial {
	struct own_counter counter;
	int program, object, link;
};

static void trial__end(struct trial *t)
{
	if (t->link >= 0)
		close(t->link);
	if (t->object >= 0)
		close(t->object);
	if (t->program >= 0)
		close(t->program);
	own_counter__close(&t->counter);
}

/* Links a counting program for `pid` to own_target_push(). */
static int trial__begin(struct trial *t, enum link_method method, bool at_return, pid_t pid)
{
	struct link_request request = {.method = method, .at_return = at_return, .pid = pid};
	struct link_site site = {0};
	link_list links = {0};
	int ret = own_counter__open(&t->counter);

	t->program = t->object = t->link = -1;
	if (ret)
		return ret;
	t->program = own_program__load(method, 0, &t->counter);
	ret = t->program < 0 ? t->program : own_site__open(own_target_push, &site, &t->object);
	if (!ret) {
		request.prog_fd = t->program;
		request.object_fd = t->object;
		request.sites = &site;
		request.n_sites = 1;
		ret = link_sites(&request, &links);
	}
	if (!ret)
		t->link = links.data[0];
	vec_free(&links);
	if (ret)
		trial__end(t);
	return ret;
}

static void *call_target(void *arg)
{
	own_target_push();
	return NULL;
}

/* Kernels before 6.10 took the process filter of multi links for one of the main thread. */
static bool counts_other_threads(const struct trial *t)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, call_target, NULL))
		return false;
	pthread_join(thread, NULL);
	return *t->counter.value > 0;
}

static int try(enum link_method method, bool *works)
{
	struct trial trial;
	int ret = trial__begin(&trial, method, false, getpid());

	*works = false;
	if (!ret) {
		*works = counts_other_threads(&trial);
		trial__end(&trial);
	}
	notice(NOTICE_DETAIL, "uprobes, %s links: %s", link_method_name(method),
	       *works ? "work"
	       : ret  ? strerror(-ret)
		      : "see the main thread only, not used");
	return ret;
}

/*
 * A kernel that has sessions gets as far as looking at the file, and refuses a directory with
 * EBADF. Taking a real link away again would cost a grace period, and sessions need no trial: they
 * came after the process filter was mended.
 */
static bool has_sessions(void)
{
	struct link_request request = {.method = LINK_SESSION, .pid = getpid()};
	struct link_site site = {0};
	link_list links = {0};
	int ret = -ENOENT;

	request.prog_fd = own_program__load(LINK_SESSION, 0, NULL);
	request.object_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	request.sites = &site;
	request.n_sites = 1;
	if (request.prog_fd >= 0 && request.object_fd >= 0)
		ret = link_sites(&request, &links);
	if (request.prog_fd >= 0)
		close(request.prog_fd);
	if (request.object_fd >= 0)
		close(request.object_fd);
	return ret == -EBADF;
}

/* For tests and for trouble: the best rung allowed. */
static enum link_method highest_allowed(void)
{
	const char *wanted = getenv("PERFTRACE_LINK");

	for (enum link_method m = LINK_SESSION; wanted && m <= LINK_PERF; m++) {
		if (!strcmp(wanted, link_method_name(m)))
			return m;
	}
	return LINK_SESSION;
}

int link_support__detect(struct link_support *out, struct error *err)
{
	enum link_method highest = highest_allowed();
	int ret = -EOPNOTSUPP;

	memset(out, 0, sizeof(*out));
	if (highest <= LINK_SESSION)
		out->session = out->multi = has_sessions();
	if (highest <= LINK_MULTI && !out->multi)
		try(LINK_MULTI, &out->multi);
	if (!out->multi)
		ret = try(LINK_PERF, &out->perf);
	if (out->multi || out->perf)
		return 0;
	if (ret == -EPERM || ret == -EACCES)
		return error_set(err, EXIT_UNSUPPORTED, ret,
				 "cannot link probes: not permitted. Run it with sudo; with "
				 "capabilities alone Linux 6.6 or newer is needed.");
	return error_set(err, EXIT_UNSUPPORTED, ret,
			 "cannot link probes: this kernel has no uprobes for BPF programs "
			 "(CONFIG_UPROBE_EVENTS; Linux 6.1 or newer): %s",
			 strerror(-ret));
}

enum link_method link_support__sites(const struct link_support *s)
{
	return s->multi ? LINK_MULTI : LINK_PERF;
}

enum link_method link_support__calls(const struct link_support *s)
{
	return s->session ? LINK_SESSION : link_support__sites(s);
}

/* In strict mode only read, write, exit and sigreturn are allowed; anything else is SIGKILL. */
static void run_strict_child(const int go[2])
{
	char byte;

	close(go[1]);
	if (read(go[0], &byte, 1) != 1 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(2);
	own_target_push();
	syscall(SYS_exit, 0);
}

static bool survives(struct trial *t, pid_t child, int go)
{
	int status;

	if (write(go, "g", 1) != 1 || waitpid(child, &status, 0) != child)
		return false;
	return WIFEXITED(status) && !WEXITSTATUS(status) && *t->counter.value > 0;
}

bool link_support__return_kills_seccomp(const struct link_support *s)
{
	enum link_method method = link_support__calls(s);
	struct trial trial;
	bool safe = false;
	int go[2];
	pid_t child;

	if (pipe(go))
		return true;
	child = fork();
	if (!child)
		run_strict_child(go);
	if (child > 0 && !trial__begin(&trial, method, method != LINK_SESSION, child)) {
		safe = survives(&trial, child, go[1]);
		trial__end(&trial);
	}
	close(go[0]);
	close(go[1]); /* a child that was never told to go reads the end */
	if (child > 0)
		waitpid(child, NULL, 0);
	return !safe;
}
