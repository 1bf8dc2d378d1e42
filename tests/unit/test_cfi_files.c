// SPDX-License-Identifier: BSD-2-Clause
/* Call frame information of files made for it: what a section's size does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "built_object.h"
#include "elf/cfi.h"

static int load(const char *path, struct cfi_section *section)
{
	struct elf_image *img = open_built(path);
	int ret = cfi_section__load(img, section);

	elf_image__free(img);
	return ret;
}

/* An object with so many bytes of zeros as .eh_frame. */
static void make(unsigned long long bytes)
{
	/* Called something else till then, for the linker would make it shorter. */
	sh("printf '.section .big,\"a\",@progbits\\n.zero %%s\\n.text\\nnop\\n' %llu >o.s &&"
	   " gcc -shared -nostdlib o.s -o o && objcopy --rename-section .big=.eh_frame o",
	   bytes);
}

static void a_section_of_the_greatest_size(void **state)
{
	struct cfi_section section;

	make(CFI_SECTION_MAX);
	assert_int_equal(load("o", &section), 0);
	assert_int_equal(section.size, CFI_SECTION_MAX);
	cfi_section__free(&section);
}

static void a_section_beyond_it(void **state)
{
	struct cfi_section section;

	make(CFI_SECTION_MAX + 8);
	assert_int_equal(load("o", &section), -EFBIG);
	assert_null(section.data);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, built_dir__make, built_dir__remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_section_of_the_greatest_size),
		CASE(a_section_beyond_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
