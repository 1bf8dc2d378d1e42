// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "model/memory.h"

#define MB (1024.0 * 1024.0)

static struct memory_timeline timeline;
static struct memory_growth growth;

static int reset(void **state)
{
	memset(&timeline, 0, sizeof(timeline));
	return 0;
}

static void add(double seconds, double rss_bytes)
{
	struct memory_sample sample = {.time_ns = NSEC_PER_SEC + (uint64_t)(seconds * 1e9)};

	memory_sample__set(&sample, MEMORY_RSS, (uint64_t)rss_bytes);
	memory_timeline__add(&timeline, &sample);
}

static void settle(void)
{
	assert_int_equal(memory_timeline__growth(&timeline, &growth), 0);
}

static void nothing_is_known_of_nothing(void **state)
{
	struct memory_sample blind = {.time_ns = 5};

	memory_timeline__add(&timeline, &blind);
	settle();
	assert_false(growth.known);
	assert_false(growth.slope_known);
}

static void a_slope_needs_three_samples_over_a_second(void **state)
{
	add(0, 10 * MB);
	add(5, 20 * MB);
	settle();
	assert_true(growth.known);
	assert_int_equal(growth.growth_bytes, (int64_t)(10 * MB));
	assert_false(growth.slope_known);

	reset(NULL);
	add(0, 10 * MB);
	add(0.1, 10 * MB);
	add(0.9, 20 * MB);
	settle();
	assert_false(growth.slope_known);
}

static void growth_is_linear_despite_spikes(void **state)
{
	for (int i = 0; i < 60; i++)
		add(i, 100 * MB + i * MB + (i % 10 == 7 ? 500 * MB : 0));
	settle();
	assert_true(growth.slope_known);
	assert_true(growth.slope_bytes_per_hour > 3590 * MB);
	assert_true(growth.slope_bytes_per_hour < 3610 * MB);
	assert_true(growth.slope_low <= growth.slope_bytes_per_hour);
	assert_true(growth.slope_high >= growth.slope_bytes_per_hour);
	assert_int_equal(growth.peak_bytes, (uint64_t)(657 * MB));
}

static void shrinking_is_negative(void **state)
{
	for (int i = 0; i < 10; i++)
		add(i, 100 * MB - i * MB);
	settle();
	assert_int_equal(growth.growth_bytes, (int64_t)(-9 * MB));
	assert_true(growth.slope_bytes_per_hour < -3500 * MB);
}

static void long_runs_are_thinned_out_evenly(void **state)
{
	uint64_t gap;

	for (int i = 0; i < 100000; i++)
		add(i, i * 4096.0);
	assert_true(timeline.count <= MEMORY_SAMPLES_MAX);
	assert_true(timeline.count > MEMORY_SAMPLES_MAX / 2);
	gap = timeline.samples[1].time_ns - timeline.samples[0].time_ns;
	for (size_t i = 1; i < timeline.count; i++)
		assert_int_equal(timeline.samples[i].time_ns - timeline.samples[i - 1].time_ns,
				 gap);
	settle();
	assert_int_equal(growth.start_bytes, 0);
	assert_int_equal(growth.end_bytes, 99999 * 4096ull);
	assert_true(growth.slope_bytes_per_hour > 4096 * 3599.0);
	assert_true(growth.slope_bytes_per_hour < 4096 * 3601.0);
}

static void time_does_not_run_backwards(void **state)
{
	add(5, MB);
	add(4, 2 * MB);
	add(5, 2 * MB);
	assert_int_equal(timeline.seen, 1);
}

static void unknown_fields_are_not_zero(void **state)
{
	struct memory_sample sample = {0};
	uint64_t bytes = 7;

	assert_false(memory_sample__get(&sample, MEMORY_HEAP, &bytes));
	assert_int_equal(bytes, 7);
	memory_sample__set(&sample, MEMORY_HEAP, 0);
	assert_true(memory_sample__get(&sample, MEMORY_HEAP, &bytes));
	assert_int_equal(bytes, 0);
	assert_string_equal(memory_field_name(MEMORY_STACK), "stack");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_known_of_nothing, reset),
		cmocka_unit_test_setup(a_slope_needs_three_samples_over_a_second, reset),
		cmocka_unit_test_setup(growth_is_linear_despite_spikes, reset),
		cmocka_unit_test_setup(shrinking_is_negative, reset),
		cmocka_unit_test_setup(long_runs_are_thinned_out_evenly, reset),
		cmocka_unit_test_setup(time_does_not_run_backwards, reset),
		cmocka_unit_test(unknown_fields_are_not_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
