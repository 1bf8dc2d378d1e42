// SPDX-License-Identifier: BSD-2-Clause
#include "session/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/notice.h"
#include "probe/closer.h"
#include "session/linker.h"

#define PROGRESS_MS 1000 /* a detach that takes longer says how far it is */

/* Which parts of an object's probes are linked. */
struct parts {
	bool heap, others, loader;
	uint64_t linked_ns; /* when the last link of heap and others was made; 0 = there is none */
};

struct process_links {
	pid_t pid;
	struct link_set links;
	VEC(struct parts) objects; /* by index of the plan's objects, as far as any is linked */
	uint64_t linked_ns;	   /* attachment__linked_ns() */
};

struct attachment {
	struct plan *plan;
	struct linker linker;
	enum attach_scope scope;
	struct link_set shared;
	VEC(struct parts) shared_objects; /* linked for every process; index as above */
	VEC(struct process_links) processes;
	struct closer *closer;
};

struct attachment *attachment__new(struct plan *plan, const struct kernel *kernel)
{
	struct attachment *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->plan = plan;
	a->linker = (struct linker){plan, kernel};
	a->closer = closer__new();
	if (a->closer)
		return a;
	free(a);
	return NULL;
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

/* The entry of an object in a list that grows with the plan; NULL when out of memory. */
#define parts_of(list, object)                                         \
	({                                                             \
		while ((list)->len <= (object) && vec_push(list))      \
			;                                              \
		(list)->len > (object) ? &(list)->data[object] : NULL; \
	})

static size_t links_in(const struct link_set *set)
{
	return set->fds.len + set->returns.len;
}

static bool is_shared(const struct attachment *a, size_t object)
{
	return a->scope == SHARE_EVERYTHING ||
	       (a->scope == SHARE_EXECUTABLES && a->plan->objects.data[object].is_executable);
}

/* Is the object the heap of any program? Of two mallocs mapped only one serves. */
static bool serves_anybody(const struct attachment *a, size_t object)
{
	const struct plan_allocator *allocator;

	vec_for_each (&a->plan->allocators, allocator) {
		if (plan_allocator__serves(allocator, object))
			return true;
	}
	return false;
}

static int share_object(struct attachment *a, size_t object)
{
	struct parts *done = parts_of(&a->shared_objects, object);
	size_t had = links_in(&a->shared);
	int ret = 0;

	if (!done)
		return -ENOMEM;
	if (!done->heap && serves_anybody(a, object)) {
		ret = linker__heap(&a->linker, object, 0, &a->shared.fds);
		done->heap = !ret;
	}
	if (!ret && !done->others) {
		ret = linker__others(&a->linker, object, 0, true, &a->shared);
		done->others = !ret;
	}
	if (links_in(&a->shared) > had)
		done->linked_ns = clock_monotonic_ns();
	if (!ret && !done->loader) {
		ret = linker__loader(&a->linker, object, 0, &a->shared.fds);
		done->loader = !ret;
	}
	return ret;
}

int attachment__share(struct attachment *a, enum attach_scope scope, struct error *err)
{
	a->scope = scope;
	for (size_t o = 0; o < a->plan->objects.len; o++) {
		int ret = is_shared(a, o) ? share_object(a, o) : 0;

		if (ret)
			return explain(ret, &a->plan->objects.data[o], 0, err);
	}
	return 0;
}

enum attach_scope attachment__scope(const struct attachment *a)
{
	return a->scope;
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

static struct process_links *links_of(struct attachment *a, pid_t pid)
{
	struct process_links *links;

	vec_for_each (&a->processes, links) {
		if (links->pid == pid)
			return links;
	}
	links = vec_push(&a->processes);
	if (links)
		links->pid = pid;
	return links;
}

static void close_list(struct attachment *a, link_list *list)
{
	int *fd;

	vec_for_each (list, fd)
		closer__close(a->closer, *fd);
	vec_free(list);
}

static void close_set(struct attachment *a, struct link_set *set)
{
	close_list(a, &set->fds);
	close_list(a, &set->returns);
}

/* The process has loaded code that throws, or moves stacks: no frame is safe any more. */
static void leave_returns(struct attachment *a, struct process_links *links, const char *why)
{
	if (!links->links.returns.len && !a->shared.returns.len)
		return;
	notice(NOTICE_WARNING,
	       "functions of %d are no longer traced: it has loaded more code (%s). Attached anew, "
	       "their ways out are probed.",
	       links->pid, why);
	close_list(a, &links->links.returns);
	close_list(a, &a->shared.returns);
}

/* Two mallocs may be mapped; only the one that serves the program (`heap`) is its heap. */
static int link_object(struct attachment *a, struct process_links *links, size_t object, bool heap,
		       bool returns)
{
	struct parts *done = parts_of(&links->objects, object);
	size_t had = links_in(&links->links);
	int ret = 0;

	if (!done)
		return -ENOMEM;
	if (!done->heap && heap) {
		ret = linker__heap(&a->linker, object, links->pid, &links->links.fds);
		done->heap = !ret;
	}
	if (!ret && !done->others) {
		ret = linker__others(&a->linker, object, links->pid, returns, &links->links);
		done->others = !ret;
	}
	if (links_in(&links->links) > had)
		done->linked_ns = clock_monotonic_ns();
	return ret;
}

int attachment__add_process(struct attachment *a, const struct process *process,
			    const struct maps *maps, struct error *err)
{
	const struct plan_allocator *allocator = plan__allocator(a->plan, process);
	const char *no_returns = plan__no_return_hooks(a->plan, process);
	struct process_links *links = links_of(a, process->pid);
	bool has_heap = !allocator;
	uint64_t linked_ns = 1;
	int ret = 0;

	if (!links)
		return -ENOMEM;
	if (no_returns)
		leave_returns(a, links, no_returns);
	for (size_t o = 0; o < a->plan->objects.len; o++) {
		bool shared = is_shared(a, o), heap;
		const struct parts *done;

		if (!is_mapped(&a->plan->objects.data[o], maps))
			continue;
		heap = allocator && plan_allocator__serves(allocator, o);
		ret = shared ? 0 : link_object(a, links, o, heap, !no_returns);
		if (ret && ret != -ESRCH)
			explain(ret, &a->plan->objects.data[o], process->pid, err);
		if (ret)
			return ret;
		done = shared ? parts_of(&a->shared_objects, o) : &links->objects.data[o];
		if (!done)
			return -ENOMEM;
		has_heap |= heap && done->heap;
		if (done->linked_ns > linked_ns)
			linked_ns = done->linked_ns;
	}
	links->linked_ns = has_heap ? linked_ns : 0;
	return 0;
}

uint64_t attachment__linked_ns(struct attachment *a, pid_t pid)
{
	const struct process_links *links = links_of(a, pid);

	return links ? links->linked_ns : 0;
}

bool attachment__watch_loader(struct attachment *a, const struct process *process,
			      const struct maps *maps)
{
	struct process_links *links = links_of(a, process->pid);
	size_t had = links ? links_in(&links->links) : 0;

	for (size_t o = 0; links && o < a->plan->objects.len; o++) {
		struct parts *done;

		if (is_shared(a, o) || !is_mapped(&a->plan->objects.data[o], maps))
			continue;
		done = parts_of(&links->objects, o);
		if (!done || done->loader)
			continue;
		done->loader = true;
		/* Without it new libraries are found a little later. */
		linker__loader(&a->linker, o, process->pid, &links->links.fds);
	}
	return links && links_in(&links->links) > had;
}

static bool any_per_process(const struct attachment *a, bool heap)
{
	const struct plan_probe *probe;

	vec_for_each (&a->plan->probes, probe) {
		if (!probe->refused && probe->kind != PLAN_USDT && probe->kind != PLAN_LOADER &&
		    !is_shared(a, probe->object) &&
		    (probe->kind == PLAN_ALLOC || probe->kind == PLAN_TOLD) == heap)
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

		if (links.pid != pid)
			continue;
		a->processes.data[i] = a->processes.data[--a->processes.len];
		close_set(a, &links.links);
		vec_free(&links.objects);
		return;
	}
}

void attachment__detach(struct attachment *a)
{
	size_t left;

	while (a->processes.len)
		attachment__remove_process(a, a->processes.data[0].pid);
	close_set(a, &a->shared);
	/* Where every probe is a link of its own, it takes its time: nobody should have to guess.
	 */
	while ((left = closer__wait_ms(a->closer, PROGRESS_MS)))
		notice(NOTICE_INFO, "detaching: %zu probe links to go", left);
}

void attachment__free(struct attachment *a)
{
	if (!a)
		return;
	if (a->closer)
		attachment__detach(a);
	closer__free(a->closer);
	vec_free(&a->processes);
	vec_free(&a->shared_objects);
	free(a);
}
