/* SPDX-License-Identifier: BSD-2-Clause */
/* The leak report as a screen: what it means, the sites with evidence, trust, what to do next. */
#ifndef PERFTRACE_OUTPUT_LEAKS_TEXT_H
#define PERFTRACE_OUTPUT_LEAKS_TEXT_H

#include "base/strbuf.h"
#include "output/leaks_report.h"
#include "output/text_parts.h"

/* Appends the report. 0 or -ENOMEM. */
int leaks_text(struct strbuf *out, const struct leaks_report *report,
	       const struct text_style *style);

/* One line per candidate, as it stands while the scan goes on. 0 or -ENOMEM. */
int leaks_text__top(struct strbuf *out, const struct run_info *run,
		    const struct heap_snapshot *heap, const struct candidates *candidates,
		    const struct text_style *style);

/* Appends the verdict in capitals, "OUTSTANDING" when nothing was judged, coloured by severity. */
void leaks_text__verdict(struct strbuf *out, const struct text_style *style,
			 const struct candidate *candidate, bool capitals);

#endif
