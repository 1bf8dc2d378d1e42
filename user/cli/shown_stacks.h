/* SPDX-License-Identifier: BSD-2-Clause */
/* What is only done for call stacks that a person or document will get to see. */
#ifndef PERFTRACE_CLI_SHOWN_STACKS_H
#define PERFTRACE_CLI_SHOWN_STACKS_H

#include "cli/tracing.h"
#include "insight/candidates.h"
#include "session/call_lines.h"

/*
 * File, line and inlined functions for the final report: for candidates of t->results.heap, and for
 * any stacks. Then notes tell what is missing. 0 or -ENOMEM.
 */
int shown_stacks__candidates(struct tracing *t, const struct candidates *candidates);
int shown_stacks__add_lines(struct tracing *t, const struct call_lines_stack *stacks, size_t n);

#endif
