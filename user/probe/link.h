/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uprobe links through the raw bpf(2) and perf_event_open(2) calls: libbpf 1.1 has no API for
 * uprobe_multi, and its USDT and function-name attach would parse the target's ELF file as root.
 * The kernel gets a path by descriptor and file offsets, nothing else.
 *
 * Three ways to link, the rungs of a ladder; probe/support.h tells which ones a kernel has.
 */
#ifndef PERFTRACE_PROBE_LINK_H
#define PERFTRACE_PROBE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

/* Attach types of linux/bpf.h newer than Debian 12's. */
#define ATTACH_UPROBE_MULTI   48
#define ATTACH_UPROBE_SESSION 57

enum link_method {
	LINK_SESSION, /* one program for entry and return, which decides at entry about the return
		       */
	LINK_MULTI,   /* many sites in one link, a program each for sites and for returns */
	LINK_PERF,    /* one perf event per site: detaching takes its time */
};

/* One probe: where, and what the program is told. */
struct link_site {
	uint64_t offset;	 /* in the file */
	uint64_t ref_ctr_offset; /* in the file, of the USDT semaphore; 0 = none */
	uint64_t cookie;
	int refused; /* out: 0, or the negative errno with which the kernel refused this site */
};

struct link_request {
	enum link_method method;
	bool at_return; /* LINK_MULTI, LINK_PERF: when the function returns that begins there */
	/* Loaded with the expected attach type of the method, see link_attach_type(). */
	int prog_fd;
	int object_fd;
	pid_t pid; /* only this process, all its threads; 0 = every process that maps the file */
	struct link_site *sites;
	size_t n_sites;
};

typedef VEC(int) link_list;

/* What a program must be loaded for to be linked that way. */
int link_attach_type(enum link_method method);
/* "session", "multi", "single". */
const char *link_method_name(enum link_method method);

/*
 * Links a program to all sites of one file. uprobe_multi is all or nothing, so sites that the
 * kernel refuses are found by bisection, marked in `refused`, and the rest is linked: one link per
 * run of good sites.
 *
 * The links' descriptors are added to *links, owned by the caller, who keeps those already there
 * when this fails. Returns 0 if at least one site was linked or there was none, else the negative
 * errno.
 */
int link_sites(const struct link_request *request, link_list *links);

#endif
