// SPDX-License-Identifier: BSD-2-Clause
/* Samples by function: own time, time with callees, and that nothing gets lost on the way. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "model/profile.h"

static struct profile p;

static int start(void **state)
{
	memset(&p, 0, sizeof(p));
	p.hz = 100;
	return 0;
}

static int stop(void **state)
{
	profile__free(&p);
	return 0;
}

/* A stack of one-letter functions of one module, innermost first. */
static struct profile_stack *add(const char *letters, uint64_t count)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct heap_frame frames[8];
	uint32_t depth = strlen(letters);
	struct profile_stack *stack;

	for (uint32_t i = 0; i < depth; i++)
		frames[i] = (struct heap_frame){.function = names[letters[i] - 'a'],
						.module = "/bin/app",
						.offset = 0x10 + i};
	stack = profile__add_stack(&p, frames, depth);
	assert_non_null(stack);
	stack->count = count;
	return stack;
}

static const struct profile_function *find(const char *function, const char *module)
{
	const struct profile_function *f, *found = NULL;

	vec_for_each (&p.functions, f) {
		bool named = f->function ? function && !strcmp(f->function, function) : !function;
		bool placed = f->module ? module && !strcmp(f->module, module) : !module;

		if (!named || !placed)
			continue;
		assert_null(found);
		found = f;
	}
	assert_non_null(found);
	return found;
}

static void is(const char *function, uint64_t flat, uint64_t cum)
{
	const struct profile_function *f = find(function, "/bin/app");

	assert_int_equal(f->flat, flat);
	assert_int_equal(f->cum, cum);
}

/* What must hold of every profile. */
static void settle(uint64_t samples)
{
	const struct profile_function *f;
	uint64_t flat = 0;

	assert_int_equal(profile__settle(&p), 0);
	assert_int_equal(p.samples, samples);
	vec_for_each (&p.functions, f) {
		flat += f->flat;
		assert_true(f->cum >= f->flat && f->cum <= samples && f->cum);
	}
	assert_int_equal(flat, samples);
}

static void own_and_with_callees(void **state)
{
	add("cba", 30);
	add("ba", 10);
	add("dba", 5);
	settle(45);
	assert_int_equal(p.functions.len, 4);
	is("a", 0, 45); /* the root of all */
	is("b", 10, 45);
	is("c", 30, 30);
	is("d", 5, 5);
}

static void recursion_counts_once(void **state)
{
	add("bbba", 7);
	add("abab", 2);
	settle(9);
	is("a", 2, 9);
	is("b", 7, 9);
}

static void order_is_by_own_samples(void **state)
{
	add("ca", 5);
	add("ba", 8);
	add("da", 5);
	settle(18);
	assert_string_equal(p.functions.data[0].function, "b");
	assert_string_equal(p.functions.data[1].function, "c"); /* a tie: by name */
	assert_string_equal(p.functions.data[2].function, "d");
	assert_string_equal(p.functions.data[3].function, "a");
	assert_int_equal(p.stacks.data[0].count, 8);
}

/* Names are their text; a module apart is another function, also of the same name. */
static void same_text_is_the_same_function(void **state)
{
	char copy[] = "f", path[] = "/lib/x.so";
	struct heap_frame frames[] = {{.function = "f", .module = "/lib/x.so"},
				      {.function = copy, .module = path, .offset = 9},
				      {.function = "f", .module = "/lib/y.so"},
				      {.function = "f"}};

	for (int i = 0; i < 4; i++)
		profile__add_stack(&p, &frames[i], 1)->count = 1;
	settle(4);
	assert_int_equal(p.functions.len, 3);
	assert_int_equal(find("f", "/lib/x.so")->flat, 2);
	assert_int_equal(find("f", "/lib/y.so")->flat, 1);
	assert_int_equal(find("f", NULL)->flat, 1);
}

static void a_boundary_between_texts_counts(void **state)
{
	struct heap_frame frames[] = {{.function = "bc", .module = "a"},
				      {.function = "c", .module = "ab"},
				      {.module = "abc"},
				      {.function = "abc"}};

	for (int i = 0; i < 4; i++)
		profile__add_stack(&p, &frames[i], 1)->count = 1;
	settle(4);
	assert_int_equal(p.functions.len, 4);
}

static void what_has_no_name_or_no_stack(void **state)
{
	struct heap_frame frames[] = {{.module = "/lib/x.so", .offset = 1},
				      {.module = "/lib/x.so", .offset = 2}};

	profile__add_stack(&p, frames, 2)->count = 3;
	profile__add_stack(&p, frames + 1, 1)->count = 4;
	profile__add_stack(&p, NULL, 0)->count = 5;
	settle(12);
	assert_int_equal(p.functions.len, 2);
	assert_int_equal(find(NULL, "/lib/x.so")->flat, 7);
	assert_int_equal(find(NULL, "/lib/x.so")->cum, 7);
	assert_int_equal(find(NULL, NULL)->flat, 5);
}

/* Without names they are told apart by where they start; with a name that says nothing. */
static void functions_without_name_are_told_apart(void **state)
{
	struct heap_frame frames[] = {
		{.module = "/lib/x.so", .offset = 0x101, .unnamed_start = 0x100},
		{.module = "/lib/x.so", .offset = 0x107, .unnamed_start = 0x100},
		{.module = "/lib/x.so", .offset = 0x207, .unnamed_start = 0x200},
		{.module = "/lib/x.so", .offset = 0x307},
		{.module = "/lib/x.so", .function = "f", .unnamed_start = 0x400},
		{.module = "/lib/x.so", .function = "f"},
	};

	for (uint64_t i = 0; i < 6; i++)
		profile__add_stack(&p, &frames[i], 1)->count = 1 << i;
	settle(63);
	assert_int_equal(p.functions.len, 4);
	assert_string_equal(p.functions.data[0].function, "f");
	assert_int_equal(p.functions.data[0].flat, 16 + 32);
	assert_int_equal(p.functions.data[1].unnamed_start, 0);
	assert_int_equal(p.functions.data[1].flat, 8);
	assert_int_equal(p.functions.data[2].unnamed_start, 0x200);
	assert_int_equal(p.functions.data[2].flat, 4);
	assert_int_equal(p.functions.data[3].unnamed_start, 0x100);
	assert_int_equal(p.functions.data[3].flat, 1 + 2);
}

static void the_kernel_is_apart(void **state)
{
	struct profile_stack *stack = add("aa", 6);

	stack->kernel_depth = 1;
	stack->complete = true;
	add("a", 4);
	settle(10);
	assert_int_equal(p.functions.len, 2);
	assert_true(p.functions.data[0].kernel);
	assert_int_equal(p.functions.data[0].flat, 6);
	assert_int_equal(p.functions.data[1].flat, 4);
	assert_int_equal(p.functions.data[1].cum, 10);
	assert_int_equal(p.in_kernel, 6);
	assert_int_equal(p.complete, 6);
}

static void samples_are_time(void **state)
{
	assert_int_equal(profile__time_ns(&p, 0), 0);
	assert_int_equal(profile__time_ns(&p, 150), 1500000000);
	p.hz = 1;
	assert_int_equal(profile__time_ns(&p, 1ULL << 30), (1ULL << 30) * 1000000000);
	p.hz = 0;
	assert_int_equal(profile__time_ns(&p, 5), 0);
}

static void nothing(void **state)
{
	settle(0);
	assert_int_equal(p.functions.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(own_and_with_callees, start, stop),
		cmocka_unit_test_setup_teardown(recursion_counts_once, start, stop),
		cmocka_unit_test_setup_teardown(order_is_by_own_samples, start, stop),
		cmocka_unit_test_setup_teardown(same_text_is_the_same_function, start, stop),
		cmocka_unit_test_setup_teardown(a_boundary_between_texts_counts, start, stop),
		cmocka_unit_test_setup_teardown(what_has_no_name_or_no_stack, start, stop),
		cmocka_unit_test_setup_teardown(functions_without_name_are_told_apart, start, stop),
		cmocka_unit_test_setup_teardown(the_kernel_is_apart, start, stop),
		cmocka_unit_test_setup_teardown(samples_are_time, start, stop),
		cmocka_unit_test_setup_teardown(nothing, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
