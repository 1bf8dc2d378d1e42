/* SPDX-License-Identifier: BSD-2-Clause */
/* The document "perftrace/leaks/1". */
#ifndef PERFTRACE_OUTPUT_LEAKS_JSON_H
#define PERFTRACE_OUTPUT_LEAKS_JSON_H

#include "base/strbuf.h"
#include "output/leaks_report.h"

/* Appends the document with a final newline. 0 or -ENOMEM. */
int leaks_json(struct strbuf *out, const struct leaks_report *report);

#endif
