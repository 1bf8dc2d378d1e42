// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "output/utf8.h"
#include "output/vis.h"

static struct strbuf out;

static int clean(void **state)
{
	strbuf_free(&out);
	return 0;
}

static void shows(const char *text, const char *wanted)
{
	strbuf_reset(&out);
	vis(&out, text, VIS_CONTEXT_MAX);
	assert_string_equal(strbuf_str(&out), wanted);
}

static void plain_text_passes(void **state)
{
	shows("std::vector<int>::push_back(int const&)", "std::vector<int>::push_back(int const&)");
	shows("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
	      "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
	shows(NULL, "");
}

static void controls_are_shown(void **state)
{
	shows("a\x1b]52;c;x\x07", "a\\033]52;c;x\\007");
	shows("1\n2\r3\t4\x7f", "1\\n2\\r3\\t4\\177");
	shows("\xc2\x9b"
	      "31m",
	      "\\302\\23331m"); /* C1 CSI as UTF-8 */
	shows("\xe2\x80\xae"
	      "cod.exe",
	      "\\342\\200\\256cod.exe");	  /* U+202E */
	shows("\xe2\x81\xa6", "\\342\\201\\246"); /* U+2066 */
	shows("\xe2\x80\xa8", "\\342\\200\\250"); /* U+2028 */
}

static void ill_formed_bytes_are_shown(void **state)
{
	shows("\xff", "\\377");
	shows("\x9b"
	      "31m",
	      "\\23331m");
	shows("\xc0\xaf", "\\300\\257");	  /* overlong */
	shows("\xe2\x82", "\\342\\202");	  /* cut off */
	shows("\xed\xa0\x80", "\\355\\240\\200"); /* surrogate */
	shows("\xf4\x90\x80\x80", "\\364\\220\\200\\200");
}

static void an_escape_cannot_be_imitated(void **state)
{
	shows("\\033", "\\\\033");
}

static void long_text_is_cut_between_characters(void **state)
{
	vis(&out, "abcdef", 4);
	assert_string_equal(strbuf_str(&out), "abcd...");
	strbuf_reset(&out);
	vis(&out, "abc\xe2\x82\xac", 4);
	assert_string_equal(strbuf_str(&out), "abc...");
	strbuf_reset(&out);
	vis(&out, "abcd", 4);
	assert_string_equal(strbuf_str(&out), "abcd");
	strbuf_reset(&out);
	vis_bytes(&out, "a\0b", 3, 100);
	assert_string_equal(strbuf_str(&out), "a\\000b");
}

static void a_comm_cannot_end_its_field(void **state)
{
	char full[16] = "0123456789abcdef";

	vis_comm(&out, "a] b: c", 16);
	assert_string_equal(strbuf_str(&out), "a\\135 b\\072 c");
	strbuf_reset(&out);
	vis_comm(&out, full, sizeof(full));
	assert_string_equal(strbuf_str(&out), "0123456789abcdef");
}

/* Whatever comes in, nothing that a terminal acts on comes out. */
static void random_bytes_come_out_harmless(void **state)
{
	srand(7);
	for (int round = 0; round < 20000; round++) {
		char text[24];
		size_t len = (size_t)rand() % sizeof(text), used = 0;

		for (size_t i = 0; i < len; i++)
			text[i] = (char)(rand() % 2 ? rand() : 0xe0 + rand() % 4);
		strbuf_reset(&out);
		vis_bytes(&out, text, len, sizeof(text));
		while (used < out.len) {
			uint32_t code;
			size_t n = utf8_next(out.data + used, out.len - used, &code);

			assert_true(n > 0);
			assert_false(utf8_is_unsafe(code));
			used += n;
		}
	}
}

static void columns_are_characters(void **state)
{
	assert_int_equal(utf8_columns("a\xe2\x82\xac\xff"), 3);
	assert_int_equal(utf8_prefix("a\xe2\x82\xac\xff", 2), 4);
	assert_int_equal(utf8_prefix("ab", 9), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(plain_text_passes, clean),
		cmocka_unit_test_teardown(controls_are_shown, clean),
		cmocka_unit_test_teardown(ill_formed_bytes_are_shown, clean),
		cmocka_unit_test_teardown(an_escape_cannot_be_imitated, clean),
		cmocka_unit_test_teardown(long_text_is_cut_between_characters, clean),
		cmocka_unit_test_teardown(a_comm_cannot_end_its_field, clean),
		cmocka_unit_test_teardown(random_bytes_come_out_harmless, clean),
		cmocka_unit_test(columns_are_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
