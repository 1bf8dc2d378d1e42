// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stack/kallsyms.h"

static struct kallsyms *load(const char *text)
{
	char path[] = "/tmp/test_kallsyms.XXXXXX";
	int fd = mkstemp(path);
	struct kallsyms *k;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	k = kallsyms__load(path);
	unlink(path);
	assert_non_null(k);
	return k;
}

static void finds(const struct kallsyms *k, uint64_t address, const char *name, const char *module)
{
	struct kernel_symbol symbol;

	if (!name) {
		assert_false(kallsyms__find(k, address, &symbol));
		return;
	}
	assert_true(kallsyms__find(k, address, &symbol));
	assert_string_equal(symbol.name, name);
	assert_string_equal(symbol.module, module);
	assert_true(symbol.start <= address);
}

static void functions_of_kernel_and_modules(void **state)
{
	struct kallsyms *k = load("ffffffff81000000 T _stext\n"
				  "ffffffff81000100 t do_it\n"
				  "ffffffff81000100 T alias\n"
				  "ffffffff81000200 D a_variable\n"
				  "ffffffffc0002000 t second\t[ext4]\n"
				  "ffffffffc0001000 T first\t[ext4]\n"
				  "ffffffffc0101000 w weak\t[xfs]\n");

	assert_int_equal(kallsyms__count(k), 5);
	finds(k, 0xffffffff80ffffff, NULL, NULL);
	finds(k, 0xffffffff81000000, "_stext", "[kernel]");
	finds(k, 0xffffffff810000ff, "_stext", "[kernel]");
	finds(k, 0xffffffff81000100, "do_it", "[kernel]");
	finds(k, 0xffffffff81000201, "do_it", "[kernel]");
	finds(k, 0xffffffffc0001fff, "first", "[ext4]");
	finds(k, 0xffffffffc0002000, "second", "[ext4]");
	finds(k, 0xffffffffc0101001, "weak", "[xfs]");
	/* Far behind any function. */
	finds(k, 0xffffffff82000000, NULL, NULL);
	finds(k, UINT64_MAX, NULL, NULL);
	kallsyms__free(k);
}

static void hidden_addresses_are_not_known(void **state)
{
	struct kallsyms *k = load("0000000000000000 T _stext\n0000000000000000 T schedule\n");

	assert_int_equal(kallsyms__count(k), 0);
	finds(k, 0xffffffff81000000, NULL, NULL);
	finds(k, 0, NULL, NULL);
	kallsyms__free(k);
}

static void lines_of_other_forms_are_passed_over(void **state)
{
	struct kallsyms *k = load("\n\nhello\nffffffff81000000\nffffffff81000000 T\n"
				  "zzz T f\nffffffff81000010 T good [x] more\n-1 Q odd");

	assert_int_equal(kallsyms__count(k), 1);
	finds(k, 0xffffffff81000010, "good", "[x]");
	kallsyms__free(k);
}

static void a_file_that_is_not_there(void **state)
{
	struct kallsyms *k = kallsyms__load("/no/such/file");

	assert_non_null(k);
	assert_int_equal(kallsyms__count(k), 0);
	kallsyms__free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_of_kernel_and_modules),
		cmocka_unit_test(hidden_addresses_are_not_known),
		cmocka_unit_test(lines_of_other_forms_are_passed_over),
		cmocka_unit_test(a_file_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
