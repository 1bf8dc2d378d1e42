// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/demangle.h"
#include "probe/function_rules.h"

static void parsing(void **state)
{
	static const struct {
		const char *text, *object, *name;
	} all[] = {
		{"f", NULL, "f"},
		{"parse_*", NULL, "parse_*"},
		{"libz.so:deflate", "libz.so", "deflate"},
		{"/usr/lib/libz.so.1:deflate", "/usr/lib/libz.so.1", "deflate"},
		{"*:f", "*", "f"},
		/* The colons of C++ separate no library. */
		{"ns::f", NULL, "ns::f"},
		{"::f", NULL, "::f"},
		{"ns::*", NULL, "ns::*"},
		{"ns::Class::operator()(int)", NULL, "ns::Class::operator()(int)"},
		{"a::b::c::d", NULL, "a::b::c::d"},
		{"std::vector<a::b, c::d>::at", NULL, "std::vector<a::b, c::d>::at"},
		{"libfoo:ns::f", "libfoo", "ns::f"},
		{"libfoo.so.1:ns::Class::f(a::b)", "libfoo.so.1", "ns::Class::f(a::b)"},
		{"lib[ab]*:[fg]?", "lib[ab]*", "[fg]?"},
		{"a:b:c", "a", "b:c"},
		/* Objective-C */
		{"-[Class method]", NULL, "-[Class method]"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		function_rule_list rules = {0};
		struct error err = {0};

		assert_int_equal(function_rule__parse(all[i].text, &rules, &err), 0);
		assert_int_equal(err.exit_code, 0);
		assert_int_equal(rules.len, 1);
		if (all[i].object)
			assert_string_equal(rules.data[0].object, all[i].object);
		else
			assert_null(rules.data[0].object);
		assert_string_equal(rules.data[0].name, all[i].name);
		function_rules__free(&rules);
	}
}

static void what_is_no_rule(void **state)
{
	static const char *const all[] = {"", ":", "lib:", ":f", "libfoo.so:"};
	function_rule_list rules = {0};

	assert_int_equal(function_rule__parse("good", &rules, NULL), 0);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct error err = {0};

		assert_int_equal(function_rule__parse(all[i], &rules, &err), -EINVAL);
		assert_int_equal(err.exit_code, EXIT_USAGE);
		assert_non_null(strstr(err.text, "-f: '"));
		assert_non_null(strstr(err.text, "LIB:FUNCTION"));
	}
	assert_int_equal(rules.len, 1); /* of a refused one nothing is kept */
	assert_int_equal(function_rule__parse("lib:also", &rules, NULL), 0);
	assert_int_equal(rules.len, 2);
	assert_string_equal(rules.data[0].name, "good");
	function_rules__free(&rules);
	function_rules__free(&rules); /* harmless */
}

static void objects(void **state)
{
	static const struct {
		const char *object, *path;
		bool wanted;
	} all[] = {
		{"libfoo.so.1.2", "/usr/lib/libfoo.so.1.2", true},
		{"libfoo.so.1", "/usr/lib/libfoo.so.1.2", true},
		{"libfoo.so", "/usr/lib/libfoo.so.1.2", true},
		{"libfoo.so", "/usr/lib/libfoo.so", true},
		{"libfoo", "/usr/lib/libfoo.so.1.2", true},
		{"libfoo", "/usr/lib/libfoo.so", true},
		{"libfoo", "libfoo.so", true},
		{"libfo", "/usr/lib/libfoo.so", false},
		{"libfoo.s", "/usr/lib/libfoo.so", false},
		{"foo", "/usr/lib/libfoo.so", false},
		{"libfoo", "/usr/lib/libfoobar.so.1", false},
		{"libfoo.so", "/usr/lib/libfoo.so1", false},
		{"libfoo.so.1", "/usr/lib/libfoo.so.12", false},
		{"ld-linux-x86-64.so", "/lib64/ld-linux-x86-64.so.2", true},
		{"lib.sob", "/usr/lib/lib.sob.so.1", true},
		{"lib.sob", "/usr/lib/lib.sob.1", false},
		{"libfoo", "/usr/lib/libfoo.sock", false},
		{"libfoo", "/usr/lib/libfoo-2.1.so", false},
		{"libfoo-*", "/usr/lib/libfoo-2.1.so", true},
		{"lib*", "/usr/lib/libfoo.so", true},
		{"*", "/usr/bin/program", true},
		{"program", "/usr/bin/program", true},
		{"program", "/usr/program/other", false},
		/* With a slash it is the whole path. */
		{"/usr/lib/libfoo.so", "/usr/lib/libfoo.so", true},
		{"/usr/lib/libfoo.so", "/opt/lib/libfoo.so", false},
		{"*/libfoo.so*", "/opt/lib/libfoo.so.3", true},
		{"lib/libfoo.so", "/usr/lib/libfoo.so", false},
		{".so", "/usr/lib/.so", true},
		{"", "/usr/lib/libfoo.so", false},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct function_rule rule = {.object = (char *)all[i].object, .name = "f"};

		for (int executable = 0; executable < 2; executable++)
			if (function_rule__wants_object(&rule, all[i].path, executable) !=
			    all[i].wanted)
				fail_msg("'%s' and %s", all[i].object, all[i].path);
	}
}

static void the_executable(void **state)
{
	struct function_rule rule = {.object = NULL, .name = "f"};

	assert_true(function_rule__wants_object(&rule, "/usr/bin/program", true));
	assert_false(function_rule__wants_object(&rule, "/usr/lib/libfoo.so", false));
}

static bool wants(const char *name, const char *symbol)
{
	struct function_rule rule = {.name = (char *)name};
	char *demangled = demangle(symbol);
	bool wanted = function_rule__wants(&rule, symbol, demangled);

	free(demangled);
	return wanted;
}

static void functions(void **state)
{
	static const struct {
		const char *name, *symbol;
		bool wanted;
	} all[] = {
		{"f", "f", true},
		{"f", "ff", false},
		{"f*", "ff", true},
		{"?f", "ff", true},
		{"[a-f]f", "ff", true},
		{"*", "ff", true},
		{"f", "_Z1fv", true}, /* f() */
		{"f()", "_Z1fv", true},
		{"_Z1fv", "_Z1fv", true}, /* as the linker knows it */
		{"_Z*", "_Z1fv", true},
		{"f", "_Z1gv", false},
		{"f(int)", "_Z1fv", false},
		{"f(int)", "_Z1fi", true},
		{"f(*)", "_Z1fi", true},
		{"f", "_Z1fi", true},
		{"ns::f", "_ZN2ns1fEi", true},
		{"f", "_ZN2ns1fEi", false},
		{"*::f", "_ZN2ns1fEi", true},
		{"ns::*", "_ZN2ns1fEi", true},
		{"ns::Class::f", "_ZNK2ns5Class1fEi", true}, /* ns::Class::f(int) const */
		{"ns::Class::f(int) const", "_ZNK2ns5Class1fEi", true},
		/* Parameters with parentheses of their own: apply(int (*)(char), long). */
		{"apply", "_Z5applyPFicEl", true},
		{"apply(int (*)(char), long)", "_Z5applyPFicEl", true},
		/* Operators, whose names have characters of globs and parentheses. */
		{"F::operator()", "_ZN1FclEi", true},
		{"F::operator()(int)", "_ZN1FclEi", true},
		{"F::operator", "_ZN1FclEi", false},
		{"V::operator[]", "_ZN1VixEi", true},
		{"V::operator[](int)", "_ZN1VixEi", true},
		{"V::operator*", "_ZN1VmlERKS_", true},
		{"V::operator==", "_ZN1VeqERKS_", true},
		{"operator new(unsigned long)", "_Znwm", true},
		{"operator new", "_Znwm", true},
		{"V::~V", "_ZN1VD1Ev", true},
		{"V::V", "_ZN1VC2Ev", true},
		/* Templates have their return type in front: int max<int>(int, int). */
		{"max<int>", "_Z3maxIiET_S0_S0_", true},
		{"int max<int>", "_Z3maxIiET_S0_S0_", true},
		{"max<*>", "_Z3maxIiET_S0_S0_", true},
		{"max", "_Z3maxIiET_S0_S0_", false},
		{"max<long>", "_Z3maxIiET_S0_S0_", false},
		{"ax<int>", "_Z3maxIiET_S0_S0_", false},
		/* std::unique_ptr<int> make<A, B>(A&&, B&&) */
		{"make<A, B>", "_Z4makeI1A1BESt10unique_ptrIiEOT_OT0_", true},
		{"operator<< <A>", "_ZlsI1AERSoS1_RKT_", true},
		{"max<int>(int, int)", "_Z3maxIiET_S0_S0_", true},
		{"std::unique_ptr<int>", "_Z4makeI1A1BESt10unique_ptrIiEOT_OT0_", false},
		{"B>", "_Z4makeI1A1BESt10unique_ptrIiEOT_OT0_", false},
		{"<A>", "_ZlsI1AERSoS1_RKT_", false},
		{"new", "_Znwm", false},
		{"int", "_ZN1AcviEv", false}, /* A::operator int() */
		/* Clones that compilers make: f(int) [clone .constprop.0] */
		{"f", "_Z1fi.constprop.0", true},
		{"f", "f.constprop.0", false},
		{"f*", "f.constprop.0", true},
		/* Rust */
		{"core::fmt::write", "_ZN4core3fmt5write17h0123456789abcdefE", true},
		{"a::b", "_RNvC1a1b", true},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (wants(all[i].name, all[i].symbol) != all[i].wanted) {
			char *demangled = demangle(all[i].symbol);

			print_error("'%s' and %s (%s)\n", all[i].name, all[i].symbol, demangled);
			free(demangled);
			fail();
		}
}

/* Whatever the demangler, or a symbol table, comes up with. */
static void odd_names(void **state)
{
	static const char *const all[] = {"",	  ")",	     "(",   "()",    ")(",
					  "f)",	  "f((",     "f)(", "((f))", "f() [clone",
					  " f()", "f(a)(b)", "<",   ">",     " <f> ()"};
	struct function_rule rule = {.name = "nothing"}, star = {.name = "*"};
	char long_name[4096];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_false(function_rule__wants(&rule, "_Zx", all[i]));
		assert_true(function_rule__wants(&star, "_Zx", all[i]));
	}
	memset(long_name, 'x', sizeof(long_name));
	strcpy(long_name + sizeof(long_name) - 6, "(int)");
	assert_false(function_rule__wants(&rule, "_Zx", long_name));
	assert_true(function_rule__wants(&star, "_Zx", long_name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsing),   cmocka_unit_test(what_is_no_rule),
		cmocka_unit_test(objects),   cmocka_unit_test(the_executable),
		cmocka_unit_test(functions), cmocka_unit_test(odd_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
