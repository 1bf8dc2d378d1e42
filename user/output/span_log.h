/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timing log: one line per span, checkpoint or event.
 *
 *	[14:23:45.124] [ThreadId(4250)/worker-1]   ec2.describe: 234.56ms (us-east-1)
 *	[14:23:46.360] [ThreadId(4250)/worker-1] [mem: 245.3MB] CHECKPOINT: done - 314 resources
 *	[14:23:46.361] [ThreadId(4250)/worker-1] [CACHE] GET_HIT key
 *
 * The functions append to `out`, without a newline. Text of the target is escaped (output/vis.h).
 */
#ifndef PERFTRACE_OUTPUT_SPAN_LOG_H
#define PERFTRACE_OUTPUT_SPAN_LOG_H

#include "base/strbuf.h"
#include "model/span_tree.h"
#include "output/run_info.h"

/* "# perftrace VERSION  DATE TIME ZONE  host HOST  target PID EXE" */
void span_log__header(struct strbuf *out, const struct run_info *run);
/* Stamped with its start, or its end in SPAN_ORDER_END. */
void span_log__span(struct strbuf *out, const struct run_info *run, const struct span *span,
		    enum span_order order);
/*
 * Growth follows a checkpoint's context if it is known and larger than its error bound; the
 * [mem] field is left out when the memory is unknown.
 */
void span_log__mark(struct strbuf *out, const struct run_info *run, const struct mark *mark);
/* Either of the two. */
void span_log__line(struct strbuf *out, const struct run_info *run, const struct span_line *line,
		    enum span_order order);

#endif
