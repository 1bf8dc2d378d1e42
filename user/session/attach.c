// SPDX-License-Identifier: BSD-2-Clause
#include "session/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/link.h"
#include "session/closer.h"

struct process_links {
	pid_t pid;
	link_list fds;
};

struct attachment {
	struct plan *plan;
	const struct kernel *kernel;
	bool executables_shared; /* executables are linked for all their processes */
	link_list shared;
	VEC(struct process_links) processes;
	struct closer *closer;
};

struct attachment *attachment__new(struct plan *plan, const struct kernel *kernel)
{
	struct attachment *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->plan = plan;
	a->kernel = kernel;
	a->closer = closer__new();
	if (a->closer)
		return a;
	free(a);
	return NULL;
}

/* The probes of one object that one program handles. */
struct batch {
	VEC(struct link_site) sites;
	VEC(struct plan_probe *) probes;
};

static void batch__free(struct batch *batch)
{
	vec_free(&batch->sites);
	vec_free(&batch->probes);
}

/* Which program sits on a probe's site. */
static enum kernel_program program_of(const struct plan_probe *probe)
{
	switch (probe->kind) {
	case PLAN_ALLOC:
		return KERNEL_HEAP_ENTRY;
	case PLAN_FUNCTION:
		return probe->hook == HOOK_CALL ? KERNEL_FUNCTION_CALL : KERNEL_FUNCTION_SITE;
	default:
		return KERNEL_SPAN;
	}
}

static int collect_batch(struct plan *plan, size_t object, enum kernel_program program,
			 struct batch *batch)
{
	struct plan_probe *probe;

	vec_for_each (&plan->probes, probe) {
		struct plan_probe **slot;
		struct link_site *site;

		if (probe->object != object || probe->refused || probe->kind == PLAN_USDT ||
		    program_of(probe) != program)
			continue;
		site = vec_push(&batch->sites);
		slot = vec_push(&batch->probes);
		if (!site || !slot)
			return -ENOMEM;
		site->offset = probe->site_offset;
		site->ref_ctr_offset = probe->ref_ctr_offset;
		site->cookie = probe->cookie;
		*slot = probe;
	}
	return 0;
}

static int link_batch(struct attachment *a, size_t object, enum kernel_program program,
		      bool at_return, pid_t pid, struct batch *batch, link_list *fds)
{
	struct link_request request = {
		.at_return = at_return,
		.object_fd = a->plan->objects.data[object].fd,
		.pid = pid,
		.sites = batch->sites.data,
		.n_sites = batch->sites.len,
	};
	int ret;

	request.prog_fd = kernel__program(a->kernel, program, &request.method);
	if (request.prog_fd < 0)
		return request.prog_fd;
	ret = link_sites(&request, fds);
	for (size_t i = 0; !ret && i < batch->sites.len; i++) {
		if (batch->sites.data[i].refused)
			batch->probes.data[i]->refused = "the kernel cannot probe this instruction";
	}
	return ret;
}

/* Where there are no sessions the returns are links of their own. */
static int link_returns(struct attachment *a, size_t object, enum kernel_program program, pid_t pid,
			struct batch *batch, link_list *fds)
{
	struct batch calls = {0};
	int ret = 0;

	for (size_t i = 0; !ret && i < batch->sites.len; i++) {
		struct plan_probe **probe;
		struct link_site *site;

		if (batch->probes.data[i]->hook != HOOK_CALL || batch->probes.data[i]->refused)
			continue;
		site = vec_push(&calls.sites);
		probe = vec_push(&calls.probes);
		if (!site || !probe) {
			ret = -ENOMEM;
			break;
		}
		*site = batch->sites.data[i];
		site->ref_ctr_offset = 0;
		*probe = batch->probes.data[i];
	}
	if (!ret && calls.sites.len)
		ret = link_batch(a, object, program, true, pid, &calls, fds);
	batch__free(&calls);
	return ret;
}

/* Links the heap's probes of one object, or all others; `pid` 0 = every process. */
static int link_object(struct attachment *a, size_t object, bool heap, pid_t pid, link_list *fds)
{
	static const struct {
		enum kernel_program at_site, at_return;
		bool heap;
	} kinds[] = {
		{KERNEL_HEAP_ENTRY, KERNEL_HEAP_RETURN, true},
		{KERNEL_SPAN, KERNEL_PROGRAMS, false},
		{KERNEL_FUNCTION_SITE, KERNEL_PROGRAMS, false},
		{KERNEL_FUNCTION_CALL, KERNEL_FUNCTION_RETURN, false},
	};
	enum link_method method;
	int ret = 0;

	for (size_t k = 0; !ret && k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		enum kernel_program at_site = kinds[k].at_site;
		struct batch batch = {0};

		if (kinds[k].heap != heap)
			continue;
		ret = collect_batch(a->plan, object, at_site, &batch);
		/* Without sessions the entry of a call is one site among others. */
		if (at_site == KERNEL_FUNCTION_CALL &&
		    kernel__program(a->kernel, at_site, &method) < 0)
			at_site = KERNEL_FUNCTION_SITE;
		if (!ret && batch.sites.len)
			ret = link_batch(a, object, at_site, false, pid, &batch, fds);
		if (!ret && kinds[k].at_return != KERNEL_PROGRAMS &&
		    kernel__program(a->kernel, kinds[k].at_return, &method) >= 0)
			ret = link_returns(a, object, kinds[k].at_return, pid, &batch, fds);
		batch__free(&batch);
	}
	return ret;
}

static int explain(int ret, const struct plan_object *object, pid_t pid, struct error *err)
{
	if (ret == -EPERM || ret == -EACCES)
		return error_set(err, EXIT_UNSUPPORTED, ret,
				 "cannot attach to %d: not permitted. Run it with sudo.", pid);
	if (ret == -EINVAL || ret == -EOPNOTSUPP)
		return error_set(
			err, EXIT_UNSUPPORTED, ret,
			"cannot attach to %s: the kernel refuses every probe site in it. perftrace "
			"probes -p %d lists them.",
			object->path, pid);
	return error_set(err, EXIT_FAILED, ret, "cannot attach to %s: %s", object->path,
			 strerror(-ret));
}

int attachment__add_executables(struct attachment *a, struct error *err)
{
	for (size_t o = 0; o < a->plan->objects.len; o++) {
		int ret = 0;

		if (!a->plan->objects.data[o].is_executable)
			continue;
		for (int heap = 0; heap <= 1 && !ret; heap++)
			ret = link_object(a, o, heap, 0, &a->shared);
		if (ret)
			return explain(ret, &a->plan->objects.data[o], 0, err);
	}
	a->executables_shared = true;
	return 0;
}

bool attachment__executables_shared(const struct attachment *a)
{
	return a->executables_shared;
}

/* Is the object linked already, for every process that maps it? */
static bool is_linked_for_all(const struct attachment *a, size_t object)
{
	return a->executables_shared && a->plan->objects.data[object].is_executable;
}

static bool is_mapped(const struct plan_object *object, const struct maps *maps)
{
	const struct mapping *m;

	vec_for_each (&maps->list, m) {
		if (m->executable && m->inode && plan_object__is_behind(object, m))
			return true;
	}
	return false;
}

int attachment__add_process(struct attachment *a, const struct process *process,
			    const struct maps *maps, struct error *err)
{
	const struct plan_allocator *allocator = plan__allocator(a->plan, process);
	struct process_links *links = vec_push(&a->processes);
	int ret = 0;

	if (!links)
		return -ENOMEM;
	links->pid = process->pid;
	for (size_t o = 0; !ret && o < a->plan->objects.len; o++) {
		if (is_linked_for_all(a, o) || !is_mapped(&a->plan->objects.data[o], maps))
			continue;
		/* Two mallocs may be mapped; only the one that serves the program is its heap. */
		if (allocator && allocator->found && allocator->object == o)
			ret = link_object(a, o, true, process->pid, &links->fds);
		if (!ret)
			ret = link_object(a, o, false, process->pid, &links->fds);
		if (ret && ret != -ESRCH)
			explain(ret, &a->plan->objects.data[o], process->pid, err);
	}
	return ret;
}

static bool any_per_process(const struct attachment *a, bool heap)
{
	const struct plan_probe *probe;

	vec_for_each (&a->plan->probes, probe) {
		if (!probe->refused && probe->kind != PLAN_USDT &&
		    !is_linked_for_all(a, probe->object) && (probe->kind == PLAN_ALLOC) == heap)
			return true;
	}
	return false;
}

bool attachment__heap_is_per_process(const struct attachment *a)
{
	return any_per_process(a, true);
}

bool attachment__spans_are_per_process(const struct attachment *a)
{
	return any_per_process(a, false);
}

void attachment__remove_process(struct attachment *a, pid_t pid)
{
	for (size_t i = 0; i < a->processes.len; i++) {
		struct process_links links = a->processes.data[i];
		int *fd;

		if (links.pid != pid)
			continue;
		a->processes.data[i] = a->processes.data[--a->processes.len];
		vec_for_each (&links.fds, fd)
			closer__close(a->closer, *fd);
		vec_free(&links.fds);
		return;
	}
}

void attachment__detach(struct attachment *a)
{
	int *fd;

	while (a->processes.len)
		attachment__remove_process(a, a->processes.data[0].pid);
	vec_for_each (&a->shared, fd)
		closer__close(a->closer, *fd);
	a->shared.len = 0;
	closer__wait(a->closer);
}

void attachment__free(struct attachment *a)
{
	if (!a)
		return;
	if (a->closer)
		attachment__detach(a);
	closer__free(a->closer);
	vec_free(&a->processes);
	vec_free(&a->shared);
	free(a);
}
