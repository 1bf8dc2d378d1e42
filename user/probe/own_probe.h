/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest BPF program that can be linked, and a place of our own to link it to: for finding
 * out what this kernel can do, and what it costs, before anything touches a target.
 */
#ifndef PERFTRACE_PROBE_OWN_PROBE_H
#define PERFTRACE_PROBE_OWN_PROBE_H

#include <stdint.h>

#include "probe/link.h"

/* A number that own programs add to. */
struct own_counter {
	int map;
	volatile uint64_t *value;
};

int own_counter__open(struct own_counter *c);
void own_counter__close(struct own_counter *c);

/*
 * A program that answers `answer`, and before that adds 1 to `counter` unless that is NULL; for
 * links of `method`. Its descriptor, or a negative errno.
 */
int own_program__load(enum link_method method, int answer, const struct own_counter *counter);

/*
 * The place of a function of this program in its file, which is opened: the caller closes
 * *object_fd. Only offset is set in *site.
 */
int own_site__open(void (*function)(void), struct link_site *site, int *object_fd);

/* Functions to probe: they do nothing. */
void own_target_push(void);    /* begins with a push, which is emulated */
void own_target_stepped(void); /* begins with an instruction that has to be single-stepped */
void own_target_nop(void);     /* begins with a one-byte nop, as USDT sites are */
/* More of the first two, for probes at the same time. */
void own_call_push(void);
void own_call_stepped(void);
void own_call_skipped(void); /* begins with a push */

#endif
