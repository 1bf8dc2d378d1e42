// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "output/json.h"

static struct strbuf out;
static struct json j;

static int start(void **state)
{
	json_begin(&j, &out);
	return 0;
}

static int clean(void **state)
{
	strbuf_free(&out);
	return 0;
}

static void is(const char *wanted)
{
	assert_int_equal(json_end(&j), 0);
	assert_string_equal(strbuf_str(&out), wanted);
}

static void nesting_and_commas(void **state)
{
	json_object(&j, NULL);
	json_u64(&j, "a", UINT64_MAX);
	json_array(&j, "b");
	json_i64(&j, NULL, -1);
	json_object(&j, NULL);
	json_close(&j);
	json_array(&j, NULL);
	json_close(&j);
	json_bool(&j, NULL, true);
	json_close(&j);
	json_null(&j, "c");
	json_string(&j, "d", NULL);
	json_string(&j, "e", "x");
	json_close(&j);
	is("{\"a\":18446744073709551615,\"b\":[-1,{},[],true],\"c\":null,\"d\":null,\"e\":\"x\"}");
}

static void numbers_are_numbers_or_null(void **state)
{
	json_array(&j, NULL);
	json_double(&j, NULL, 0.1);
	json_double(&j, NULL, -12345678901.5);
	json_double(&j, NULL, 1e300);
	json_double(&j, NULL, NAN);
	json_double(&j, NULL, -INFINITY);
	json_double(&j, NULL, 0.1 + 0.2);
	json_close(&j);
	is("[0.1,-12345678901.5,1e+300,null,null,0.3]");
}

static void text_is_valid_and_keeps_its_bytes(void **state)
{
	json_string_bytes(&j, NULL, "q\"\\/\n\r\t\0\x1b\x7f \xc3\xa9 \xff\xc0", 16);
	is("\"q\\\"\\\\/\\n\\r\\t\\u0000\\u001b\\u007f \xc3\xa9 \\u00ff\\u00c0\"");
}

static void terminals_are_left_alone(void **state)
{
	json_string(&j, NULL, "\xc2\x9b \xe2\x80\xae \xf0\x9f\x98\x80");
	is("\"\\u009b \\u202e \xf0\x9f\x98\x80\"");
}

static void a_failed_buffer_is_told_at_the_end(void **state)
{
	json_object(&j, NULL);
	out.failed = true;
	json_u64(&j, "a", 1);
	json_close(&j);
	assert_int_equal(json_end(&j), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nesting_and_commas, start, clean),
		cmocka_unit_test_setup_teardown(numbers_are_numbers_or_null, start, clean),
		cmocka_unit_test_setup_teardown(text_is_valid_and_keeps_its_bytes, start, clean),
		cmocka_unit_test_setup_teardown(terminals_are_left_alone, start, clean),
		cmocka_unit_test_setup_teardown(a_failed_buffer_is_told_at_the_end, start, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
