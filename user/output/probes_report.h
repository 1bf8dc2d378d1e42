/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which probes there are or would be in a process, and what they cost: the document
 * "perftrace/probes/1" and its table.
 */
#ifndef PERFTRACE_OUTPUT_PROBES_REPORT_H
#define PERFTRACE_OUTPUT_PROBES_REPORT_H

#include "base/strbuf.h"
#include "base/vec.h"
#include "output/run_info.h"
#include "output/text_parts.h"

/* One probe; all strings are borrowed, NULL = none or unknown. */
struct probe_row {
	const char *kind; /* "alloc", "span", "mark", "function", "loader", "usdt" */
	const char *object;
	const char *symbol;
	uint64_t offset, site_offset; /* in the object's file */
	const char *instruction;
	const char *method; /* "session", "multi", "single"; NULL = not attached, or unknown */
	double expected_ns; /* the kernel's price of a hit; NAN = not attached, or unknown */
	const char *why;    /* why the site is where it is */
	const char *refused;
};

/* What the probes cost together, where nothing is hidden by a GLOB; NAN = unknown, or none. */
struct probe_totals {
	size_t probes, refused;
	double malloc_free_ns;		 /* a call of malloc and one of free */
	double span_min_ns, span_max_ns; /* start and end of the cheapest and the dearest kind */
};

struct probes_report {
	struct run_target target;
	const char *command; /* "-p", "leaks -p": what NEXT suggests */
	bool heap, spans;    /* what was looked for */
	uint32_t cpu_hz;     /* samples a second on each CPU, which need no probes; 0 = none */
	size_t span_pairs, functions;
	bool own_macros;
	VEC(struct probe_row) rows;
	struct probe_totals totals;
	const char *costs_missing; /* why no price is known; NULL = they are */
};

/* Append; 0 or -ENOMEM. */
int probes_json(struct strbuf *out, const struct probes_report *report);
int probes_text(struct strbuf *out, const struct probes_report *report,
		const struct text_style *style);

#endif
