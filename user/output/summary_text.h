/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a live run on one screen: SPANS, MEMORY, LEAKS, DATA, COST, NEXT. */
#ifndef PERFTRACE_OUTPUT_SUMMARY_TEXT_H
#define PERFTRACE_OUTPUT_SUMMARY_TEXT_H

#include "base/strbuf.h"
#include "model/span_stats.h"
#include "output/leaks_report.h"
#include "output/text_parts.h"

struct summary {
	struct leaks_report facts;
	const struct span_stats *stats; /* NULL = spans were not traced */
	size_t max_spans;		/* rows of the table, 0 = 15 */
	size_t max_candidates;		/* 0 = 5 */
};

/* Appends the screen. 0 or -ENOMEM. */
int summary_text(struct strbuf *out, const struct summary *summary, const struct text_style *style);

#endif
