// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "stack/extents.h"

#define PLACES	 1000
#define BOUNDARY 64
#define RUNS	 200

struct run {
	uint32_t first, n;
};

static void no_run_crosses_the_boundary(void **state)
{
	struct extents e = {0};
	uint32_t first;

	assert_int_equal(extents__init(&e, 3 * BOUNDARY, BOUNDARY), 0);
	assert_false(extents__take(&e, BOUNDARY + 1, &first));
	assert_true(extents__take(&e, 40, &first));
	assert_int_equal(first, 0);
	assert_true(extents__take(&e, 40, &first)); /* 24 are left before the boundary */
	assert_int_equal(first, BOUNDARY);
	assert_true(extents__take(&e, 24, &first));
	assert_int_equal(first, 40);
	assert_int_equal(e.left, 3 * BOUNDARY - 104);
	extents__free(&e);
}

static void what_is_given_back_joins_its_neighbours(void **state)
{
	struct extents e = {0};
	uint32_t a, b, c, all;

	assert_int_equal(extents__init(&e, 30, 0), 0);
	assert_true(extents__take(&e, 10, &a) && extents__take(&e, 10, &b) &&
		    extents__take(&e, 10, &c));
	assert_false(extents__take(&e, 1, &all));
	extents__give(&e, c, 10);
	extents__give(&e, a, 10);
	assert_false(extents__take(&e, 11, &all));
	extents__give(&e, b, 10);
	assert_true(extents__take(&e, 30, &all));
	assert_int_equal(e.left, 0);
	extents__free(&e);
}

/* Against a map of single places; `boundary` 0 = none. */
static void holds_against_a_model(uint32_t boundary)
{
	struct run runs[RUNS] = {0};
	bool used[PLACES] = {0};
	struct extents e = {0};
	uint64_t left = PLACES;

	srand(7);
	assert_int_equal(extents__init(&e, PLACES, boundary), 0);
	for (int step = 0; step < 20000; step++) {
		struct run *r = &runs[rand() % RUNS];
		uint32_t n = 1 + rand() % 50;

		if (r->n) {
			extents__give(&e, r->first, r->n);
			memset(&used[r->first], 0, r->n);
			left += r->n;
			r->n = 0;
		} else if (extents__take(&e, n, &r->first)) {
			r->n = n;
			left -= n;
			assert_in_range(r->first + n, n, PLACES);
			assert_null(memchr(&used[r->first], 1, n));
			memset(&used[r->first], 1, n);
			if (boundary)
				assert_int_equal(r->first / boundary,
						 (r->first + n - 1) / boundary);
		}
		assert_int_equal(e.left, left);
	}
	for (int i = 0; i < RUNS; i++)
		if (runs[i].n)
			extents__give(&e, runs[i].first, runs[i].n);
	assert_int_equal(e.free.len, boundary ? (PLACES + boundary - 1) / boundary : 1);
	extents__free(&e);
}

static void random_runs(void **state)
{
	holds_against_a_model(0);
	holds_against_a_model(BOUNDARY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_run_crosses_the_boundary),
		cmocka_unit_test(what_is_given_back_joins_its_neighbours),
		cmocka_unit_test(random_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
