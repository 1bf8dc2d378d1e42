// SPDX-License-Identifier: BSD-2-Clause
/* The rules of all tables by number, and their numbers by content. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stack/unwind_internal.h"

/* Twice as many slots as rules: a search meets an empty one soon. */
#define SLOTS (2 * UNWIND_RULES_MAX)

struct unwind_rules {
	size_t count;
	struct unwind_rule rule[UNWIND_RULES_MAX];
	uint16_t slot[SLOTS]; /* number + 1; 0 = empty */
};

_Static_assert(sizeof(struct unwind_rule) == sizeof(uint64_t), "compared as a number");

static uint64_t content(const struct unwind_rule *rule)
{
	uint64_t n;

	memcpy(&n, rule, sizeof(n));
	return n;
}

struct unwind_rules *unwind_rules__new(void)
{
	static const struct unwind_rule none = {.cfa = UNWIND_NONE}, end = {.cfa = UNWIND_END};
	struct unwind_rules *rules = calloc(1, sizeof(*rules));

	if (!rules)
		return NULL;
	unwind_rules__number(rules, &none); /* UNWIND_RULE_NONE */
	unwind_rules__number(rules, &end);  /* UNWIND_RULE_END */
	return rules;
}

void unwind_rules__free(struct unwind_rules *rules)
{
	free(rules);
}

size_t unwind_rules__count(const struct unwind_rules *rules)
{
	return rules->count;
}

const struct unwind_rule *unwind_rules__data(const struct unwind_rules *rules)
{
	return rules->rule;
}

int unwind_rules__number(struct unwind_rules *rules, const struct unwind_rule *rule)
{
	uint64_t key = content(rule);
	size_t at = (key * 0x9e3779b97f4a7c15ULL) >> 32;

	for (;; at++) {
		uint16_t *slot = &rules->slot[at % SLOTS];

		if (*slot && content(&rules->rule[*slot - 1]) == key)
			return *slot - 1;
		if (*slot)
			continue;
		if (rules->count == UNWIND_RULES_MAX)
			return -E2BIG;
		rules->rule[rules->count++] = *rule;
		*slot = (uint16_t)rules->count;
		return *slot - 1;
	}
}
