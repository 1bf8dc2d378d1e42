/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uprobe links through the raw bpf(2) call: libbpf 1.1 has no API for uprobe_multi, and its USDT
 * and function-name attach would parse the target's ELF file as root. The kernel gets a path by
 * descriptor and file offsets, nothing else.
 */
#ifndef PERFTRACE_PROBE_LINK_H
#define PERFTRACE_PROBE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Attach types of linux/bpf.h newer than Debian 12's. */
#define ATTACH_UPROBE_MULTI   48
#define ATTACH_UPROBE_SESSION 57

/* One probe: where, and what the program is told. */
struct link_site {
	uint64_t offset;	 /* in the file */
	uint64_t ref_ctr_offset; /* in the file, of the USDT semaphore; 0 = none */
	uint64_t cookie;
	int refused; /* out: 0, or the negative errno with which the kernel refused this site */
};

/*
 * Links `prog_fd` (loaded with the expected attach type `attach_type`) to all sites of one file.
 * uprobe_multi is all or nothing, so sites that the kernel refuses are found by bisection, marked
 * in `refused`, and the rest is linked: one link per run of good sites.
 *
 * `object_fd`: the file. `pid`: only this process, 0: every process that maps the file.
 * `links`: receives at most `max_links` descriptors, owned by the caller; *n_links says how many.
 * Returns 0 if at least one site was linked, else the negative errno.
 */
int link_sites(int prog_fd, int attach_type, int object_fd, int pid, struct link_site *sites,
	       size_t n_sites, int *links, size_t max_links, size_t *n_links);

#endif
