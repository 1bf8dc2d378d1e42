/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A CPU profile to be read: what was used, the top functions by their own time, how far to trust
 * it, what to ask next.
 */
#ifndef PERFTRACE_OUTPUT_PROFILE_TEXT_H
#define PERFTRACE_OUTPUT_PROFILE_TEXT_H

#include "output/profile_report.h"
#include "output/text_parts.h"

/* Appends; 0 or -ENOMEM. */
int profile_text(struct strbuf *out, const struct profile_report *report,
		 const struct text_style *style);

#endif
