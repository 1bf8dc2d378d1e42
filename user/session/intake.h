/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door between the kernel's records and the model: checks each record's form, resolves names,
 * and hands on facts. A record that makes no sense is counted and ignored.
 */
#ifndef PERFTRACE_SESSION_INTAKE_H
#define PERFTRACE_SESSION_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "abi/records.h"
#include "model/names.h"
#include "model/span.h"
#include "probe/plan.h"
#include "session/kernel.h"

struct intake;

/* Facts, in the order of the records. Everything passed is borrowed for the call. */
struct intake_events {
	void (*span)(void *arg, const struct span *span);
	void (*mark)(void *arg, const struct mark *mark);
	void (*life)(void *arg, const struct life_record *record);
	void *arg;
};

/* All arguments are borrowed (events copied). NULL when out of memory. */
struct intake *intake__new(struct kernel *kernel, const struct plan *plan, struct names *names,
			   const struct intake_events *events);
void intake__free(struct intake *in);

/* One record of the ring: a kernel_record_fn with the intake as its argument. */
void intake__record(void *intake, const void *record, size_t len);
/* The scoped spans a thread has open, outermost first (session__open_spans). */
size_t intake__open_spans(struct intake *in, uint32_t pid, uint32_t tid, struct span *open,
			  size_t capacity);
/* Records that had no known form. */
uint64_t intake__malformed(const struct intake *in);
/* Bound of an RSS difference between two kernel readings, in bytes. */
uint64_t intake__rss_error_bytes(void);

#endif
