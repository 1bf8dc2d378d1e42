// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "built_object.h"
#include "elf/mini_debug.h"
#include "elf/symbols.h"
#include "stack/module.h"

/* A stripped library whose only name for `inner` is in .gnu_debugdata. */
static void make_object(void)
{
	write_text("o.c",
		   "static __attribute__((noinline)) int inner(int x) { return x * 7 + 1; }\n"
		   "int outer(int x) { return inner(x) + inner(x + 1); }\n");
	sh("gcc -O1 -fPIC -shared o.c -o o.so && nm o.so >o.nm");
	sh("objcopy --only-keep-debug o.so o.debug && objcopy -S --keep-symbol=inner o.debug mini");
	sh("strip o.so && cp o.so stripped.so && xz -k mini");
	sh("objcopy --add-section .gnu_debugdata=mini.xz o.so");
}

static uint64_t vaddr_of(const char *name)
{
	return built_vaddr("o.nm", name);
}

static int error_of(const char *section)
{
	struct elf_image *img, *mini;
	int ret;

	sh("objcopy --remove-section .gnu_debugdata o.so bad.so");
	sh("objcopy --add-section .gnu_debugdata=%s bad.so", section);
	img = open_built("bad.so");
	ret = elf_mini_debug__open(img, &mini);
	assert_true(ret || mini);
	elf_image__free(mini);
	elf_image__free(img);
	return ret;
}

static void names_inside(void **state)
{
	struct elf_image *img, *mini;
	const struct elf_symbol *symbol;
	struct elf_symbols *symbols;

	make_object();
	img = open_built("o.so");
	assert_int_equal(elf_mini_debug__open(img, &mini), 0);
	assert_int_equal(elf_symbols__load(mini, &symbols), 0);
	symbol = elf_symbols__find_address(symbols, vaddr_of("inner") + 1);
	assert_non_null(symbol);
	assert_string_equal(symbol->name, "inner");
	elf_symbols__free(symbols);
	elf_image__free(mini);
	elf_image__free(img);
	img = open_built("stripped.so");
	assert_int_equal(elf_mini_debug__open(img, &mini), -ENOENT);
	assert_null(mini);
	elf_image__free(img);
}

/* As the symbolizer asks: own names first, then those. */
static void names_of_a_module(void **state)
{
	char path[64];
	struct mapping m = {.path = path, .inode = 1};
	struct string_pool pool = {0};
	struct module_name name;
	struct module *module;

	make_object();
	for (int with = 0; with < 2; with++) {
		snprintf(path, sizeof(path), "%s/%s", built_dir, with ? "o.so" : "stripped.so");
		module = module__new(&m);
		module->image = open_built(path);
		assert_true(module__find(module, vaddr_of("outer"), &pool, &name));
		assert_string_equal(name.readable, "outer");
		assert_int_equal(module__find(module, vaddr_of("inner") + 2, &pool, &name), with);
		if (with) {
			assert_string_equal(name.readable, "inner");
			assert_int_equal(name.start, vaddr_of("inner"));
		}
		module__free(module);
	}
	string_pool__free(&pool);
}

static void hostile_sections(void **state)
{
	make_object();
	write_text("text", "this is not xz");
	assert_int_equal(error_of("text"), -EINVAL);
	sh("xz -k text");
	assert_int_equal(error_of("text.xz"), -EINVAL); /* xz, but no ELF file inside */
	sh("head -c -20 mini.xz >cut");
	assert_int_equal(error_of("cut"), -EINVAL);
	sh("head -c 100000000 /dev/zero | xz -0 >bomb.xz");
	assert_int_equal(error_of("bomb.xz"), -EFBIG);
	/* A dictionary of 1 GB is asked for by two bytes. */
	sh("xz -k --lzma2=dict=1GiB,mode=fast,mf=hc3,nice=10 -c text >dictionary.xz");
	assert_int_equal(error_of("dictionary.xz"), -EFBIG);
	sh(": >empty");
	assert_int_not_equal(error_of("empty"), 0);
	assert_int_equal(error_of("mini.xz"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_inside, built_dir__make, built_dir__remove),
		cmocka_unit_test_setup_teardown(names_of_a_module, built_dir__make,
						built_dir__remove),
		cmocka_unit_test_setup_teardown(hostile_sections, built_dir__make,
						built_dir__remove),
	};

	if (!mini_debug_supported) {
		print_message("made without liblzma: nothing to test\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
