// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/pairs.h"

#define NAMES_MAX 128

/* Names as a target's notes bring them, in one allocation each. */
struct name_list {
	char *texts[NAMES_MAX];
	struct usdt_name names[NAMES_MAX];
	size_t n;
};

static void add_name(struct name_list *list, const char *provider, const char *name)
{
	char *text;

	assert_true(list->n < NAMES_MAX);
	assert_true(asprintf(&text, "%s%c%s", provider, 0, name) > 0);
	list->texts[list->n] = text;
	list->names[list->n].provider = text;
	list->names[list->n].name = text + strlen(provider) + 1;
	list->n++;
}

static void free_names(struct name_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->texts[i]);
	list->n = 0;
}

/* The pairs as "name=start..end|end name=..." for one comparison. */
static char *describe(const usdt_pair_list *pairs)
{
	const struct usdt_pair *pair;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	vec_for_each (pairs, pair) {
		fprintf(out, "%s%s=%s..", pair == pairs->data ? "" : " ", pair->span_name,
			pair->start);
		for (size_t i = 0; i < pair->n_ends; i++)
			fprintf(out, "%s%s", i ? "|" : "", pair->ends[i]);
	}
	fclose(out);
	return text;
}

static void assert_found(const struct name_list *list, const pair_rule_list *rules,
			 const char *want)
{
	usdt_pair_list pairs = {0};
	char *got;

	assert_int_equal(usdt_pairs__find(list->names, list->n, rules, &pairs), 0);
	got = describe(&pairs);
	assert_string_equal(got, want);
	free(got);
	usdt_pairs__free(&pairs);
	assert_int_equal(pairs.len, 0);
}

/* Finds the pairs of "p:NAME NAME ..." by words alone. */
static void assert_pairs(const char *names, const char *want)
{
	struct name_list list = {0};
	char copy[512], *name, *save = NULL;

	snprintf(copy, sizeof(copy), "%s", names);
	for (name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save))
		add_name(&list, "p", name);
	assert_found(&list, NULL, want);
	free_names(&list);
}

static void words(void **state)
{
	static const char *const starts[][2] = {
		{"start", "done"},    {"start", "end"},	       {"start", "stop"},
		{"start", "finish"},  {"start", "finished"},   {"start", "complete"},
		{"start", "commit"},  {"start", "abort"},      {"start", "rollback"},
		{"start", "return"},  {"start", "exit"},       {"start", "completed"},
		{"begin", "end"},     {"begin", "done"},       {"begin", "finish"},
		{"begin", "commit"},  {"entry", "return"},     {"entry", "exit"},
		{"entry", "done"},    {"enter", "exit"},       {"enter", "leave"},
		{"enter", "return"},  {"send", "recv"},	       {"send", "receive"},
		{"request", "reply"}, {"request", "response"},
	};
	static const char *const separators[] = {"__", "-", "_"};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		for (size_t s = 0; s < 3; s++) {
			char names[64], want[128];

			snprintf(names, sizeof(names), "op%s%s op%s%s", separators[s], starts[i][0],
				 separators[s], starts[i][1]);
			snprintf(want, sizeof(want), "p.op=op%s%s..op%s%s", separators[s],
				 starts[i][0], separators[s], starts[i][1]);
			assert_pairs(names, want);
		}
	}
}

static void no_pairs(void **state)
{
	assert_pairs("", "");
	assert_pairs("op__start", "");
	assert_pairs("op__done", "");
	/* An end needs its own base and its own word list. */
	assert_pairs("op__start other__done", "");
	assert_pairs("op__entry op__end", "");
	assert_pairs("op__begin op__return", "");
	/* A word, not the end of another word, and not all of the name. */
	assert_pairs("opstart opdone", "");
	assert_pairs("restart redone", "");
	assert_pairs("start done", "");
	assert_pairs("__start __done", "");
	assert_pairs("_start _done", "");
	assert_pairs("op__startx op__donex", "");
	/* Longest ends that look alike are others. */
	assert_pairs("op__start op__done__early", "");
}

static void separators(void **state)
{
	/* `__` and `-` are one, as DTrace has it; a single underscore is another. */
	assert_pairs("a__b__start a-b-done", "p.a-b=a__b__start..a-b-done");
	assert_pairs("a_b_start a_b_done", "p.a_b=a_b_start..a_b_done");
	assert_pairs("a_b__start a_b_done", "");
	assert_true(usdt_name__equal("query__start", "query-start"));
	assert_true(usdt_name__equal("a__b-c", "a-b__c"));
	assert_false(usdt_name__equal("query_start", "query-start"));
	assert_false(usdt_name__equal("query__start", "query__starts"));
	assert_false(usdt_name__equal("", "-"));
}

static void several_ends(void **state)
{
	assert_pairs("t__start t__commit t__abort", "p.t=t__start..t__commit|t__abort");
	assert_pairs("t__abort t__rollback t__start t__commit",
		     "p.t=t__start..t__commit|t__abort|t__rollback");
	assert_pairs("t__start t__abort", "p.t=t__start..t__abort");
	/* The first group of words that exists is taken, and only that. */
	assert_pairs("t__start t__commit t__done", "p.t=t__start..t__done");
	assert_pairs("t__start t__end t__stop", "p.t=t__start..t__end");
}

static void repeated_sites_are_one_pair(void **state)
{
	assert_pairs("s__start s__start s__done s__start s__done", "p.s=s__start..s__done");
}

static void providers_are_kept_apart(void **state)
{
	struct name_list list = {0};

	add_name(&list, "b", "op__start");
	add_name(&list, "a", "op__start");
	add_name(&list, "a", "op__done");
	assert_found(&list, NULL, "a.op=op__start..op__done");
	add_name(&list, "b", "op__done");
	/* Sorted by span name. */
	assert_found(&list, NULL, "a.op=op__start..op__done b.op=op__start..op__done");
	free_names(&list);
}

static void own_macros_are_no_pairs(void **state)
{
	struct name_list list = {0};
	pair_rule_list rules = {0};

	add_name(&list, PERFTRACE_PROVIDER, "span_start");
	add_name(&list, PERFTRACE_PROVIDER, "span_end");
	assert_found(&list, NULL, "");
	assert_int_equal(pair_rule__parse("perftrace:span_start..span_end", &rules, NULL), 0);
	assert_found(&list, &rules, "");
	pair_rules__free(&rules);
	free_names(&list);
}

/* The probes of Debian's postgresql-15 in the order of `readelf -n`, repeated sites included. */
static const char *const postgresql_probes[] = {
	"clog__checkpoint__start",
	"clog__checkpoint__done",
	"multixact__checkpoint__start",
	"multixact__checkpoint__done",
	"subtrans__checkpoint__start",
	"subtrans__checkpoint__done",
	"twophase__checkpoint__start",
	"twophase__checkpoint__done",
	"transaction__start",
	"transaction__abort",
	"transaction__commit",
	"wal__switch",
	"checkpoint__start",
	"checkpoint__done",
	"wal__buffer__write__dirty__start",
	"wal__buffer__write__dirty__done",
	"wal__insert",
	"buffer__flush__start",
	"buffer__flush__done",
	"buffer__read__start",
	"buffer__read__done",
	"buffer__read__done",
	"buffer__write__dirty__start",
	"buffer__write__dirty__done",
	"buffer__checkpoint__start",
	"buffer__checkpoint__sync__start",
	"buffer__checkpoint__done",
	"buffer__sync__start",
	"buffer__sync__written",
	"buffer__sync__done",
	"deadlock__found",
	"lock__wait__start",
	"lock__wait__done",
	"lwlock__wait__start",
	"lwlock__wait__done",
	"lwlock__acquire",
	"lwlock__condacquire__fail",
	"lwlock__condacquire",
	"lwlock__acquire__or__wait",
	"lwlock__acquire__or__wait__fail",
	"lwlock__wait__start",
	"lwlock__wait__done",
	"lwlock__wait__start",
	"lwlock__wait__done",
	"lwlock__release",
	"smgr__md__read__start",
	"smgr__md__read__done",
	"smgr__md__write__start",
	"smgr__md__write__done",
	"query__parse__start",
	"query__parse__done",
	"query__rewrite__start",
	"query__rewrite__done",
	"query__rewrite__start",
	"query__rewrite__done",
	"query__rewrite__start",
	"query__rewrite__done",
	"query__plan__start",
	"query__plan__done",
	"query__start",
	"query__done",
	"query__execute__start",
	"query__execute__done",
	"query__execute__start",
	"query__execute__done",
	"statement__status",
	"sort__start",
	"sort__start",
	"sort__start",
	"sort__start",
	"sort__done",
};

static void add_postgresql(struct name_list *list)
{
	for (size_t i = 0; i < sizeof(postgresql_probes) / sizeof(postgresql_probes[0]); i++)
		add_name(list, "postgresql", postgresql_probes[i]);
}

static void assert_span_names(const struct name_list *list, const pair_rule_list *rules,
			      const char *const *want, size_t n)
{
	usdt_pair_list pairs = {0};

	assert_int_equal(usdt_pairs__find(list->names, list->n, rules, &pairs), 0);
	for (size_t i = 0; i < n && i < pairs.len; i++)
		assert_string_equal(pairs.data[i].span_name, want[i]);
	assert_int_equal(pairs.len, n);
	usdt_pairs__free(&pairs);
}

static void postgresql(void **state)
{
	static const char *const want[] = {
		"postgresql.buffer-checkpoint",
		"postgresql.buffer-flush",
		"postgresql.buffer-read",
		"postgresql.buffer-sync",
		"postgresql.buffer-write-dirty",
		"postgresql.checkpoint",
		"postgresql.clog-checkpoint",
		"postgresql.lock-wait",
		"postgresql.lwlock-wait",
		"postgresql.multixact-checkpoint",
		"postgresql.query",
		"postgresql.query-execute",
		"postgresql.query-parse",
		"postgresql.query-plan",
		"postgresql.query-rewrite",
		"postgresql.smgr-md-read",
		"postgresql.smgr-md-write",
		"postgresql.sort",
		"postgresql.subtrans-checkpoint",
		"postgresql.transaction",
		"postgresql.twophase-checkpoint",
		"postgresql.wal-buffer-write-dirty",
	};
	struct name_list list = {0};
	usdt_pair_list pairs = {0};

	add_postgresql(&list);
	assert_int_equal(list.n, 71);
	assert_span_names(&list, NULL, want, sizeof(want) / sizeof(want[0]));
	assert_int_equal(usdt_pairs__find(list.names, list.n, NULL, &pairs), 0);
	for (size_t i = 0; i < pairs.len; i++) {
		size_t ends = !strcmp(pairs.data[i].span_name, "postgresql.transaction") ? 2 : 1;

		assert_int_equal(pairs.data[i].n_ends, ends);
	}
	usdt_pairs__free(&pairs);
	free_names(&list);
}

static void add_rule(pair_rule_list *rules, const char *text)
{
	struct error err = {0};

	if (pair_rule__parse(text, rules, &err))
		fail_msg("'%s': %s", text, err.text);
	assert_int_equal(err.exit_code, 0);
}

static void rules_are_parsed(void **state)
{
	pair_rule_list rules = {0};

	add_rule(&rules, "postgresql:query__start..query__done");
	add_rule(&rules, "pg*:transaction-start..transaction-commit|transaction-abort");
	add_rule(&rules, "postgresql:query*");
	assert_int_equal(rules.len, 3);
	assert_string_equal(rules.data[0].provider, "postgresql");
	assert_string_equal(rules.data[0].start, "query__start");
	assert_int_equal(rules.data[0].n_ends, 1);
	assert_string_equal(rules.data[0].ends[0], "query__done");
	assert_string_equal(rules.data[1].provider, "pg*");
	assert_int_equal(rules.data[1].n_ends, 2);
	assert_string_equal(rules.data[1].ends[0], "transaction-commit");
	assert_string_equal(rules.data[1].ends[1], "transaction-abort");
	assert_string_equal(rules.data[2].start, "query*");
	assert_int_equal(rules.data[2].n_ends, 0);
	pair_rules__free(&rules);
	assert_int_equal(rules.len, 0);
}

static void bad_rules_are_refused(void **state)
{
	static const char *const texts[] = {
		"",	 ":",	  "a",	    "a:",      ":b", "a:..",
		"a:b..", "a:..c", "a:b..|", "a:b..||", "..", "query__start..query__done",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		pair_rule_list rules = {0};
		struct error err = {0};

		if (pair_rule__parse(texts[i], &rules, &err) != -EINVAL ||
		    err.exit_code != EXIT_USAGE)
			fail_msg("'%s' was taken for a rule", texts[i]);
		/* The value is named, and what would be right. */
		assert_non_null(strstr(err.text, texts[i]));
		assert_non_null(strstr(err.text, "postgresql:query__start..query__done"));
		pair_rules__free(&rules);
	}
}

/* An end that vanished without a word would leave its spans open for ever. */
static void too_many_ends(void **state)
{
	pair_rule_list rules = {0};
	struct error err = {0};

	add_rule(&rules, "a:s..1|2|3|4|5|6|7|8");
	assert_int_equal(rules.data[0].n_ends, 8);
	assert_int_equal(pair_rule__parse("a:s..1|2|3|4|5|6|7|8|9", &rules, &err), -EINVAL);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	pair_rules__free(&rules);
}

static void a_rule_restricts(void **state)
{
	static const char *const query[] = {"postgresql.query"};
	static const char *const queries[] = {"postgresql.query", "postgresql.query-execute",
					      "postgresql.query-parse", "postgresql.query-plan",
					      "postgresql.query-rewrite"};
	struct name_list list = {0};
	pair_rule_list rules = {0};

	add_postgresql(&list);
	add_rule(&rules, "postgresql:query__start..query__done");
	assert_span_names(&list, &rules, query, 1);
	pair_rules__free(&rules);

	add_rule(&rules, "postgresql:query*");
	assert_span_names(&list, &rules, queries, 5);
	pair_rules__free(&rules);

	/* The base alone is one pair; `__` and `-` are the same in globs, too. */
	add_rule(&rules, "*:query");
	assert_span_names(&list, &rules, query, 1);
	pair_rules__free(&rules);
	add_rule(&rules, "postgresql:query__p*");
	assert_span_names(&list, &rules, queries + 2, 2);
	pair_rules__free(&rules);
	add_rule(&rules, "postgresql:query-p*");
	assert_span_names(&list, &rules, queries + 2, 2);
	pair_rules__free(&rules);

	add_rule(&rules, "mysql:*");
	assert_span_names(&list, &rules, NULL, 0);
	pair_rules__free(&rules);
	add_rule(&rules, "postgresql:nothing*");
	assert_span_names(&list, &rules, NULL, 0);
	pair_rules__free(&rules);
	free_names(&list);
}

static void rules_add_up(void **state)
{
	static const char *const want[] = {"postgresql.query", "postgresql.sort",
					   "postgresql.transaction"};
	struct name_list list = {0};
	pair_rule_list rules = {0};

	add_postgresql(&list);
	add_rule(&rules, "postgresql:query__start..query__done");
	add_rule(&rules, "postgresql:sort");
	add_rule(&rules, "p*:transaction__start");
	assert_span_names(&list, &rules, want, 3);
	pair_rules__free(&rules);
	free_names(&list);
}

/* What words would never pair; the span bears the start's base, or all of its name. */
static void a_rule_pairs_anything(void **state)
{
	struct name_list list = {0};
	pair_rule_list rules = {0};

	add_name(&list, "app", "job__taken");
	add_name(&list, "app", "job__given__back");
	add_name(&list, "app", "job__lost");
	add_name(&list, "app", "query__start");
	add_name(&list, "app", "query__done");
	add_name(&list, "app", "query__cancel");
	assert_found(&list, NULL, "app.query=query__start..query__done");
	add_rule(&rules, "a*:job-taken..job-given-back|job__lost|job__unknown");
	add_rule(&rules, "app:query-start..query-done|query-cancel");
	assert_found(&list, &rules,
		     "app.job-taken=job__taken..job__given__back|job__lost "
		     "app.query=query__start..query__done|query__cancel");
	pair_rules__free(&rules);

	/* None of the ends exists: no pair, and no other one in its place. */
	add_rule(&rules, "app:query__start..query__never");
	assert_found(&list, &rules, "");
	pair_rules__free(&rules);
	free_names(&list);
}

/* Names come from the target: of any length, with any bytes. */
static void hostile_names(void **state)
{
	struct name_list list = {0};
	usdt_pair_list pairs = {0};
	char start[1024], end[1024];

	memset(start, 'x', sizeof(start));
	memset(end, 'x', sizeof(end));
	strcpy(start + sizeof(start) - 8, "__start");
	strcpy(end + sizeof(end) - 7, "__done");
	add_name(&list, "p", start);
	add_name(&list, "p", end);
	add_name(&list, "", "__start");
	add_name(&list, "", "_start");
	add_name(&list, "p", "");
	add_name(&list, "%s%n", "%s%n__start");
	add_name(&list, "%s%n", "%s%n__done");
	assert_int_equal(usdt_pairs__find(list.names, list.n, NULL, &pairs), 0);
	assert_int_equal(pairs.len, 1);
	assert_string_equal(pairs.data[0].span_name, "%s%n.%s%n");
	usdt_pairs__free(&pairs);
	free_names(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(no_pairs),
		cmocka_unit_test(separators),
		cmocka_unit_test(several_ends),
		cmocka_unit_test(repeated_sites_are_one_pair),
		cmocka_unit_test(providers_are_kept_apart),
		cmocka_unit_test(own_macros_are_no_pairs),
		cmocka_unit_test(postgresql),
		cmocka_unit_test(rules_are_parsed),
		cmocka_unit_test(bad_rules_are_refused),
		cmocka_unit_test(too_many_ends),
		cmocka_unit_test(a_rule_restricts),
		cmocka_unit_test(rules_add_up),
		cmocka_unit_test(a_rule_pairs_anything),
		cmocka_unit_test(hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
