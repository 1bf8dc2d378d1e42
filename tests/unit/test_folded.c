// SPDX-License-Identifier: BSD-2-Clause
/* Folded stacks: what a flame graph tool reads is what was there, whatever names look like. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "output/folded.h"

static struct profile p;
static struct strbuf out;

static int start(void **state)
{
	memset(&p, 0, sizeof(p));
	return 0;
}

static int stop(void **state)
{
	profile__free(&p);
	strbuf_free(&out);
	return 0;
}

/* Complete, of thread "t". */
static struct profile_stack *add(const struct heap_frame *frames, uint32_t depth, uint64_t count)
{
	struct profile_stack *s = profile__add_stack(&p, frames, depth);

	assert_non_null(s);
	s->count = count;
	s->complete = true;
	strcpy(s->comm, "t");
	return s;
}

static void gives(const char *text)
{
	strbuf_reset(&out);
	assert_int_equal(folded(&out, &p), 0);
	assert_string_equal(strbuf_str(&out), text);
}

static void outermost_first_most_samples_first(void **state)
{
	static const struct heap_frame a[] = {{.function = "leaf"}, {.function = "main"}};
	static const struct heap_frame b[] = {{.function = "main"}};

	add(b, 1, 3);
	add(a, 2, 40);
	gives("t;main;leaf 40\nt;main 3\n");
}

static void functions_without_name_are_where_they_start(void **state)
{
	struct heap_frame frames[] = {
		{.module = "/lib/li;b.so", .offset = 0x107, .unnamed_start = 0x100},
		{.module = "/lib/li;b.so", .offset = 0x307},
		{.function = "main", .unnamed_start = 9},
	};

	add(frames, 3, 3);
	gives("t;main;[li\\073b.so];li\\073b.so+0x100 3\n");
}

static void same_names_are_one_line(void **state)
{
	struct heap_frame a[] = {{.function = "leaf", .offset = 1}, {.function = "main"}};

	add(a, 2, 2);
	a[0].offset = 7;
	add(a, 2, 3);
	add(a, 2, 1)->comm[0] = 'u';
	gives("t;main;leaf 5\nu;main;leaf 1\n");
}

static void the_kernels_frames_are_marked(void **state)
{
	static const struct heap_frame a[] = {{.function = "vfs_read", .module = "[kernel]"},
					      {.module = "[kernel]"},
					      {.function = "read", .module = "/lib/libc.so.6"}};

	add(a, 3, 1)->kernel_depth = 2;
	gives("t;read;[kernel]_[k];vfs_read_[k] 1\n");
}

static void code_without_a_name_is_its_module(void **state)
{
	static const struct heap_frame a[] = {
		{.module = "/opt/lib x;y.so"}, {.module = "[anon]"}, {.offset = 4}};

	add(a, 3, 1);
	gives("t;[unknown];[anon];[lib x\\073y.so] 1\n");
}

static void incomplete_stacks_are_told(void **state)
{
	static const struct heap_frame a[] = {{.function = "leaf"}};

	add(a, 1, 2)->complete = false;
	add(NULL, 0, 1);
	gives("t;[incomplete];leaf 2\nt 1\n");
}

/* Nothing that a name holds ends a frame, a line, or reaches a terminal. */
static void names_are_escaped(void **state)
{
	static const struct heap_frame a[] = {{.function = "f(int; x)\n9\t\033[31m\\ \xff"},
					      {.function = "operator()<a b>(char const*) const"}};
	struct profile_stack *s = add(a, 2, 1);

	strcpy(s->comm, "a;b\nc 7");
	gives("a\\073b\\nc 7;operator()<a b>(char const*) const;"
	      "f(int\\073 x)\\n9\\t\\033[31m\\\\ \\377 1\n");
}

static void a_long_name_is_cut(void **state)
{
	static char name[100000];
	struct heap_frame a[] = {{.function = name}};

	memset(name, ';', sizeof(name) - 1);
	add(a, 1, 1);
	assert_int_equal(folded(&out, &p), 0);
	assert_true(out.len < 2000);
}

static void nothing(void **state)
{
	gives("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(outermost_first_most_samples_first, start, stop),
		cmocka_unit_test_setup_teardown(functions_without_name_are_where_they_start, start,
						stop),
		cmocka_unit_test_setup_teardown(same_names_are_one_line, start, stop),
		cmocka_unit_test_setup_teardown(the_kernels_frames_are_marked, start, stop),
		cmocka_unit_test_setup_teardown(code_without_a_name_is_its_module, start, stop),
		cmocka_unit_test_setup_teardown(incomplete_stacks_are_told, start, stop),
		cmocka_unit_test_setup_teardown(names_are_escaped, start, stop),
		cmocka_unit_test_setup_teardown(a_long_name_is_cut, start, stop),
		cmocka_unit_test_setup_teardown(nothing, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
