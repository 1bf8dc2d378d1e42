/* SPDX-License-Identifier: BSD-2-Clause */
/* What could be traced in a process: the document "perftrace/probes/1" and its table. */
#ifndef PERFTRACE_OUTPUT_PROBES_REPORT_H
#define PERFTRACE_OUTPUT_PROBES_REPORT_H

#include "base/strbuf.h"
#include "base/vec.h"
#include "output/run_info.h"
#include "output/text_parts.h"

/* One probe; all strings are borrowed, NULL = none or unknown. */
struct probe_row {
	const char *kind; /* "alloc", "span", "mark", "usdt" */
	const char *object;
	const char *symbol;
	uint64_t offset, site_offset; /* in the object's file */
	const char *instruction;
	const char *method; /* "session", "multi"; NULL = not attached */
	const char *why;    /* why the site is where it is */
	const char *refused;
};

struct probes_report {
	struct run_target target;
	size_t span_pairs;
	bool own_macros;
	VEC(struct probe_row) rows;
};

/* Append; 0 or -ENOMEM. */
int probes_json(struct strbuf *out, const struct probes_report *report);
int probes_text(struct strbuf *out, const struct probes_report *report,
		const struct text_style *style);

#endif
