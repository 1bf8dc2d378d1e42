// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/notes.h"
#include "elf/openfile.h"

/* What sys/sdt.h emits, by hand: the test needs no header, and shows the layout. */
#define NOTE(address, semaphore, provider, name, arguments) \
	".pushsection .note.stapsdt,\"\",\"note\"\n"        \
	".balign 4\n"                                       \
	".4byte 992f-991f, 994f-993f, 3\n"                  \
	"991: .asciz \"stapsdt\"\n"                         \
	"992: .balign 4\n"                                  \
	"993: .8byte " address "\n"                         \
	".8byte _.stapsdt.base\n"                           \
	".8byte " semaphore "\n"                            \
	".asciz \"" provider "\"\n"                         \
	".asciz \"" name "\"\n"                             \
	".asciz \"" arguments "\"\n"                        \
	"994: .balign 4\n"                                  \
	".popsection\n"

__asm__(".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"
	".weak _.stapsdt.base\n.hidden _.stapsdt.base\n"
	"_.stapsdt.base: .space 1\n.size _.stapsdt.base, 1\n.popsection\n");

__attribute__((section(".probes"), used)) volatile unsigned short notes_test_semaphore = 7;

__attribute__((noinline, used)) int notes_test_function(int x);
int notes_test_function(int x)
{
	__asm__ volatile("notes_test_site: nop\n" ::);
	__asm__ volatile(NOTE("notes_test_site", "notes_test_semaphore", "unit", "with__semaphore",
			      "-4@%edi 8@-8(%rbp)"));
	__asm__ volatile(NOTE("notes_test_site", "0", "unit", "plain", ""));
	/* An address outside every segment: skipped and counted. */
	__asm__ volatile(NOTE("0x7000000000000000", "0", "unit", "nowhere", ""));
	return x + 1;
}

extern const char notes_test_site[] __attribute__((visibility("hidden")));

static uint64_t own_bias(void)
{
	Dl_info info;
	struct link_map *map;

	assert_true(dladdr1((void *)notes_test_function, &info, (void **)&map, RTLD_DL_LINKMAP));
	return map->l_addr;
}

static struct elf_image *open_image(const char *path)
{
	struct elf_image *img;
	int fd = open_regular(AT_FDCWD, path);

	if (fd < 0 || elf_image__open_fd(fd, &img, NULL))
		return NULL;
	return img;
}

static const struct usdt_note *find(const struct usdt_notes *notes, const char *name)
{
	const struct usdt_note *n;

	vec_for_each (&notes->list, n)
		if (!strcmp(n->name, name) && !strcmp(n->provider, "unit"))
			return n;
	return NULL;
}

static void own_notes(void **state)
{
	struct elf_image *img = open_image("/proc/self/exe");
	struct usdt_notes notes = {0};
	const struct usdt_note *n;
	unsigned short semaphore = 0;
	uint8_t byte = 0;

	assert_non_null(img);
	assert_int_equal(usdt_notes__load(img, &notes), 0);
	assert_int_equal(notes.malformed, 1);
	assert_false(notes.truncated);
	n = find(&notes, "with__semaphore");
	assert_non_null(n);
	assert_string_equal(n->arguments, "-4@%edi 8@-8(%rbp)");
	assert_int_equal(n->location, (uint64_t)notes_test_site - own_bias());
	assert_int_equal(n->semaphore, (uint64_t)&notes_test_semaphore - own_bias());
	/* The offsets lead to the nop and to the counter in the file. */
	assert_int_equal(elf_image__read(img, n->location_offset, &byte, 1), 0);
	assert_int_equal(byte, 0x90);
	assert_int_equal(elf_image__read(img, n->semaphore_offset, &semaphore, 2), 0);
	assert_int_equal(semaphore, 7);
	n = find(&notes, "plain");
	assert_non_null(n);
	assert_string_equal(n->arguments, "");
	assert_int_equal(n->semaphore, 0);
	assert_int_equal(n->semaphore_offset, 0);
	assert_null(find(&notes, "nowhere"));
	usdt_notes__free(&notes);
	elf_image__free(img);
}

static void postgres_notes(void **state)
{
	struct elf_image *img = open_image("/usr/lib/postgresql/15/bin/postgres");
	struct usdt_notes notes = {0};
	const struct usdt_note *n;
	int query_start = 0;

	if (!img)
		skip();
	assert_int_equal(usdt_notes__load(img, &notes), 0);
	assert_int_equal(notes.malformed, 0);
	assert_int_equal(notes.list.len, 71);
	vec_for_each (&notes.list, n) {
		uint8_t byte = 0;

		assert_string_equal(n->provider, "postgresql");
		assert_int_equal(elf_image__read(img, n->location_offset, &byte, 1), 0);
		assert_int_equal(byte, 0x90);
		assert_true(n->semaphore_offset != 0);
		query_start += !strcmp(n->name, "query__start");
	}
	assert_true(query_start >= 1);
	usdt_notes__free(&notes);
	elf_image__free(img);
}

/* Every single-byte corruption of our own note section is survived. */
static void corrupted_notes(void **state)
{
	struct elf_image *img = open_image("/proc/self/exe");
	size_t size = elf_image__size(img);
	uint8_t *copy = malloc(size);
	struct elf_section sec;

	assert_int_equal(elf_image__section(img, ".note.stapsdt", &sec), 0);
	assert_int_equal(elf_image__read(img, 0, copy, size), 0);
	elf_image__free(img);
	for (size_t i = 0; i < sec.size; i++) {
		int fd = memfd_create("elf", MFD_CLOEXEC);
		uint8_t kept = copy[sec.offset + i];
		struct usdt_notes notes = {0};

		copy[sec.offset + i] = 0xff;
		assert_int_equal(write(fd, copy, size), (ssize_t)size);
		copy[sec.offset + i] = kept;
		assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
		assert_int_equal(usdt_notes__load(img, &notes), 0);
		assert_true(notes.list.len <= 3);
		usdt_notes__free(&notes);
		elf_image__free(img);
	}
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_notes),
		cmocka_unit_test(postgres_notes),
		cmocka_unit_test(corrupted_notes),
	};

	assert_int_equal(notes_test_function(1), 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
