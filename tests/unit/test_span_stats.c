// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/names.h"
#include "model/span_stats.h"

static void add(struct span_stats *stats, const char *name, uint64_t duration, uint64_t child,
		enum span_status status)
{
	struct span span = {
		.name = name,
		.status = status,
		.start_ns = 1000,
		.end_ns = 1000 + duration,
		.child_ns = child,
	};

	assert_int_equal(span_stats__add(stats, &span), 0);
}

static void equal_names_are_one_pointer(void **state)
{
	struct names *names = names__new(2);
	char text[] = "query";
	const char *a = names__intern(names, text);

	assert_ptr_not_equal(a, text);
	assert_ptr_equal(names__intern_bytes(names, "query\0rest", 10), a);
	assert_string_equal(names__intern_bytes(names, "query2", 6), "query2");
	assert_string_equal(names__intern(names, "third"), NAMES_OVERFLOW);
	assert_ptr_equal(names__intern(names, "fourth"), names__intern(names, "fifth"));
	assert_ptr_equal(names__intern(names, "query"), a);
	assert_int_equal(names__count(names), 2);
	assert_int_equal(names__overflowed(names), 3);
	names__free(names);
}

static void statuses_are_booked_apart(void **state)
{
	struct span_stats *stats = span_stats__new();
	const struct span_stat **list;
	size_t n;

	add(stats, "a", 100, 40, SPAN_OK);
	add(stats, "a", 300, 400, SPAN_WAS_UNWOUND);
	add(stats, "a", 9999, 0, SPAN_UNFINISHED);
	add(stats, "a", 9999, 0, SPAN_OPEN);
	list = span_stats__by_total(stats, &n);
	assert_int_equal(n, 1);
	assert_int_equal(list[0]->count, 2);
	assert_int_equal(list[0]->unwound, 1);
	assert_int_equal(list[0]->unfinished, 1);
	assert_int_equal(list[0]->total_ns, 400);
	assert_int_equal(list[0]->self_ns, 60);
	assert_int_equal(list[0]->min_ns, 100);
	assert_int_equal(list[0]->max_ns, 300);
	assert_int_equal(span_stat__average_ns(list[0]), 200);
	free(list);
	span_stats__free(stats);
}

static void largest_total_comes_first(void **state)
{
	struct span_stats *stats = span_stats__new();
	const struct span_stat **list;
	static const char *const b = "b", *const a = "a", *const c = "c";
	size_t n;

	add(stats, b, 5, 0, SPAN_OK);
	add(stats, c, 500, 0, SPAN_OK);
	add(stats, a, 5, 0, SPAN_OK);
	list = span_stats__by_total(stats, &n);
	assert_int_equal(n, 3);
	assert_ptr_equal(list[0]->name, c);
	assert_ptr_equal(list[1]->name, a);
	assert_ptr_equal(list[2]->name, b);
	free(list);
	span_stats__free(stats);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Against the exact percentile of the same values, over many magnitudes. */
static void percentiles_are_within_three_percent(void **state)
{
	enum { N = 20000 };
	static uint64_t values[N];
	static const double quantiles[] = {0.5, 0.9, 0.95, 0.99, 0.999};
	struct span_stats *stats = span_stats__new();
	const struct span_stat **list;
	size_t n;

	srand(1);
	for (int i = 0; i < N; i++) {
		values[i] = 10 + (uint64_t)rand() % 1000 * (1ull << rand() % 30);
		add(stats, "x", values[i], 0, SPAN_OK);
	}
	qsort(values, N, sizeof(values[0]), compare);
	list = span_stats__by_total(stats, &n);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		size_t rank = (size_t)(quantiles[i] * N + 0.9999);
		double exact = (double)values[rank - 1];
		double got = (double)span_stat__percentile_ns(list[0], quantiles[i]);

		assert_true(got >= exact * 0.97 && got <= exact * 1.03);
	}
	free(list);
	span_stats__free(stats);
}

static void extreme_values_keep_their_place(void **state)
{
	static const uint64_t values[] = {0, 1, 31, 32, 33, 63, 64, 1ull << 40, UINT64_MAX};
	struct histogram h = {0};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct histogram one = {0};
		uint64_t got;

		assert_int_equal(histogram__add(&one, values[i]), 0);
		got = histogram__percentile(&one, 0.5);
		assert_true(got >= values[i] - values[i] / 32 &&
			    (got <= values[i] || got - values[i] <= values[i] / 32));
		histogram__free(&one);
		assert_int_equal(histogram__add(&h, values[i]), 0);
	}
	assert_int_equal(histogram__percentile(&h, 0), 0);
	assert_int_equal(h.count, 9);
	histogram__free(&h);
	assert_int_equal(histogram__percentile(&h, 0.5), 0);
}

static void one_value_is_every_percentile(void **state)
{
	struct span_stats *stats = span_stats__new();
	const struct span_stat **list;
	size_t n;

	assert_null(span_stats__by_total(stats, &n));
	add(stats, "x", 1234567, 0, SPAN_OK);
	list = span_stats__by_total(stats, &n);
	assert_int_equal(span_stat__percentile_ns(list[0], 0.5), 1234567);
	assert_int_equal(span_stat__percentile_ns(list[0], 0.999), 1234567);
	free(list);
	span_stats__free(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_names_are_one_pointer),
		cmocka_unit_test(statuses_are_booked_apart),
		cmocka_unit_test(largest_total_comes_first),
		cmocka_unit_test(percentiles_are_within_three_percent),
		cmocka_unit_test(extreme_values_keep_their_place),
		cmocka_unit_test(one_value_is_every_percentile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
