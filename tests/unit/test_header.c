// SPDX-License-Identifier: BSD-2-Clause
/*
 * perftrace.h under the compilers, languages and options that users have. The programs are in
 * tests/unit/header; each is built in a temporary directory and run, with header/trap.c as the
 * tracer. Run from the top of the repository.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#define HERE	     "tests/unit/header/"
#define FLAGS	     "-Iuser/include -I" HERE " -Wall -Wextra -Werror -Wshadow -Wpedantic"
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *const c_compilers[] = {"gcc -std=c11", "clang -std=c11"};
static const char *const cxx_compilers[] = {"g++ -x c++ -std=c++17", "clang++ -x c++ -std=c++17"};
static const char *const all_compilers[] = {"gcc -std=c11", "clang -std=c11",
					    "g++ -x c++ -std=c++17", "clang++ -x c++ -std=c++17"};
static const char *const options[] = {"-O0", "-O2", "-O2 -fPIC", "-O2 -fno-pie"};

static char dir[] = "/tmp/perftrace-header-XXXXXX";
static char output[1 << 16];

/* Runs a shell command; what it printed, both streams, is in `output`. */
__attribute__((format(printf, 1, 2))) static int try(const char *format, ...)
{
	char command[1024];
	va_list args;
	FILE *pipe;
	size_t len;
	int status;

	strcpy(command, "exec 2>&1; ");
	len = strlen(command);
	va_start(args, format);
	len += vsnprintf(command + len, sizeof(command) - len, format, args);
	va_end(args);
	assert_true(len < sizeof(command));
	fflush(stdout);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = '\0';
	status = pclose(pipe);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		print_message("%s\n%s", command, output);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define run(...) assert_int_equal(try(__VA_ARGS__), 0)

static const char *link_option(const char *option)
{
	return strstr(option, "-fno-pie") ? "-no-pie" : "-pie";
}

/* Builds header/FILE as dir/NAME together with the tracer in miniature. */
static void build(const char *compiler, const char *option, const char *file, const char *name)
{
	run("%s %s " FLAGS " -c " HERE "%s -o %s/%s.o", compiler, option, file, dir, name);
	run("g++ %s %s/%s.o %s/trap%s.o -o %s/%s", link_option(option), dir, name, dir,
	    strstr(option, "-fno-pie") ? "" : "-pic", dir, name);
}

static const char flow_attached[] = "errno 77\n"
				    "span_start return\n"
				    "span_end return (early)\n"
				    "span_start loop\n"
				    "span_end loop\n"
				    "span_start loop\n"
				    "span_end loop\n"
				    "span_start goto\n"
				    "span_end goto (round 1)\n"
				    "checkpoint after goto\n"
				    "span_start block\n"
				    "span_start inner\n"
				    "event TAG (in block)\n"
				    "span_end inner\n"
				    "span_end block\n"
				    "span_start lost\n"
				    "span_start outer\n"
				    "span_start inner\n"
				    "span_end inner (ctx)\n"
				    "span_end outer\n"
				    "span_start void\n"
				    "span_end void\n"
				    "span_start void\n"
				    "span_end void (7)\n"
				    "span_end none\n"
				    "span_start ab\n"
				    "span_end stores (ac)\n"
				    "event CACHE (GET_HIT 7)\n"
				    "checkpoint long (";

static void test_every_way_out_of_a_scope(void **state)
{
	char tail[320];

	(void)state;
	/* 255 characters of a text too long, then the count of evaluated contexts. */
	memset(tail, 'x', 255);
	strcpy(tail + 255, ")\nevaluated 4\n");
	for (size_t c = 0; c < COUNT(all_compilers); c++)
		for (size_t o = 0; o < COUNT(options); o++) {
			build(all_compilers[c], options[o], "flow.c", "flow");
			run("%s/flow", dir);
			assert_string_equal(output, "errno 77\nevaluated 0\n");
			run("%s/flow attached", dir);
			assert_memory_equal(output, flow_attached, strlen(flow_attached));
			assert_string_equal(output + strlen(flow_attached), tail);
		}
}

static const char cxx_detached[] = "exception\n"
				   "exception\n"
				   "exception\n"
				   "5 3 4 ab\n";

static const char cxx_attached[] = "span_start guard\n"
				   "span_start formatted\n"
				   "span_start null\n"
				   "span_end null\n"
				   "span_end formatted (n=2)\n"
				   "span_end guard (eu-west-1)\n"
				   "span_start timed\n"
				   "span_end timed (x)\n"
				   "span_start thrown block\n"
				   "span_end thrown block\n"
				   "span_start block\n"
				   "span_end block\n"
				   "span_start block\n"
				   "span_end block\n"
				   "span_start reference\n"
				   "span_end reference\n"
				   "span_start move\n"
				   "span_end move\n"
				   "span_start in place\n"
				   "span_end in place\n"
				   "span_start string\n"
				   "span_end string\n"
				   "span_start void\n"
				   "span_end void\n"
				   "span_start inline\n"
				   "span_end inline\n"
				   "span_start template\n"
				   "span_end template\n"
				   "span_end temporary (5)\n";

static void test_exceptions_and_values_in_cxx(void **state)
{
	(void)state;
	for (size_t c = 0; c < COUNT(cxx_compilers); c++)
		for (size_t o = 0; o < COUNT(options); o++) {
			build(cxx_compilers[c], options[o], "cxx.cc", "cxx");
			run("%s/cxx", dir);
			assert_string_equal(output, cxx_detached);
			run("%s/cxx attached", dir);
			assert_memory_equal(output, cxx_detached, strlen(cxx_detached));
			assert_string_equal(output + strlen(cxx_detached), cxx_attached);
		}
}

/* Skips one argument, 8@ and a register or $0; NULL when it is of another form. */
static const char *skip_argument(const char *at)
{
	if (!strncmp(at, "8@$0", 4))
		return at + 4;
	if (strncmp(at, "8@%r", 4))
		return NULL;
	return at + 4 + strspn(at + 4, "abcdspix0123456789");
}

/* One note as readelf prints it; `at` stands behind "Provider: ". Returns its probe's index. */
static int check_note(const char *at, unsigned long long *semaphore)
{
	static const char *const probes[] = {"span_start", "span_end", "checkpoint", "event"};
	unsigned long long location, base;
	char provider[32], probe[32];
	int used = 0;

	assert_int_equal(sscanf(at,
				"%31s Name: %31s Location: %llx, Base: %llx, Semaphore: %llx "
				"Arguments: %n",
				provider, probe, &location, &base, semaphore, &used),
			 5);
	assert_string_equal(provider, "perftrace");
	assert_true(used && location && base && *semaphore);
	at = skip_argument(at + used);
	assert_non_null(at);
	for (size_t i = 0; i < COUNT(probes); i++) {
		if (strcmp(probe, probes[i]))
			continue;
		if (i > 0) {
			assert_int_equal(*at, ' ');
			at = skip_argument(at + 1);
			assert_non_null(at);
		}
		assert_int_equal(*at, '\n');
		return i;
	}
	fail_msg("unknown probe %s", probe);
	return -1;
}

static void test_notes_as_readelf_reads_them(void **state)
{
	(void)state;
	for (size_t c = 0; c < COUNT(all_compilers); c++)
		for (size_t o = 0; o < COUNT(options); o++) {
			unsigned long long semaphores[4] = {0}, semaphore;
			const char *at;

			build(all_compilers[c], options[o], "flow.c", "flow");
			run("readelf -nW %s/flow", dir);
			for (at = output; (at = strstr(at, "Provider: "));) {
				int probe;

				at += strlen("Provider: ");
				probe = check_note(at, &semaphore);
				/* One semaphore per probe, however many sites. */
				if (semaphores[probe])
					assert_int_equal(semaphores[probe], semaphore);
				semaphores[probe] = semaphore;
			}
			for (size_t i = 0; i < 4; i++)
				for (size_t j = 0; j < i; j++)
					assert_int_not_equal(semaphores[i], semaphores[j]);
		}
}

static void test_register_names_in_intel_syntax(void **state)
{
	(void)state;
	for (size_t c = 0; c < COUNT(all_compilers); c++) {
		build(all_compilers[c], "-O2 -masm=intel", "flow.c", "flow");
		run("%s/flow attached", dir);
		assert_memory_equal(output, flow_attached, strlen(flow_attached));
	}
}

static void test_disabled_leaves_the_same_object(void **state)
{
	(void)state;
	for (size_t c = 0; c < COUNT(all_compilers); c++)
		for (size_t o = 0; o < COUNT(options); o++) {
			const char *compiler = all_compilers[c], *option = options[o];

			run("%s %s " FLAGS " -DPERFTRACE_DISABLE -c " HERE "disable.c -o %s/off.o",
			    compiler, option, dir);
			run("%s %s " FLAGS " -DBARE -c " HERE "disable.c -o %s/bare.o", compiler,
			    option, dir);
			/* Not only .text: every byte of the file. */
			run("cmp %s/off.o %s/bare.o", dir, dir);
			/* Enabled it is different, or the comparison would prove nothing. */
			run("%s %s " FLAGS " -c " HERE "disable.c -o %s/on.o", compiler, option,
			    dir);
			run("! cmp -s %s/on.o %s/bare.o", dir, dir);
		}
}

static void test_no_warnings_for_what_only_a_context_uses(void **state)
{
	static const char *const switches[] = {"", "-DPERFTRACE_DISABLE"};

	(void)state;
	for (size_t c = 0; c < COUNT(all_compilers); c++)
		for (size_t s = 0; s < COUNT(switches); s++)
			run("%s -O2 %s " FLAGS " -c " HERE "unused.c -o %s/unused.o",
			    all_compilers[c], switches[s], dir);
}

/* Nothing may be left of a file that includes the header and uses none of it. */
static void test_unused_header_leaves_nothing(void **state)
{
	(void)state;
	for (size_t c = 0; c < COUNT(all_compilers); c++) {
		run("echo '#include <perftrace.h>' | %s -Iuser/include -xc -c - -o %s/none.o",
		    strchr(all_compilers[c], '+') ? "gcc" : all_compilers[c], dir);
		run("! readelf -SW %s/none.o | grep -E 'probes|stapsdt'", dir);
	}
}

static void test_many_files_and_a_library(void **state)
{
	static const char *const ways[] = {
		"-O0",
		"-O2",
		"-O2 -ffunction-sections -Wl,--gc-sections",
		"-O2 -flto",
	};
	char expected[512];
	size_t len = 0;

	(void)state;
	for (int part = 1; part <= 3; part++)
		len += snprintf(expected + len, sizeof(expected) - len,
				"span_start part%d\ncheckpoint point (ctx)\nevent TAG (text)\n"
				"span_end part%d (ctx)\n",
				part, part);
	for (size_t c = 0; c < COUNT(c_compilers); c++)
		for (size_t w = 0; w < COUNT(ways); w++) {
			/* Clang's LTO needs a linker plugin that is often not installed. */
			if (strstr(c_compilers[c], "clang") && strstr(ways[w], "-flto"))
				continue;
			run("%s %s " FLAGS " -DPART=3 -fPIC -shared " HERE
			    "part.c -o %s/libpart3.so",
			    c_compilers[c], ways[w], dir);
			for (int part = 1; part <= 2; part++)
				run("%s %s -Wno-unused-command-line-argument " FLAGS
				    " -fPIC -DPART=%d -c " HERE "part.c -o %s/part%d.o",
				    c_compilers[c], ways[w], part, dir, part);
			run("%s %s %s/part1.o %s/part2.o %s/trap-pic.o -L%s -lpart3 "
			    "-Wl,-rpath,%s -o %s/parts",
			    c_compilers[c], ways[w], dir, dir, dir, dir, dir, dir);
			run("%s/parts", dir);
			assert_string_equal(output, expected);
		}
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	return try("gcc -O2 -fPIC -c " HERE "trap.c -o %s/trap-pic.o && "
		   "gcc -O2 -fno-pie -c " HERE "trap.c -o %s/trap.o",
		   dir, dir);
}

static int tear_down(void **state)
{
	(void)state;
	return try("rm -rf %s", dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way_out_of_a_scope),
		cmocka_unit_test(test_exceptions_and_values_in_cxx),
		cmocka_unit_test(test_notes_as_readelf_reads_them),
		cmocka_unit_test(test_register_names_in_intel_syntax),
		cmocka_unit_test(test_disabled_leaves_the_same_object),
		cmocka_unit_test(test_no_warnings_for_what_only_a_context_uses),
		cmocka_unit_test(test_unused_header_leaves_nothing),
		cmocka_unit_test(test_many_files_and_a_library),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
