// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "built_object.h"
#include "stack/module.h"

static uint64_t vaddr_of(const char *name)
{
	return built_vaddr("o.nm", name);
}

/* The module of a file that this process maps. */
static struct module *open_module(const char *name, struct debug_file_facts *facts)
{
	char path[128];
	struct maps maps = {0};
	struct mapping *m;
	struct module *module = NULL;
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	close(fd);
	assert_int_equal(maps__load(getpid(), &maps), 0);
	vec_for_each (&maps.list, m)
		if (m->start == (uint64_t)at) {
			module = module__new(m);
			module__open(module, getpid(), m, facts);
		}
	munmap(at, 4096);
	maps__free(&maps);
	assert_non_null(module);
	assert_non_null(module->image);
	snprintf(path, sizeof(path), "%s/%s", built_dir, name);
	assert_string_equal(module->path, path);
	return module;
}

static void build(void)
{
	write_text("o.c",
		   "static __attribute__((noinline)) int inner(int x) { return x * 7 + 1; }\n"
		   "int outer(int x) { return inner(x) + inner(x + 1); }\n");
	sh("gcc -g -O1 -fPIC -shared o.c -o o.so && nm o.so >o.nm");
}

/* Stripped, with its debug file beside it; which is even deleted before it is needed. */
static void names_of_a_debug_file(void **state)
{
	struct debug_file_facts facts = {0};
	struct string_pool pool = {0};
	struct module_name name;
	struct module *module;

	build();
	sh("objcopy --only-keep-debug o.so o.debug && strip o.so");
	module = open_module("o.so", &facts);
	assert_null(module->debug);
	assert_false(module__find(module, vaddr_of("inner") + 1, &pool, &name));
	assert_int_equal(module__function_start(module, vaddr_of("inner") + 1), vaddr_of("inner"));
	assert_int_equal(module__function_start(module, 0), 0);
	assert_true(module__find(module, vaddr_of("outer") + 1, &pool, &name));
	module__free(module);
	sh("objcopy --add-gnu-debuglink=o.debug o.so");
	module = open_module("o.so", &facts);
	assert_non_null(module->debug);
	assert_int_equal(facts.found, 1);
	sh("rm o.debug o.so");
	assert_true(module__find(module, vaddr_of("inner") + 1, &pool, &name));
	assert_string_equal(name.readable, "inner");
	assert_int_equal(name.start, vaddr_of("inner"));
	module__free(module);
	string_pool__free(&pool);
}

static void nobody_looks_for_what_is_there(void **state)
{
	struct debug_file_facts facts = {0};
	struct module *module;

	build();
	sh("objcopy --only-keep-debug o.so o.debug && objcopy --add-gnu-debuglink=o.debug o.so");
	module = open_module("o.so", &facts);
	assert_null(module->debug);
	module__free(module);
}

/* A name of 1 MiB is none; what the address is in still is. */
static void endless_names(void **state)
{
	struct debug_file_facts facts = {0};
	struct string_pool pool = {0};
	struct module_name name;
	struct elf_symbols *symbols;
	struct module *module;
	struct elf_section text;

	sh("{ printf '.text\\n.globl '; head -c 1048576 /dev/zero | tr '\\0' n; "
	   "printf '\\n.set '; head -c 1048576 /dev/zero | tr '\\0' n; printf ', f\\n"
	   ".type f,@function\\nf: nop\\n nop\\n.size f,.-f\\n'; } >o.s");
	sh("gcc -shared -nostdlib o.s -o o.so && objcopy --strip-symbol=f o.so");
	module = open_module("o.so", &facts);
	assert_int_equal(elf_image__section(module->image, ".text", &text), 0);
	assert_int_equal(elf_symbols__load(module->image, &symbols), 0);
	assert_true(elf_symbols__find_address(symbols, text.addr)->unnamed);
	elf_symbols__free(symbols);
	assert_false(module__find(module, text.addr, &pool, &name));
	module__free(module);
	string_pool__free(&pool);
}

/* Other code in its place, or none: its symbols say nothing about what was mapped. */
static void changed_files(void **state)
{
	struct debug_file_facts facts = {0};
	struct string_pool pool = {0};
	struct module_name name;
	struct module *module;
	uint64_t inner;

	build();
	inner = vaddr_of("inner");
	module = open_module("o.so", &facts);
	assert_true(module__find(module, inner, &pool, &name));
	/* What was read is kept. */
	assert_int_equal(truncate("o.so", 1000), 0);
	assert_true(module__find(module, inner, &pool, &name));
	assert_string_equal(name.readable, "inner");
	module__free(module);
	build();
	module = open_module("o.so", &facts);
	assert_int_equal(truncate("o.so", 1000), 0);
	assert_false(module__find(module, inner, &pool, &name));
	module__free(module);
	string_pool__free(&pool);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, built_dir__make, built_dir__remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names_of_a_debug_file),
		CASE(nobody_looks_for_what_is_there),
		CASE(endless_names),
		CASE(changed_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
