// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "insight/candidates.h"

#define MB (1ull << 20)

static struct heap_snapshot heap;
static struct candidates found;
static struct candidate_options options;

static int start(void **state)
{
	options = (struct candidate_options){.limits = LEAK_LIMITS_DEFAULT};
	heap.traced = true;
	heap.begin_ns = NSEC_PER_SEC;
	heap.taken_ns = 11 * NSEC_PER_SEC;
	return 0;
}

static int stop(void **state)
{
	candidates__free(&found);
	heap_snapshot__free(&heap);
	return 0;
}

static struct call_site *add(const char *function, const char *module, uint64_t blocks,
			     uint64_t bytes)
{
	struct heap_frame frames[2] = {
		{.function = "malloc", .module = "/usr/lib/libc.so.6", .offset = 1},
		{.function = function, .module = module, .offset = 2},
	};
	struct call_site *site = heap_snapshot__add_site(&heap, frames, 2);

	assert_non_null(site);
	site->allocs = blocks + 3;
	site->frees = 3;
	site->live_blocks = blocks;
	site->live_bytes = bytes;
	site->last_ns = heap.taken_ns - NSEC_PER_SEC / 2;
	return site;
}

static const struct candidate *nth(size_t i)
{
	assert_true(i < found.list.len);
	return &found.list.data[i];
}

static void find(void)
{
	assert_int_equal(candidates__find(&found, &heap, &options), 0);
}

static bool says(const struct evidence *evidence, const char *sentence)
{
	char **text;

	vec_for_each (&evidence->list, text)
		if (!strcmp(*text, sentence))
			return true;
	return false;
}

static void largest_first_and_empty_sites_never(void **state)
{
	add("small", "/bin/app", 2, 20);
	add("empty", "/bin/app", 0, 0);
	add("big", "/bin/app", 1, 300);
	find();
	assert_int_equal(found.list.len, 2);
	assert_string_equal(nth(0)->site->frames[1].function, "big");
	assert_null(nth(0)->verdict);
	assert_string_equal(nth(1)->component, "app");
	assert_true(nth(1)->average_bytes == 10.0);
	assert_true(says(&nth(1)->evidence, "5 allocated, 3 freed"));
	assert_int_equal(nth(1)->criteria, 0);
}

static void library_templates_are_not_the_caller(void **state)
{
	struct heap_frame frames[] = {
		{.function = "operator new", .module = "/usr/lib/libstdc++.so.6"},
		{.function = "std::vector<int>::reserve",
		 .module = "/bin/app",
		 .file = "/usr/include/c++/12/bits/vector.tcc",
		 .inlined = true},
		{.function = "load", .module = "/bin/app", .file = "/src/load.cc"},
	};
	struct call_site *site = heap_snapshot__add_site(&heap, frames, 3);

	assert_string_equal(call_site__caller(site)->function, "load");
	/* Better than nothing, when nothing else is there. */
	site->depth = 2;
	assert_string_equal(call_site__caller(site)->function, "std::vector<int>::reserve");
	site->depth = 1;
	assert_null(call_site__caller(site));
}

static void options_hide_and_count(void **state)
{
	for (uint64_t i = 1; i <= 5; i++)
		add("f", "/bin/app", 1, i * 100);
	options.min_bytes = 200;
	options.top = 2;
	find();
	assert_int_equal(found.list.len, 2);
	assert_int_equal(nth(1)->live_bytes, 400);
	assert_int_equal(found.hidden, 3);
	assert_int_equal(found.hidden_bytes, 600);
}

static void only_old_blocks_count_when_asked(void **state)
{
	struct call_site *site = add("f", "/bin/app", 10, 1000);

	site->aged_blocks = 2;
	site->aged_bytes = 150;
	add("young", "/bin/app", 10, 5000);
	heap.age_ns = NSEC_PER_SEC;
	find();
	assert_int_equal(found.list.len, 1);
	assert_int_equal(nth(0)->live_bytes, 150);
	assert_int_equal(nth(0)->live_blocks, 2);
}

static void growth_needs_a_second(void **state)
{
	add("f", "/bin/app", 1, MB);
	find();
	assert_true(nth(0)->growth_known);
	assert_true(nth(0)->growth_bytes_per_hour == 360.0 * MB);
	assert_true(says(&nth(0)->evidence, "grows 360.0 MB/hour (limit 10.0)"));
	candidates__free(&found);
	heap.taken_ns = heap.begin_ns + NSEC_PER_SEC - 1;
	find();
	assert_false(nth(0)->growth_known);
}

static void every_criterion_speaks_in_numbers(void **state)
{
	add("f", "/bin/app", 2000, 60 * MB);
	heap.total.live_bytes = 60 * MB;
	heap.total.peak_live_bytes = 150 * MB;
	find();
	assert_int_equal(nth(0)->criteria, 3);
	assert_true(
		says(&nth(0)->evidence, "60.0 MB live (limit 50.0), last allocation 0.5 s ago"));
	assert_true(says(&nth(0)->evidence, "2000 live blocks of 60.0 MB (limits 1000 and 1.0)"));
	assert_true(says(&found.heap_evidence,
			 "peak of 150.0 MB is 2.5 times the current 60.0 MB (limit 2.0)"));
}

static void limits_are_limits_not_triggers(void **state)
{
	struct call_site *site = add("f", "/bin/app", 1000, 50 * MB);

	heap.total.live_bytes = 10;
	heap.total.peak_live_bytes = 20;
	options.limits.growth_bytes_per_hour = 1e18;
	find();
	assert_int_equal(nth(0)->criteria, 0);
	assert_int_equal(found.heap_evidence.list.len, 0);
	candidates__free(&found);
	site->live_bytes++;
	site->last_ns = 0;
	heap.taken_ns = 100 * NSEC_PER_SEC;
	find();
	assert_int_equal(nth(0)->criteria, 0);
}

static void components_skip_the_runtime(void **state)
{
	assert_true(candidates__is_runtime_module("/lib/x86_64-linux-gnu/libc.so.6"));
	assert_true(candidates__is_runtime_module("/lib/libc-2.31.so"));
	assert_true(candidates__is_runtime_module("libstdc++.so.6.0.30"));
	assert_true(candidates__is_runtime_module("/usr/lib/libjemalloc.so.2"));
	assert_true(candidates__is_runtime_module("/lib64/ld-linux-x86-64.so.2"));
	assert_false(candidates__is_runtime_module("/usr/bin/ld"));
	assert_false(candidates__is_runtime_module("/usr/lib/libcurl.so.4"));
	assert_false(candidates__is_runtime_module("/usr/sbin/redis-server"));
}

static void a_component_falls_back_to_a_function(void **state)
{
	add("strdup", "/lib/libc.so.6", 1, 30);
	add("jit_code", NULL, 1, 20);
	add(NULL, NULL, 1, 10);
	assert_non_null(heap_snapshot__add_site(&heap, NULL, 0));
	heap.sites.data[3].live_bytes = 5;
	find();
	assert_string_equal(nth(0)->component, "malloc");
	assert_string_equal(nth(1)->component, "jit_code");
	assert_string_equal(nth(2)->component, "malloc");
	assert_null(nth(3)->component);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(largest_first_and_empty_sites_never, start, stop),
		cmocka_unit_test_setup_teardown(library_templates_are_not_the_caller, start, stop),
		cmocka_unit_test_setup_teardown(options_hide_and_count, start, stop),
		cmocka_unit_test_setup_teardown(only_old_blocks_count_when_asked, start, stop),
		cmocka_unit_test_setup_teardown(growth_needs_a_second, start, stop),
		cmocka_unit_test_setup_teardown(every_criterion_speaks_in_numbers, start, stop),
		cmocka_unit_test_setup_teardown(limits_are_limits_not_triggers, start, stop),
		cmocka_unit_test(components_skip_the_runtime),
		cmocka_unit_test_setup_teardown(a_component_falls_back_to_a_function, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
