// SPDX-License-Identifier: BSD-2-Clause
#include "probe/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>

#include "base/notice.h"
#include "probe/link_perf.h"

#define FLAG_MULTI_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */

/*
 * The uprobe_multi arm of union bpf_attr for BPF_LINK_CREATE (linux/bpf.h of 6.6). Spelled out
 * because Debian 12's header is older than the kernels we meet.
 */
struct link_create_uprobe_multi {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t link_flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t count;
	uint32_t flags;
	uint32_t pid;
	uint32_t pad;
};

struct arrays {
	uint64_t *offsets, *ref_ctrs, *cookies;
};

struct linker {
	const struct link_request *request;
	char path[64];
	struct arrays arrays;
	bool any_ref_ctr;
	link_list *links;
	size_t linked; /* sites */
	int last_error;
};

int link_attach_type(enum link_method method)
{
	switch (method) {
	case LINK_SESSION:
		return ATTACH_UPROBE_SESSION;
	case LINK_MULTI:
		return ATTACH_UPROBE_MULTI;
	default:
		return 0;
	}
}

const char *link_method_name(enum link_method method)
{
	static const char *const names[] = {"session", "multi", "single"};

	return names[method];
}

static int create_multi(struct linker *l, size_t first, size_t n)
{
	const struct link_request *r = l->request;
	struct link_create_uprobe_multi attr = {
		.prog_fd = r->prog_fd,
		.attach_type = link_attach_type(r->method),
		.path = (uintptr_t)l->path,
		.offsets = (uintptr_t)(l->arrays.offsets + first),
		.cookies = (uintptr_t)(l->arrays.cookies + first),
		.ref_ctr_offsets = l->any_ref_ctr ? (uintptr_t)(l->arrays.ref_ctrs + first) : 0,
		.count = n,
		.flags = r->at_return ? FLAG_MULTI_RETURN : 0,
		.pid = r->pid,
	};
	int fd;

	do {
		/* The kernel takes any size that covers the arm it reads. */
		fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	} while (fd < 0 && errno == EAGAIN);
	return fd < 0 ? -errno : fd;
}

/* One link for the sites from `first` on; LINK_PERF makes links of one site only. */
static int create_link(struct linker *l, size_t first, size_t n)
{
	const struct link_request *r = l->request;

	if (r->method != LINK_PERF)
		return create_multi(l, first, n);
	return n == 1 ? link_perf(r->prog_fd, l->path, r->pid, r->at_return, &r->sites[first])
		      : -E2BIG;
}

/* Errors that no smaller set of sites would cure. */
static bool is_hopeless(int err)
{
	return err == -EPERM || err == -EACCES || err == -ENOMEM || err == -ESRCH ||
	       err == -EMFILE || err == -ENFILE || err == -ENOENT;
}

static void refuse(struct linker *l, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		l->request->sites[i].refused = l->last_error;
}

static void link_range(struct linker *l, size_t first, size_t n)
{
	int fd = create_link(l, first, n);

	if (fd >= 0) {
		int *slot = vec_push(l->links);

		if (slot) {
			*slot = fd;
			l->linked += n;
			return;
		}
		close(fd);
		fd = -ENOMEM;
	}
	l->last_error = fd;
	notice(NOTICE_DETAIL, "%zu probe sites refused for %d: %s", n, l->request->pid,
	       strerror(-fd));
	if (n == 1 || is_hopeless(fd)) {
		refuse(l, first, n);
		return;
	}
	link_range(l, first, n / 2);
	if (is_hopeless(l->last_error))
		refuse(l, first + n / 2, n - n / 2);
	else
		link_range(l, first + n / 2, n - n / 2);
}

int link_sites(const struct link_request *request, link_list *links)
{
	size_t n = request->n_sites;
	struct linker l = {.request = request, .links = links};
	uint64_t *block;

	if (!n)
		return 0;
	block = calloc(n, 3 * sizeof(*block));
	if (!block)
		return -ENOMEM;
	l.arrays = (struct arrays){block, block + n, block + 2 * n};
	for (size_t i = 0; i < n; i++) {
		struct link_site *site = &request->sites[i];

		l.arrays.offsets[i] = site->offset;
		l.arrays.ref_ctrs[i] = site->ref_ctr_offset;
		l.arrays.cookies[i] = site->cookie;
		l.any_ref_ctr |= site->ref_ctr_offset != 0;
		site->refused = 0;
	}
	snprintf(l.path, sizeof(l.path), "/proc/self/fd/%d", request->object_fd);
	link_range(&l, 0, n);
	free(block);
	return l.linked ? 0 : l.last_error;
}
