// SPDX-License-Identifier: BSD-2-Clause
#include "session/linker.h"

#include <errno.h>

#include "abi/heap.h"
#include "base/vec.h"

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
	case PLAN_TOLD:
		return KERNEL_HEAP_TOLD;
	case PLAN_LOADER:
		return KERNEL_LOADER;
	case PLAN_FUNCTION:
		return probe->hook == HOOK_CALL ? KERNEL_FUNCTION_CALL : KERNEL_FUNCTION_SITE;
	default:
		return KERNEL_SPAN;
	}
}

/*
 * The kernel makes the probes of a link one after the other, while the program runs: ends come
 * first. An end whose start was not seen says nothing, but an allocation whose free is not seen
 * would stay in the books, and a start without its end looks like a call left by an exception.
 */
enum link_rank {
	RANK_ENDS, /* of functions, and frees */
	RANK_BOTH, /* reallocs */
	RANK_STARTS,
	RANKS,
};

static enum link_rank rank_of(const struct plan *plan, const struct plan_probe *probe)
{
	uint32_t kind = probe->cookie & HEAP_KIND_MASK;

	switch (probe->kind) {
	case PLAN_ALLOC:
		return kind == HEAP_FREES || kind == HEAP_RESULT  ? RANK_ENDS
		       : HEAP_ARGUMENT(probe->cookie, HEAP_BLOCK) ? RANK_BOTH
								  : RANK_STARTS;
	case PLAN_LOADER:
	case PLAN_USDT:
		return RANK_STARTS;
	default:
		switch (plan->sites.data[probe->cookie].role) {
		case SITE_END:
		case SITE_TOLD_FREE:
			return RANK_ENDS;
		default:
			return RANK_STARTS;
		}
	}
}

static int add_to_batch(struct batch *batch, struct plan_probe *probe)
{
	struct link_site *site = vec_push(&batch->sites);
	struct plan_probe **slot = vec_push(&batch->probes);

	if (!site || !slot)
		return -ENOMEM;
	site->offset = probe->site_offset;
	site->ref_ctr_offset = probe->ref_ctr_offset;
	site->cookie = probe->cookie;
	*slot = probe;
	return 0;
}

static int collect_batch(struct plan *plan, size_t object, enum kernel_program program,
			 struct batch *batch)
{
	struct plan_probe *probe;
	int ret = 0;

	for (enum link_rank rank = 0; rank < RANKS; rank++) {
		vec_for_each (&plan->probes, probe) {
			if (probe->object != object || probe->refused || probe->kind == PLAN_USDT ||
			    program_of(probe) != program || rank_of(plan, probe) != rank)
				continue;
			ret = add_to_batch(batch, probe);
			if (ret)
				return ret;
		}
	}
	return ret;
}

static int link_batch(const struct linker *l, size_t object, enum kernel_program program,
		      bool at_return, pid_t pid, struct batch *batch, link_list *fds)
{
	struct link_request request = {
		.at_return = at_return,
		.object_fd = l->plan->objects.data[object].fd,
		.pid = pid,
		.sites = batch->sites.data,
		.n_sites = batch->sites.len,
	};
	int ret;

	request.prog_fd = kernel__program(l->kernel, program, &request.method);
	if (request.prog_fd < 0) {
		/* Nothing of its kind was there when the programs were loaded. */
		for (size_t i = 0; i < batch->probes.len; i++)
			batch->probes.data[i]->refused =
				"found too late: its program is not loaded";
		return 0;
	}
	ret = link_sites(&request, fds);
	for (size_t i = 0; !ret && i < batch->sites.len; i++) {
		if (batch->sites.data[i].refused)
			batch->probes.data[i]->refused = "the kernel cannot probe this instruction";
	}
	return ret;
}

/* Where there are no sessions the returns are links of their own. */
static int link_returns(const struct linker *l, size_t object, enum kernel_program program,
			pid_t pid, struct batch *batch, link_list *fds)
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
		ret = link_batch(l, object, program, true, pid, &calls, fds);
	batch__free(&calls);
	return ret;
}

static int link_kind(const struct linker *l, size_t object, enum kernel_program at_site,
		     enum kernel_program at_return, pid_t pid, link_list *fds)
{
	struct batch batch = {0};
	enum link_method method;
	int ret = collect_batch(l->plan, object, at_site, &batch);

	/* Returns first, for the same reason; what is refused there is not probed at its entry. */
	if (!ret && at_return != KERNEL_PROGRAMS &&
	    kernel__program(l->kernel, at_return, &method) >= 0) {
		ret = link_returns(l, object, at_return, pid, &batch, fds);
		batch__free(&batch);
		if (!ret)
			ret = collect_batch(l->plan, object, at_site, &batch);
	}
	/* Without sessions the entry of a call is one site among others. */
	if (at_site == KERNEL_FUNCTION_CALL && kernel__program(l->kernel, at_site, &method) < 0)
		at_site = KERNEL_FUNCTION_SITE;
	if (!ret && batch.sites.len)
		ret = link_batch(l, object, at_site, false, pid, &batch, fds);
	batch__free(&batch);
	return ret;
}

int linker__heap(const struct linker *l, size_t object, pid_t pid, link_list *fds)
{
	int ret = link_kind(l, object, KERNEL_HEAP_ENTRY, KERNEL_HEAP_RETURN, pid, fds);

	return ret ? ret : link_kind(l, object, KERNEL_HEAP_TOLD, KERNEL_PROGRAMS, pid, fds);
}

int linker__others(const struct linker *l, size_t object, pid_t pid, bool returns,
		   struct link_set *links)
{
	int ret = link_kind(l, object, KERNEL_SPAN, KERNEL_PROGRAMS, pid, &links->fds);

	if (!ret)
		ret = link_kind(l, object, KERNEL_FUNCTION_SITE, KERNEL_PROGRAMS, pid, &links->fds);
	if (!ret && returns)
		ret = link_kind(l, object, KERNEL_FUNCTION_CALL, KERNEL_FUNCTION_RETURN, pid,
				&links->returns);
	return ret;
}

int linker__loader(const struct linker *l, size_t object, pid_t pid, link_list *fds)
{
	return link_kind(l, object, KERNEL_LOADER, KERNEL_PROGRAMS, pid, fds);
}
