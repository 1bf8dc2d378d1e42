/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of spans as JSON lines: span, checkpoint, event and sample records, and a summary as
 * the last line. Each function appends one record to `out`, without a newline, and returns 0 or
 * -ENOMEM. Ids are strings: they use all 64 bits, which a double would round.
 */
#ifndef PERFTRACE_OUTPUT_SPAN_JSON_H
#define PERFTRACE_OUTPUT_SPAN_JSON_H

#include "base/strbuf.h"
#include "model/ledger.h"
#include "model/memory.h"
#include "model/span_stats.h"
#include "model/span_tree.h"
#include "output/run_info.h"

int span_json__span(struct strbuf *out, const struct run_info *run, const struct span *span);
/* A checkpoint or an event record. */
int span_json__mark(struct strbuf *out, const struct run_info *run, const struct mark *mark);
int span_json__line(struct strbuf *out, const struct run_info *run, const struct span_line *line);
int span_json__sample(struct strbuf *out, const struct run_info *run, uint32_t pid,
		      const struct memory_sample *sample);
int span_json__summary(struct strbuf *out, const struct run_info *run,
		       const struct span_stats *stats, const struct memory_growth *rss,
		       const struct ledger *ledger);

#endif
