/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which USDT probes of a program make a span: pairs found by their names, or named by the user.
 */
#ifndef PERFTRACE_PROBE_PAIRS_H
#define PERFTRACE_PROBE_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/vec.h"

#define PAIR_ENDS_MAX 8

/*
 * One pair: a start probe and its possible ends. Names are kept as the program spells them in its
 * notes; `__` and `-` are the same thing in comparisons, as in DTrace.
 */
struct usdt_pair {
	char *provider;
	char *start;
	char *ends[PAIR_ENDS_MAX];
	size_t n_ends;
	char *span_name; /* provider.base: "postgresql.query" */
};

typedef VEC(struct usdt_pair) usdt_pair_list;

/* A probe's name as it stands in a note. Repeated sites of one probe may be listed repeatedly. */
struct usdt_name {
	const char *provider, *name;
};

/* What the user asked for with -u; an empty list means: every pair that is found. */
struct pair_rule {
	char *provider; /* may be a glob */
	char *start;	/* a probe's name, or a glob over pairs when n_ends is 0 */
	char *ends[PAIR_ENDS_MAX];
	size_t n_ends;
};

typedef VEC(struct pair_rule) pair_rule_list;

/* Parses "PROVIDER:START..END|END2" or "PROVIDER:GLOB". */
int pair_rule__parse(const char *text, pair_rule_list *rules, struct error *err);
void pair_rules__free(pair_rule_list *rules);

/*
 * Finds the pairs among `names` (of one object), sorted by span name. Returns 0 or -ENOMEM. Own
 * macros (provider "perftrace") are no pairs and are skipped.
 */
int usdt_pairs__find(const struct usdt_name *names, size_t n, const pair_rule_list *rules,
		     usdt_pair_list *out);
void usdt_pairs__free(usdt_pair_list *list);

/* Are two probe names the same, `__` and `-` taken as one? */
bool usdt_name__equal(const char *a, const char *b);

#define PERFTRACE_PROVIDER "perftrace"

#endif
