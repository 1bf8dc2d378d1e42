/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hit of a probe costs on this machine, measured with programs that do nothing on functions
 * of a child of our own. The kernel's price alone: what a program does at a hit comes on top.
 */
#ifndef PERFTRACE_PROBE_COSTS_H
#define PERFTRACE_PROBE_COSTS_H

#include <stdbool.h>

#include "probe/plan.h"
#include "probe/support.h"

enum probe_cost {
	COST_SITE_EMULATED, /* on an instruction that the kernel emulates */
	COST_SITE_NOP,	    /* on a one-byte nop */
	COST_SITE_STEPPED,  /* on an instruction that it single-steps */
	COST_CALL_EMULATED, /* entry and return of a function; the entry is one of these */
	COST_CALL_STEPPED,
	COST_CALL_SKIPPED, /* a session whose entry, emulated, does without the return */
	PROBE_COSTS,
};

/* Nanoseconds per hit, or per call, beyond the call itself; NAN = not measured. */
struct probe_costs {
	double ns[PROBE_COSTS];
};

/*
 * Measures by the methods that `support` makes one use. Takes 0.1 s, never more than a second; the
 * child is gone when it returns, however it ends. 0, or a negative errno and nothing but NAN.
 */
int probe_costs__measure(const struct link_support *support, struct probe_costs *out);
/*
 * The same from the cache (probe/costs_cache.h) if this machine was measured before, else measured
 * and kept there; a cache that cannot be written is none.
 */
int probe_costs__get(const struct link_support *support, struct probe_costs *out);

/* How a probe of a plan is linked; PLAN_USDT is not, its answer means nothing. */
enum link_method probe_costs__method(const struct link_support *support,
				     const struct plan_probe *probe);
/* What a hit of it costs in ns: entry and return together for HOOK_CALL. NAN = not measured. */
double probe_costs__of(const struct probe_costs *costs, const struct link_support *support,
		       const struct plan_probe *probe);

/* "site-emulated", ...: for the cache and for -v. */
const char *probe_cost_name(enum probe_cost cost);

#endif
