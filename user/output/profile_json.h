/* SPDX-License-Identifier: BSD-2-Clause */
/* The document "perftrace/cpu/1". */
#ifndef PERFTRACE_OUTPUT_PROFILE_JSON_H
#define PERFTRACE_OUTPUT_PROFILE_JSON_H

#include "output/profile_report.h"

/* Appends; 0 or -ENOMEM. */
int profile_json(struct strbuf *out, const struct profile_report *report);

#endif
