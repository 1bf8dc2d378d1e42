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

static int collect_batch(struct plan *plan, size_t object, bool heap, struct batch *batch)
{
	struct plan_probe *probe;

	vec_for_each (&plan->probes, probe) {
		bool is_heap = probe->kind == PLAN_ALLOC;
		struct plan_probe **slot;
		struct link_site *site;

		if (probe->object != object || probe->refused || probe->kind == PLAN_USDT ||
		    is_heap != heap)
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

/* Links the heap or the span probes of one object; `pid` 0 = every process. */
static int link_object(struct attachment *a, size_t object, bool heap, pid_t pid, link_list *fds)
{
	struct batch batch = {0};
	int ret = collect_batch(a->plan, object, heap, &batch);

	if (!ret && batch.sites.len) {
		struct link_request request = {
			.method = heap ? LINK_SESSION : LINK_MULTI,
			.prog_fd =
				heap ? kernel__heap_prog(a->kernel) : kernel__span_prog(a->kernel),
			.object_fd = a->plan->objects.data[object].fd,
			.pid = pid,
			.sites = batch.sites.data,
			.n_sites = batch.sites.len,
		};

		ret = link_sites(&request, fds);
		for (size_t i = 0; !ret && i < batch.sites.len; i++) {
			if (batch.sites.data[i].refused)
				batch.probes.data[i]->refused =
					"the kernel cannot probe this instruction";
		}
	}
	vec_free(&batch.sites);
	vec_free(&batch.probes);
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
			"cannot attach to %s: this kernel has no uprobe sessions. perftrace "
			"needs Linux 6.13 or newer.",
			object->path);
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
