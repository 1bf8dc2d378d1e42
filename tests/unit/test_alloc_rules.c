// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "abi/heap.h"
#include "probe/alloc_rules.h"
#include "probe/allocators.h"
#include "probe/place.h"

static void good_rules(void **state)
{
	static const struct {
		const char *text;
		bool frees;
		const char *object, *name;
		uint32_t description;
	} cases[] = {
		{"get", false, NULL, "get", HEAP_ALLOCATES | HEAP_SIZE(1)},
		{"get()", false, NULL, "get", HEAP_ALLOCATES | HEAP_SIZE(1)},
		{"libp.so:get", false, "libp.so", "get", HEAP_ALLOCATES | HEAP_SIZE(1)},
		{"libp.so:get(size=arg2)", false, "libp.so", "get", HEAP_ALLOCATES | HEAP_SIZE(2)},
		{"*:get(size=arg6)", false, "*", "get", HEAP_ALLOCATES | HEAP_SIZE(6)},
		{"get(count=arg2,size=arg3)", false, NULL, "get",
		 HEAP_ALLOCATES | HEAP_COUNT(2) | HEAP_SIZE(3)},
		{"get( size=arg2 , align=arg3 )", false, NULL, "get",
		 HEAP_ALLOCATES | HEAP_SIZE(2) | HEAP_ALIGN(3)},
		{"get(ptr=arg2,size=arg3)", false, NULL, "get",
		 HEAP_REALLOCATES | HEAP_BLOCK(2) | HEAP_SIZE(3)},
		{"get(old=arg2)", false, NULL, "get",
		 HEAP_REALLOCATES | HEAP_BLOCK(2) | HEAP_SIZE(1)},
		{"get(out=arg3,size=arg1)", false, NULL, "get",
		 HEAP_STORES | HEAP_OUT(3) | HEAP_SIZE(1)},
		{"put", true, NULL, "put", HEAP_FREES | HEAP_BLOCK(1) | HEAP_FORWARDS},
		{"/usr/lib/p.so:put(ptr=arg4)", true, "/usr/lib/p.so", "put",
		 HEAP_FREES | HEAP_BLOCK(4) | HEAP_FORWARDS},
		/* C++: the parentheses of a name stay with it. */
		{"ns::pool::get(unsigned long)(size=arg2)", false, NULL,
		 "ns::pool::get(unsigned long)", HEAP_ALLOCATES | HEAP_SIZE(2)},
		{"ns::get(int, char (*)(int))", false, NULL, "ns::get(int, char (*)(int))",
		 HEAP_ALLOCATES | HEAP_SIZE(1)},
		{"lib.so:ns::get", false, "lib.so", "ns::get", HEAP_ALLOCATES | HEAP_SIZE(1)},
		{"pool_*_get(size=arg2)", false, NULL, "pool_*_get", HEAP_ALLOCATES | HEAP_SIZE(2)},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		alloc_rule_list rules = {0};
		struct error err = {0};
		const struct alloc_rule *rule;

		if (alloc_rule__parse(cases[i].text, cases[i].frees, &rules, &err))
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_int_equal(rules.len, 1);
		rule = &rules.data[0];
		assert_string_equal(rule->text, cases[i].text);
		assert_string_equal(rule->target.data[0].name, cases[i].name);
		if (cases[i].object)
			assert_string_equal(rule->target.data[0].object, cases[i].object);
		else
			assert_null(rule->target.data[0].object);
		if (rule->description != cases[i].description)
			fail_msg("%s: %#x", cases[i].text, rule->description);
		assert_int_equal(rule->frees, cases[i].frees);
		alloc_rules__free(&rules);
	}
}

static void bad_rules(void **state)
{
	static const struct {
		const char *text;
		bool frees;
		const char *words;
	} cases[] = {
		{"", false, "does not name a function"},
		{"()", false, "does not name a function"},
		{"lib.so:", false, "does not name a function"},
		{":get", false, "does not name a function"},
		{"get(size=arg0)", false, "'size=arg0' is none of"},
		{"get(size=arg7)", false, "N is 1 to 6"},
		{"get(size=arg11)", false, "'size=arg11'"},
		{"get(size=2)", false, "'size=2'"},
		{"get(sizes=arg2)", false, "'sizes=arg2'"},
		{"get(size=arg2,)x(=)", false, "none of"},
		{"get(size=arg2,size=arg3)", false, "'size=arg3'"},
		{"get(size=arg2,,align=arg3)", false, "''"},
		{"get(ptr=arg2,old=arg3)", false, "'old=arg3'"},
		{"get(ptr=arg1)", false, "which argument is the size"},
		{"get(count=arg1)", false, "which argument is the size"},
		{"get(out=arg1)", false, "which argument is the size"},
		{"get(size=arg2,out=arg1,ptr=arg3)", false, "cannot be described"},
		{"put(size=arg1)", true, "'size=arg1' is none of ptr=argN"},
		{"put(old=arg1)", true, "ptr=argN"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		alloc_rule_list rules = {0};
		struct error err = {0};

		if (!alloc_rule__parse(cases[i].text, cases[i].frees, &rules, &err))
			fail_msg("'%s' was taken", cases[i].text);
		assert_int_equal(err.exit_code, EXIT_USAGE);
		if (!strstr(err.text, cases[i].words))
			fail_msg("'%s': %s", cases[i].text, err.text);
		assert_non_null(strstr(err.text, cases[i].frees ? "--free" : "--alloc"));
		alloc_rules__free(&rules);
	}
}

/* ---- the names that are known without rules ---- */

static void the_tables(void **state)
{
	const struct allocator_function *functions;
	const char *prefix;
	size_t n, families = 0;

	for (size_t f = 0; (functions = allocators__family(f, &prefix, &n)); f++) {
		for (size_t i = 0; i < n; i++) {
			uint32_t description = functions[i].description;
			uint32_t kind = description & HEAP_KIND_MASK;
			struct allocator_match match;
			char symbol[128];

			snprintf(symbol, sizeof(symbol), "%s%s", prefix, functions[i].name);
			assert_true(strlen(symbol) < 64);
			assert_true(allocators__match(symbol, strlen(symbol), &match));
			/* Whoever answers to the name, it is described alike. */
			assert_int_equal(match.function->description, description);
			assert_false(allocators__match(symbol, strlen(symbol) - 1, &match) &&
				     match.function == &functions[i]);
			if (kind == HEAP_RAISES)
				continue;
			assert_true(description >> 24 == 0);
			assert_int_equal(!!HEAP_ARGUMENT(description, HEAP_SIZE),
					 kind != HEAP_FREES);
			assert_int_equal(!!HEAP_ARGUMENT(description, HEAP_BLOCK),
					 kind == HEAP_FREES || kind == HEAP_REALLOCATES ||
						 kind == HEAP_RESIZES);
			assert_int_equal(!!HEAP_ARGUMENT(description, HEAP_OUT),
					 kind == HEAP_STORES);
			/* Only what C++ says may throw does: new without nothrow. */
			if (description & HEAP_THROWS)
				assert_non_null(strstr(symbol, "n") && !strstr(symbol, "nothrow")
							? symbol
							: NULL);
		}
		families++;
	}
	assert_true(families >= 8);
}

static void names(void **state)
{
	static const char *const none[] = {
		"",	    "m",   "mallo", "mallocs",	 "malloc_usable_size", "__libc_malloc",
		"strdup",   "mi_", "je_",   "mi_strdup", "tc_malloc_size",     "_Znwj",
		"free_list"};
	struct allocator_match match;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(allocators__match(none[i], strlen(none[i]), &match));
	/* Versions are cut off by the caller. */
	assert_true(allocators__match("memalign@@GLIBC_2.2.5", 8, &match));
	assert_int_equal(match.group, ALLOCATOR_C);
	assert_true(allocators__match("_rjem_sdallocx", 14, &match));
	assert_int_equal(match.group, ALLOCATOR_PREFIXED);
	assert_string_equal(match.label, "jemalloc (_rjem_)");
	assert_true(allocators__match("mallocx", 7, &match));
	assert_int_equal(match.group, ALLOCATOR_EXTENDED);
	assert_int_equal(description__registers(HEAP_POSIX_MEMALIGN),
			 PLACE_ARG1 | PLACE_ARG2 | PLACE_ARG3);
	assert_int_equal(description__registers(HEAP_ALLOCATES | HEAP_SIZE(4) | HEAP_ALIGN(6)),
			 PLACE_ARG4 | PLACE_ARG6);
	assert_int_equal(description__relocate(HEAP_POSIX_MEMALIGN | HEAP_THROWS,
					       (const uint8_t[]){0, 4, 2, 6, 0, 0, 0}),
			 HEAP_STORES | HEAP_OUT(4) | HEAP_ALIGN(2) | HEAP_SIZE(6) | HEAP_THROWS);
	assert_true(description__allocates(HEAP_POSIX_MEMALIGN));
	assert_false(description__allocates(HEAP_REALLOC));
	assert_true(description__frees(HEAP_FREE | HEAP_FORWARDS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_rules),
		cmocka_unit_test(bad_rules),
		cmocka_unit_test(the_tables),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
