// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf/exports.h"

/* In .symtab alone; looked up by name, so nothing may rename it. */
__attribute__((used)) static volatile int exports_test_variable = 1;
__attribute__((used)) volatile int exports_test_other = 2;

static struct elf_image *open_image(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_image *img;

	assert_true(fd >= 0);
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	return img;
}

/* Where this program, or the object that contains `address`, was loaded. */
static uint64_t base_of(const void *address, const char **path)
{
	Dl_info info;

	assert_true(dladdr(address, &info));
	*path = info.dli_fname;
	return (uintptr_t)info.dli_fbase;
}

static void a_variable_of_this_program(void **state)
{
	struct elf_image *img = open_image("/proc/self/exe");
	const char *path;
	uint64_t base = base_of((const void *)&exports_test_variable, &path), vaddr;

	assert_int_equal(elf_variable__find(img, "exports_test_variable", &vaddr), 0);
	assert_int_equal(base + vaddr, (uintptr_t)&exports_test_variable);
	assert_int_equal(elf_variable__find(img, "exports_test_other", &vaddr), 0);
	assert_int_equal(base + vaddr, (uintptr_t)&exports_test_other);
	/* Nobody else can see it. */
	assert_int_equal(elf_export__find(img, "exports_test_variable", &vaddr), -ENOENT);
	/* Whole names only. */
	assert_int_equal(elf_variable__find(img, "exports_test_variabl", &vaddr), -ENOENT);
	assert_int_equal(elf_variable__find(img, "exports_test_variable_", &vaddr), -ENOENT);
	assert_int_equal(elf_variable__find(img, "xports_test_variable", &vaddr), -ENOENT);
	elf_image__free(img);
}

static void an_exported_variable(void **state)
{
	void *handle = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	void *there = handle ? dlsym(handle, "program_invocation_name") : NULL;
	struct elf_image *img;
	uint64_t vaddr, by_export;
	struct link_map *map;

	assert_non_null(there);
	assert_int_equal(dlinfo(handle, RTLD_DI_LINKMAP, &map), 0);
	img = open_image(map->l_name);
	assert_int_equal(elf_variable__find(img, "program_invocation_name", &vaddr), 0);
	assert_int_equal(elf_export__find(img, "program_invocation_name", &by_export), 0);
	assert_int_equal(vaddr, by_export);
	assert_int_equal(map->l_addr + vaddr, (uintptr_t)there);
	elf_image__free(img);
	dlclose(handle);
}

static void what_is_only_used(void **state)
{
	struct elf_image *img = open_image("/proc/self/exe");
	uint64_t vaddr = 42;

	/* Another object defines it. */
	assert_int_equal(elf_export__find(img, "dlinfo", &vaddr), -ENOENT);
	assert_int_equal(elf_variable__find(img, "dlinfo", &vaddr), -ENOENT);
	assert_int_equal(elf_variable__find(img, "", &vaddr), -ENOENT);
	assert_int_equal(vaddr, 42);
	elf_image__free(img);
}

/* ---- tables of ill will ---- */

static uint8_t *bytes;
static size_t size;

static int read_own_file(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	size = st.st_size;
	bytes = malloc(size);
	assert_non_null(bytes);
	for (size_t at = 0; at < size;) {
		ssize_t n = read(fd, bytes + at, size - at);

		assert_true(n > 0);
		at += n;
	}
	close(fd);
	return 0;
}

static int free_own_file(void **state)
{
	free(bytes);
	return 0;
}

static Elf64_Shdr *section(uint32_t type)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;
	Elf64_Shdr *all = (Elf64_Shdr *)(bytes + header->e_shoff);

	for (size_t i = 1; i < header->e_shnum; i++)
		if (all[i].sh_type == type)
			return &all[i];
	fail();
	return NULL;
}

static int find_in_bytes(uint64_t *vaddr)
{
	int fd = memfd_create("elf", MFD_CLOEXEC), ret;
	struct elf_image *img;

	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	ret = elf_variable__find(img, "exports_test_variable", vaddr);
	elf_image__free(img);
	return ret;
}

static void a_table_of_ill_will(void **state)
{
	Elf64_Shdr *table = section(SHT_SYMTAB), saved = *table;
	Elf64_Sym *symbols = (Elf64_Sym *)(bytes + table->sh_offset);
	uint64_t vaddr, good;

	assert_int_equal(find_in_bytes(&good), 0);
	table->sh_entsize = 1;
	assert_int_equal(find_in_bytes(&vaddr), -ENOENT);
	*table = saved;
	table->sh_link = 0xffffff;
	assert_int_equal(find_in_bytes(&vaddr), -ENOENT);
	table->sh_link = 1; /* no strings */
	assert_int_equal(find_in_bytes(&vaddr), -ENOENT);
	*table = saved;
	table->sh_offset = size - 8;
	assert_int_equal(find_in_bytes(&vaddr), -ENOENT);
	*table = saved;
	table->sh_size = 1ULL << 60;
	assert_int_equal(find_in_bytes(&vaddr), -ENOENT);
	*table = saved;
	/* Names out of the strings' bounds are nobody's. */
	for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++)
		if (symbols[i].st_value != good)
			symbols[i].st_name = 0x7fffffff + i;
	assert_int_equal(find_in_bytes(&vaddr), 0);
	assert_int_equal(vaddr, good);
	for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++)
		symbols[i].st_name = 0xffffffff;
	assert_int_equal(find_in_bytes(&vaddr), -ENOENT);
	table->sh_type = SHT_NOTE; /* stripped */
	assert_int_equal(find_in_bytes(&vaddr), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_variable_of_this_program),
		cmocka_unit_test(an_exported_variable),
		cmocka_unit_test(what_is_only_used),
		cmocka_unit_test_setup_teardown(a_table_of_ill_will, read_own_file, free_own_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
