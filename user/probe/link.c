// SPDX-License-Identifier: BSD-2-Clause
#include "probe/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>

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
	int prog_fd, attach_type, pid;
	char path[64];
	struct link_site *sites;
	struct arrays arrays;
	bool any_ref_ctr;
	int *links;
	size_t max_links, n_links;
	int last_error;
};

static int create_link(struct linker *l, size_t first, size_t n)
{
	struct link_create_uprobe_multi attr = {
		.prog_fd = l->prog_fd,
		.attach_type = l->attach_type,
		.path = (uintptr_t)l->path,
		.offsets = (uintptr_t)(l->arrays.offsets + first),
		.cookies = (uintptr_t)(l->arrays.cookies + first),
		.ref_ctr_offsets = l->any_ref_ctr ? (uintptr_t)(l->arrays.ref_ctrs + first) : 0,
		.count = n,
		.pid = l->pid,
	};
	int fd;

	do {
		/* The kernel takes any size that covers the arm it reads. */
		fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	} while (fd < 0 && errno == EAGAIN);
	return fd < 0 ? -errno : fd;
}

/* Errors that no smaller set of sites would cure. */
static bool is_hopeless(int err)
{
	return err == -EPERM || err == -EACCES || err == -ENOMEM || err == -ESRCH ||
	       err == -EMFILE || err == -ENOENT;
}

static void link_range(struct linker *l, size_t first, size_t n)
{
	int fd;

	if (!n)
		return;
	if (l->n_links == l->max_links) {
		l->last_error = -ENOSPC;
	} else {
		fd = create_link(l, first, n);
		if (fd >= 0) {
			l->links[l->n_links++] = fd;
			return;
		}
		l->last_error = fd;
	}
	if (n == 1 || is_hopeless(l->last_error) || l->last_error == -ENOSPC) {
		for (size_t i = first; i < first + n; i++)
			l->sites[i].refused = l->last_error;
		return;
	}
	link_range(l, first, n / 2);
	link_range(l, first + n / 2, n - n / 2);
}

int link_sites(int prog_fd, int attach_type, int object_fd, int pid, struct link_site *sites,
	       size_t n_sites, int *links, size_t max_links, size_t *n_links)
{
	struct linker l = {
		.prog_fd = prog_fd,
		.attach_type = attach_type,
		.pid = pid,
		.sites = sites,
		.links = links,
		.max_links = max_links,
	};
	uint64_t *block;

	*n_links = 0;
	if (!n_sites)
		return 0;
	block = calloc(n_sites, 3 * sizeof(*block));
	if (!block)
		return -ENOMEM;
	l.arrays = (struct arrays){block, block + n_sites, block + 2 * n_sites};
	for (size_t i = 0; i < n_sites; i++) {
		l.arrays.offsets[i] = sites[i].offset;
		l.arrays.ref_ctrs[i] = sites[i].ref_ctr_offset;
		l.arrays.cookies[i] = sites[i].cookie;
		l.any_ref_ctr |= sites[i].ref_ctr_offset != 0;
		sites[i].refused = 0;
	}
	snprintf(l.path, sizeof(l.path), "/proc/self/fd/%d", object_fd);
	link_range(&l, 0, n_sites);
	free(block);
	*n_links = l.n_links;
	return l.n_links ? 0 : l.last_error;
}
