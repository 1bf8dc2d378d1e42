// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "elf/fde.h"
#include "elf/fde_index.h"
#include "elf/image.h"
#include "elf/notes.h"
#include "elf/openfile.h"
#include "elf/runtime.h"
#include "elf/symbols.h"

static uint8_t *file;
static size_t file_size;

static int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	return fd;
}

static void read_unwind_entries(const struct elf_image *img, const struct fde_index *fdes)
{
	uint64_t at = 0, entry;

	for (int i = 0; i < 50 && !fde_index__next_start(fdes, at, &at); i++) {
		vaddr_list pads = {0};
		struct fde fde;

		if (!fde_index__entry(fdes, at, &entry) && !fde__read(img, entry, &fde)) {
			assert_true(fde.end > fde.start);
			fde__landing_pads(img, &fde, &pads);
		}
		vec_free(&pads);
	}
}

/* Whatever the bytes are: an error with a phrase, or an image that everything can look at. */
static int exercise(const void *data, size_t size)
{
	struct elf_image *img;
	struct elf_symbols *syms;
	struct usdt_notes notes = {0};
	struct fde_index *fdes;
	struct elf_runtime runtime;
	const char *why = NULL;
	char build_id[ELF_BUILD_ID_HEX_MAX], soname[64];
	uint64_t at;
	int err = elf_image__open_fd(memory_file(data, size), &img, &why);

	if (err) {
		assert_non_null(why);
		assert_null(img);
		return err;
	}
	elf_image__build_id(img, build_id);
	elf_image__soname(img, soname, sizeof(soname));
	elf_image__vaddr_to_offset(img, 0x1000, &at);
	elf_image__offset_to_vaddr(img, 0x1000, &at);
	if (!elf_symbols__load(img, &syms)) {
		elf_symbols__find_address(syms, 0x1000);
		elf_symbols__free(syms);
	}
	assert_int_equal(elf_runtime__detect(img, &runtime), 0);
	usdt_notes__load(img, &notes);
	usdt_notes__free(&notes);
	if (!fde_index__load(img, &fdes)) {
		fde_index__function_start(fdes, 0x1000, &at);
		read_unwind_entries(img, fdes);
		fde_index__free(fdes);
	}
	elf_image__free(img);
	return 0;
}

static int read_library(void **state)
{
	int fd = open_regular(AT_FDCWD, "/lib/x86_64-linux-gnu/libdl.so.2");
	struct stat st;

	if (fd < 0)
		fd = open_regular(AT_FDCWD, "/proc/self/exe");
	if (fd < 0 || fstat(fd, &st))
		return -1;
	file_size = (size_t)st.st_size;
	file = malloc(file_size);
	if (!file || pread(fd, file, file_size, 0) != st.st_size)
		return -1;
	close(fd);
	return 0;
}

static int drop_library(void **state)
{
	free(file);
	return 0;
}

static void good_file_works(void **state)
{
	struct elf_section sec;
	struct elf_image *img;
	const char *why = NULL;
	char hex[ELF_BUILD_ID_HEX_MAX];
	uint64_t offset, vaddr;
	uint8_t byte;

	assert_int_equal(elf_image__open_fd(memory_file(file, file_size), &img, &why), 0);
	assert_int_equal(elf_image__section(img, ".text", &sec), 0);
	assert_int_equal(elf_image__vaddr_to_offset(img, sec.addr, &offset), 0);
	assert_int_equal(offset, sec.offset);
	assert_int_equal(elf_image__offset_to_vaddr(img, offset, &vaddr), 0);
	assert_int_equal(vaddr, sec.addr);
	assert_true(elf_image__is_dynamic(img));
	assert_int_equal(elf_image__section(img, ".no-such-section", &sec), -ENOENT);
	assert_int_equal(elf_image__build_id(img, hex), 0);
	assert_int_equal(strlen(hex), 40);
	assert_int_equal(elf_image__read(img, file_size - 1, &byte, 1), 0);
	assert_int_equal(elf_image__read(img, file_size, &byte, 1), -EINVAL);
	assert_int_equal(elf_image__read(img, UINT64_MAX, &byte, 1), -EINVAL);
	elf_image__free(img);
}

static void libc_soname(void **state)
{
	int fd = open_regular(AT_FDCWD, "/lib/x86_64-linux-gnu/libc.so.6");
	struct elf_image *img;
	char name[64];

	if (fd < 0)
		skip();
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	assert_int_equal(elf_image__soname(img, name, sizeof(name)), 0);
	assert_string_equal(name, "libc.so.6");
	assert_int_equal(elf_image__soname(img, name, 4), -ENOENT);
	elf_image__free(img);
}

static void truncation_anywhere(void **state)
{
	for (size_t n = 0; n <= 512; n++)
		assert_int_not_equal(exercise(file, n), 0);
	for (size_t n = 513; n < file_size; n += 997)
		exercise(file, n);
}

static void every_header_field(void **state)
{
	static const uint8_t widths[] = {1, 2, 4, 8};
	uint8_t *copy = malloc(file_size);

	for (size_t at = 0; at < 512; at++) {
		for (size_t w = 0; w < 4; w++) {
			static const uint64_t values[] = {0, UINT64_MAX, 1, 0x7fffffffffffffffULL,
							  0x8001};

			for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
				memcpy(copy, file, file_size);
				memcpy(copy + at, &values[v], widths[w]);
				exercise(copy, file_size);
			}
		}
	}
	free(copy);
}

/* The section headers lie at the end; every field of each of them. */
static void every_section_field(void **state)
{
	uint8_t *copy = malloc(file_size);
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)file;
	size_t end = h->e_shoff + (size_t)h->e_shnum * sizeof(Elf64_Shdr);

	if (end > h->e_shoff + 48 * sizeof(Elf64_Shdr))
		end = h->e_shoff + 48 * sizeof(Elf64_Shdr);
	for (size_t at = h->e_shoff; at + 8 <= end; at += 4) {
		memcpy(copy, file, file_size);
		memset(copy + at, 0xff, 4);
		exercise(copy, file_size);
		memset(copy + at, 0, 4);
		exercise(copy, file_size);
		copy[at] = 0x81;
		exercise(copy, file_size);
	}
	free(copy);
}

static void expect_unsupported(size_t at, uint8_t value, const char *needle)
{
	uint8_t *copy = malloc(file_size);
	struct elf_image *img;
	const char *why = NULL;

	memcpy(copy, file, file_size);
	copy[at] = value;
	assert_int_equal(elf_image__open_fd(memory_file(copy, file_size), &img, &why), -ENOTSUP);
	assert_non_null(strstr(why, needle));
	free(copy);
}

static void unsupported_kinds_are_named(void **state)
{
	expect_unsupported(EI_CLASS, ELFCLASS32, "32-bit");
	expect_unsupported(EI_DATA, ELFDATA2MSB, "big-endian");
	expect_unsupported(offsetof(Elf64_Ehdr, e_machine), EM_386, "another machine");
	expect_unsupported(offsetof(Elf64_Ehdr, e_type), ET_REL, "neither");
}

/* An ELF header, section 0, and one compressed section that declares `declared` bytes. */
static int compressed_image(uint64_t declared, uint32_t kind, struct elf_image **img)
{
	struct {
		Elf64_Ehdr h;
		Elf64_Shdr s[2];
		Elf64_Chdr c;
		uint8_t packed[256];
	} f = {0};
	uint8_t plain[1000] = {0};
	uLongf packed = sizeof(f.packed);

	memset(plain, 'x', sizeof(plain));
	assert_int_equal(compress(f.packed, &packed, plain, sizeof(plain)), Z_OK);
	memcpy(f.h.e_ident, ELFMAG, SELFMAG);
	f.h.e_ident[EI_CLASS] = ELFCLASS64;
	f.h.e_ident[EI_DATA] = ELFDATA2LSB;
	f.h.e_ident[EI_VERSION] = f.h.e_version = EV_CURRENT;
	f.h.e_type = ET_DYN;
	f.h.e_machine = EM_X86_64;
	f.h.e_shoff = offsetof(__typeof__(f), s);
	f.h.e_shentsize = sizeof(Elf64_Shdr);
	f.h.e_shnum = 2;
	f.s[1].sh_type = SHT_PROGBITS;
	f.s[1].sh_flags = SHF_COMPRESSED;
	f.s[1].sh_offset = offsetof(__typeof__(f), c);
	f.s[1].sh_size = sizeof(f.c) + packed;
	f.c.ch_type = kind;
	f.c.ch_size = declared;
	return elf_image__open_fd(memory_file(&f, sizeof(f)), img, NULL);
}

static int load_compressed(uint64_t declared, uint32_t kind)
{
	struct elf_section sec;
	struct elf_image *img;
	void *data;
	size_t size;
	int err;

	assert_int_equal(compressed_image(declared, kind, &img), 0);
	assert_true(elf_image__section_at(img, 1, &sec));
	err = elf_image__load_section(img, &sec, &data, &size);
	if (!err) {
		assert_int_equal(size, 1000);
		assert_int_equal(((char *)data)[999], 'x');
		assert_int_equal(((char *)data)[1000], '\0');
		free(data);
	}
	elf_image__free(img);
	return err;
}

static void compressed_sections(void **state)
{
	assert_int_equal(load_compressed(1000, ELFCOMPRESS_ZLIB), 0);
	assert_int_equal(load_compressed(999, ELFCOMPRESS_ZLIB), -EINVAL);
	assert_int_equal(load_compressed(100 << 20, ELFCOMPRESS_ZLIB), -EINVAL);
	assert_int_equal(load_compressed(8ULL << 30, ELFCOMPRESS_ZLIB), -EFBIG);
	assert_int_equal(load_compressed(UINT64_MAX, ELFCOMPRESS_ZLIB), -EFBIG);
	assert_int_equal(load_compressed(1000, 2), -ENOTSUP);
}

static void a_truncated_file_is_noticed(void **state)
{
	int fd = memory_file(file, file_size);
	struct elf_image *img;
	struct elf_section sec;
	void *data;
	size_t size;

	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	assert_false(elf_image__changed(img));
	assert_int_equal(elf_image__section(img, ".text", &sec), 0);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_true(elf_image__changed(img));
	assert_int_equal(elf_image__load_section(img, &sec, &data, &size), -EIO);
	elf_image__free(img);
}

static void only_regular_files_are_opened(void **state)
{
	char dir[] = "/tmp/perftrace-openfile-XXXXXX", fifo[64], regular[64];
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	snprintf(regular, sizeof(regular), "%s/regular", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(open_regular(AT_FDCWD, fifo), -EINVAL);
	assert_int_equal(open_regular(AT_FDCWD, dir), -EINVAL);
	assert_int_equal(open_regular(AT_FDCWD, "/dev/zero"), -EINVAL);
	assert_int_equal(open_regular(AT_FDCWD, regular), -ENOENT);
	fd = open(regular, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	fd = open_regular(AT_FDCWD, regular);
	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	close(fd);
	unlink(fifo);
	unlink(regular);
	rmdir(dir);
}

static void paths_stay_inside_the_root(void **state)
{
	char dir[] = "/tmp/perftrace-root-XXXXXX", link[64];
	int rootfd, fd;

	assert_non_null(mkdtemp(dir));
	snprintf(link, sizeof(link), "%s/passwd", dir);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	rootfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(rootfd >= 0);
	fd = open_regular_in_root(rootfd, "/passwd");
	assert_true(fd == -ENOENT || fd == -ENOSYS);
	fd = open_regular_in_root(rootfd, "/../../etc/passwd");
	assert_true(fd == -ENOENT || fd == -ENOSYS);
	close(rootfd);
	unlink(link);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_file_works),
		cmocka_unit_test(libc_soname),
		cmocka_unit_test(truncation_anywhere),
		cmocka_unit_test(every_header_field),
		cmocka_unit_test(every_section_field),
		cmocka_unit_test(unsupported_kinds_are_named),
		cmocka_unit_test(compressed_sections),
		cmocka_unit_test(a_truncated_file_is_noticed),
		cmocka_unit_test(only_regular_files_are_opened),
		cmocka_unit_test(paths_stay_inside_the_root),
	};

	return cmocka_run_group_tests(tests, read_library, drop_library);
}
