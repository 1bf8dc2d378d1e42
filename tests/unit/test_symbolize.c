// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "elf/openfile.h"
#include "elf/demangle.h"
#include "stack/symbolize.h"

__attribute__((noinline, used)) int symbolize_test_function(int x);
int symbolize_test_function(int x)
{
	return x * 3 + 1;
}

/* Stands for a C++ function: demangling is by name only. */
__attribute__((noinline, used)) int mangled(int x) __asm__("_ZN4shop6basket3addEi");
int mangled(int x)
{
	return x + 2;
}

static struct symbolizer *with_own_process(void)
{
	struct symbolizer *sym = symbolizer__new();
	struct maps maps = {0};

	assert_non_null(sym);
	assert_int_equal(maps__load(getpid(), &maps), 0);
	assert_int_equal(symbolizer__add_layout(sym, getpid(), getpid(), &maps), 0);
	maps__free(&maps);
	return sym;
}

static void own_functions(void **state)
{
	struct symbolizer *sym = with_own_process();
	uint64_t at = (uint64_t)symbolize_test_function;
	struct frame frame;

	assert_int_equal(symbolizer__resolve(sym, getpid(), at + 1, false, &frame), 0);
	assert_string_equal(frame.function, "symbolize_test_function");
	assert_string_equal(frame.raw_name, "symbolize_test_function");
	assert_int_equal(frame.function_offset, 1);
	assert_non_null(strstr(frame.module, "test_symbolize"));
	assert_int_equal(frame.path[0], '/');
	assert_true(frame.executable_mapping);
	assert_false(frame.return_address);
	/* As a return address, the entry belongs to the function before. */
	assert_int_equal(symbolizer__resolve(sym, getpid(), at, true, &frame), 0);
	assert_true(!frame.function || strcmp(frame.function, "symbolize_test_function"));
	assert_true(frame.return_address);
	assert_int_equal(symbolizer__resolve(sym, getpid(), at + 1, true, &frame), 0);
	assert_string_equal(frame.function, "symbolize_test_function");
	assert_int_equal(frame.function_offset, 1);
	symbolizer__free(sym);
}

static void names_are_demangled(void **state)
{
	struct symbolizer *sym = with_own_process();
	struct frame frame;

	assert_int_equal(symbolizer__resolve(sym, getpid(), (uint64_t)mangled, false, &frame), 0);
	assert_string_equal(frame.function, "shop::basket::add(int)");
	assert_string_equal(frame.raw_name, "_ZN4shop6basket3addEi");
	symbolizer__free(sym);
}

static void libraries_and_vdso(void **state)
{
	struct symbolizer *sym = with_own_process();
	uint64_t vdso = getauxval(AT_SYSINFO_EHDR);
	struct frame frame;

	assert_int_equal(symbolizer__resolve(sym, getpid(),
					     (uint64_t)dlsym(RTLD_DEFAULT, "hcreate"), false,
					     &frame),
			 0);
	assert_string_equal(frame.function, "hcreate");
	assert_int_equal(strncmp(frame.module, "libc.so", 7), 0);
	assert_int_equal(strlen(frame.build_id), 40);
	if (vdso) {
		bool named = false;

		for (uint64_t at = vdso; at < vdso + 4096; at += 16) {
			assert_int_equal(symbolizer__resolve(sym, getpid(), at, false, &frame), 0);
			assert_string_equal(frame.module, "[vdso]");
			assert_null(frame.path);
			named |= frame.function && strstr(frame.function, "gettime");
		}
		assert_true(named);
	}
	symbolizer__free(sym);
}

static void what_is_not_code(void **state)
{
	struct symbolizer *sym = with_own_process();
	struct frame frame;
	int on_stack = 0;

	assert_int_equal(symbolizer__resolve(sym, getpid(), (uint64_t)&on_stack, false, &frame),
			 -ENOENT);
	assert_false(frame.executable_mapping);
	assert_null(frame.module);
	assert_int_equal(symbolizer__resolve(sym, getpid(), 0, true, &frame), -ENOENT);
	assert_int_equal(symbolizer__resolve(sym, getpid(), UINT64_MAX, true, &frame), -ENOENT);
	assert_int_equal(symbolizer__resolve(sym, 1 << 29, 4096, true, &frame), -ESRCH);
	assert_null(frame.function);
	symbolizer__free(sym);
}

static void generated_code(void **state)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct symbolizer *sym;
	struct frame frame;

	if (code == MAP_FAILED)
		skip();
	sym = with_own_process();
	assert_int_equal(symbolizer__resolve(sym, getpid(), (uint64_t)code + 5, false, &frame), 0);
	assert_string_equal(frame.module, "[anon]");
	assert_null(frame.function);
	munmap(code, 4096);
	symbolizer__free(sym);
}

/* A copy of a small program at a path of its own, so that it can be deleted. */
static void copy_file(const char *from, const char *to)
{
	char chunk[4096];
	int in = open_regular(AT_FDCWD, from), out = open(to, O_CREAT | O_WRONLY | O_EXCL, 0700);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, chunk, sizeof(chunk))) > 0)
		assert_int_equal(write(out, chunk, (size_t)n), n);
	close(in);
	close(out);
}

static pid_t start_copy(const char *path)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		dup2(ready[1], 1);
		close(ready[0]);
		execl(path, path, "--wait", NULL);
		_exit(127);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void names_outlive_process_and_file(void **state)
{
	char dir[] = "/tmp/perftrace-symbolize-XXXXXX", path[64];
	struct symbolizer *sym = symbolizer__new();
	struct maps maps = {0};
	const struct mapping *m;
	struct frame frame;
	unsigned int named = 0;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/copy", dir);
	copy_file("/proc/self/exe", path);
	pid = start_copy(path);
	unlink(path);
	rmdir(dir);
	assert_int_equal(maps__load(pid, &maps), 0);
	assert_int_equal(symbolizer__add_layout(sym, pid, pid, &maps), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* Its mappings say (deleted), and only map_files leads to the file: root only. */
	vec_for_each (&maps.list, m) {
		if (!m->executable || strcmp(m->path, path))
			continue;
		assert_true(m->deleted);
		for (uint64_t at = m->start; at < m->end; at += 16) {
			assert_int_equal(symbolizer__resolve(sym, pid, at, false, &frame), 0);
			assert_string_equal(frame.module, "copy");
			named += frame.function && strstr(frame.function, "symbolize_test_");
		}
	}
	assert_true(geteuid() != 0 || named);
	maps__free(&maps);
	symbolizer__free(sym);
}

static void gone_mappings_still_resolve(void **state)
{
	struct symbolizer *sym = with_own_process();
	uint64_t at = (uint64_t)symbolize_test_function;
	struct maps empty = {0};
	struct frame frame;

	assert_int_equal(symbolizer__add_layout(sym, getpid(), getpid(), &empty), 0);
	assert_int_equal(symbolizer__add_layout(sym, getpid(), getpid(), &empty), 0);
	assert_int_equal(symbolizer__resolve(sym, getpid(), at, false, &frame), 0);
	assert_string_equal(frame.function, "symbolize_test_function");
	symbolizer__free(sym);
}

static void many_generations(void **state)
{
	struct symbolizer *sym = symbolizer__new();
	struct frame frame;

	for (uint64_t i = 1; i < 40000; i++) {
		char name[] = "";
		struct mapping m = {
			.start = i << 12, .end = (i + 1) << 12, .executable = true, .path = name};
		struct maps maps = {.list = {&m, 1, 1}};

		assert_int_equal(symbolizer__add_layout(sym, 5, 5, &maps), 0);
	}
	assert_int_equal(symbolizer__resolve(sym, 5, 39000 << 12, false, &frame), 0);
	assert_int_equal(symbolizer__resolve(sym, 5, 1 << 12, false, &frame), -ENOENT);
	symbolizer__free(sym);
}

/* What the linker makes for a call into another library has no symbol of its own. */
static void plt_stubs(void **state)
{
	struct symbolizer *sym = with_own_process();
	unsigned int stubs = 0, named = 0;
	struct maps maps = {0};
	const struct mapping *m;
	struct frame frame;

	assert_int_equal(maps__load(getpid(), &maps), 0);
	vec_for_each (&maps.list, m) {
		if (!m->executable || !strstr(m->path, "libcmocka"))
			continue;
		for (uint64_t at = m->start; at < m->end; at++) {
			assert_int_equal(symbolizer__resolve(sym, getpid(), at, false, &frame), 0);
			if (!frame.function || !strstr(frame.function, "@plt"))
				continue;
			stubs += !strcmp(frame.function, "longjmp@plt") ||
				 !strcmp(frame.function, "siglongjmp@plt") ||
				 !strcmp(frame.function, "__longjmp_chk@plt") ||
				 !strcmp(frame.function, "malloc@plt");
			assert_in_range(frame.function_offset, 0, 15);
			named++;
		}
	}
	assert_true(stubs >= 16); /* at least one of these, each of its bytes */
	assert_true(named >= 64 && named % 8 == 0);
	maps__free(&maps);
	symbolizer__free(sym);
}

/* Two layouts, one address, two files; then a third file takes the place in one of them. */
static void addresses_mean_something_in_a_layout(void **state)
{
	struct symbolizer *sym = symbolizer__new();
	struct maps own = {0};
	struct mapping *m, first = {0}, second = {0};
	struct maps one = {.list = {&first, 1, 1}}, two = {.list = {&second, 1, 1}};
	const uint64_t place = 0x700000000000;
	uint64_t at, hcreate = (uint64_t)dlsym(RTLD_DEFAULT, "hcreate");
	struct frame frame;

	assert_int_equal(maps__load(getpid(), &own), 0);
	vec_for_each (&own.list, m) {
		if (m->executable && hcreate >= m->start && hcreate < m->end)
			first = *m;
		at = (uint64_t)symbolize_test_function;
		if (m->executable && at >= m->start && at < m->end)
			second = *m;
	}
	/* Both functions at `place` of their layout. */
	hcreate -= first.start;
	at = (uint64_t)symbolize_test_function - second.start;
	first.end = place - hcreate + (first.end - first.start);
	first.start = place - hcreate;
	second.end = place - at + (second.end - second.start);
	second.start = place - at;
	assert_int_equal(symbolizer__add_layout(sym, 100, getpid(), &one), 0);
	assert_int_equal(symbolizer__add_layout(sym, 200, getpid(), &two), 0);
	assert_int_equal(symbolizer__resolve(sym, 100, place + 1, true, &frame), 0);
	assert_string_equal(frame.function, "hcreate");
	assert_int_equal(symbolizer__resolve(sym, 200, place + 1, true, &frame), 0);
	assert_string_equal(frame.function, "symbolize_test_function");
	assert_int_equal(symbolizer__resolve(sym, 300, place + 1, true, &frame), -ESRCH);
	/* The library was unloaded and the other file mapped over it. */
	assert_int_equal(symbolizer__add_layout(sym, 100, getpid(), &two), 0);
	assert_int_equal(symbolizer__resolve(sym, 100, place + 1, true, &frame), 0);
	assert_string_equal(frame.function, "symbolize_test_function");
	maps__free(&own);
	symbolizer__free(sym);
}

static void demangler(void **state)
{
	char *name, *bomb = malloc(70000);
	uint64_t before;

	assert_null(demangle("main"));
	assert_null(demangle("_Z"));
	assert_null(demangle("_ZN"));
	assert_null(demangle(""));
	name = demangle("_ZNSt6vectorIiSaIiEE9push_backERKi");
	assert_string_equal(name, "std::vector<int, std::allocator<int> >::push_back(int const&)");
	free(name);
	name = demangle("_RNvC6_123foo3bar");
	assert_string_equal(name, "123foo::bar");
	free(name);
	name = demangle("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE");
	assert_string_equal(name, "core::fmt::Write::write_fmt");
	free(name);
	name = demangle("_RNvMs_NtCs1_4shop6basketNtB4_6Basket3add");
	assert_string_equal(name, "<shop::basket::Basket>::add");
	free(name);
	name = demangle("_ZN4shop6basket6Basket3add17h05af221e174051e9E");
	assert_string_equal(name, "shop::basket::Basket::add");
	free(name);
	/* Too long to try. */
	memset(bomb, 'P', 70000);
	memcpy(bomb, "_Z1f", 4);
	strcpy(bomb + 69990, "i");
	assert_null(demangle(bomb));
	/* Short, but each argument A<previous, previous> doubles the text. */
	strcpy(bomb, "_Z1fI1AIiiE");
	for (int i = 1; i < 70; i++) {
		static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
		char high[2] = {i < 36 ? '\0' : '1', '\0'}, low = digits[i % 36];
		char *end = bomb + strlen(bomb);

		sprintf(end, "S0_IS%s%c_S%s%c_E", high, low, high, low);
	}
	strcat(bomb, "EvT_");
	before = clock_monotonic_ns();
	assert_null(demangle(bomb));
	assert_true(clock_monotonic_ns() - before < 100000000);
	/* Deep nesting. */
	memset(bomb, 'P', 1000);
	memcpy(bomb, "_Z1f", 4);
	strcpy(bomb + 1000, "i");
	before = clock_monotonic_ns();
	free(demangle(bomb));
	assert_true(clock_monotonic_ns() - before < 100000000);
	free(bomb);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_functions),
		cmocka_unit_test(names_are_demangled),
		cmocka_unit_test(libraries_and_vdso),
		cmocka_unit_test(what_is_not_code),
		cmocka_unit_test(generated_code),
		cmocka_unit_test(names_outlive_process_and_file),
		cmocka_unit_test(gone_mappings_still_resolve),
		cmocka_unit_test(many_generations),
		cmocka_unit_test(plt_stubs),
		cmocka_unit_test(addresses_mean_something_in_a_layout),
		cmocka_unit_test(demangler),
	};

	if (argc > 1 && !strcmp(argv[1], "--wait")) { /* the copy that is looked at */
		if (write(1, "x", 1) == 1)
			pause();
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
