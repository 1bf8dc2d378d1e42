// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/nearest.h"

static const char *among(const char *wanted, const char *const *names)
{
	static struct nearest n;

	nearest__init(&n, wanted);
	for (; *names; names++)
		nearest__offer(&n, *names);
	return n.best;
}

static void mistyped_names_are_recognised(void **state)
{
	static const char *const names[] = {"leaks", "spans", "postgresql@15-main.service", "",
					    NULL};

	assert_string_equal(among("leeks", names), "leaks");
	assert_string_equal(among("laeks", names), "leaks");
	assert_string_equal(among("spans", names), "spans");
	assert_string_equal(among("span", names), "spans");
	assert_string_equal(among("spa*s", names), "spans");
	assert_string_equal(among("postgresql", names), "postgresql@15-main.service");
	assert_string_equal(among("nonsense", names), "");
	assert_string_equal(among("x", names), "");
	assert_string_equal(among("", names), "");
	assert_string_equal(among("*", names), "");
}

static void the_fewest_edits_win(void **state)
{
	static const char *const names[] = {"parse_query_tree", "parse_quote", "parse_query", NULL};

	assert_string_equal(among("parse_qery", names), "parse_query");
	assert_string_equal(among("parse_qoute", names), "parse_quote");
}

static void long_names_are_cut(void **state)
{
	char name[1000];
	const char *names[] = {name, "other", NULL};

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(strlen(among(name, names)), NEAREST_MAX);
	assert_string_equal(among("othre", names), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistyped_names_are_recognised),
		cmocka_unit_test(the_fewest_edits_win),
		cmocka_unit_test(long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
