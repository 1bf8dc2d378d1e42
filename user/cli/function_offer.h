/* SPDX-License-Identifier: BSD-2-Clause */
/* What -f asked for, held against what the target has. */
#ifndef PERFTRACE_CLI_FUNCTION_OFFER_H
#define PERFTRACE_CLI_FUNCTION_OFFER_H

#include "base/error.h"
#include "probe/plan.h"
#include "target/process.h"

/* An error, with a sentence, if a rule chose nothing. */
int function_offer__found(const struct plan *plan, const function_rule_list *rules,
			  const struct process *root, struct error *err);
/*
 * An error, with a sentence, if a rule chose nothing, if they choose too many functions, or if
 * every function they chose was refused.
 */
int function_offer__check(const struct plan *plan, const function_rule_list *rules,
			  const struct process *root, struct error *err);

#endif
