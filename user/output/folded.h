/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folded stacks, the input of flame graph tools (Brendan Gregg's stackcollapse-*.pl): one line per
 * stack, "THREAD;OUTERMOST;...;INNERMOST SAMPLES", each stack once, most samples first. Kernel
 * frames end in "_[k]". Code without a name is its module in brackets. Stacks that are not complete
 * have "[incomplete]" as their root, so that they do not pass for roots of their own.
 *
 * Names are escaped as in output/vis.h, and a semicolon as \073.
 */
#ifndef PERFTRACE_OUTPUT_FOLDED_H
#define PERFTRACE_OUTPUT_FOLDED_H

#include "base/strbuf.h"
#include "model/profile.h"

/* Appends; 0 or -ENOMEM. */
int folded(struct strbuf *out, const struct profile *profile);

#endif
