// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where results can be read. Small functions are written in assembly below; what the search finds
 * in them is compared with what was written.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi/heap.h"
#include "probe/insn.h"
#include "probe/results.h"

/* ---- code ---- */

#define FUNCTION(name, body)                                                                   \
	__asm__(".pushsection .text\n"                                                         \
		".type " name ", @function\n.globl " name "\n" name ":\n.cfi_startproc\n" body \
		".cfi_endproc\n.size " name ", . - " name "\n"                                 \
		".popsection\n")

/* A fast path like tcmalloc's: the branch before the common end knows the block in r9. */
FUNCTION("rt_fast", "mov (%rdi), %r9\n"
		    "test %r9, %r9\n"
		    "je 2f\n"
		    "mov %r9, %rdx\n"
		    "cmp $5, %rdx\n"
		    "rt_fast_jb: jb 3f\n"
		    "1: sub $1, %rdx\n"
		    "mov %r9, %rax\n"
		    "ret\n"
		    "3: mov %rdx, (%rdi)\n"
		    "rt_fast_jmp: jmp 1b\n"
		    "2: jmp rt_slow\n");
/* A slow path that calls: behind the call the branch over the failure. */
FUNCTION("rt_slow", "push %rbx\n"
		    "push %rbp\n"
		    "sub $8, %rsp\n"
		    "call rt_leaf\n"
		    "test %rax, %rax\n"
		    "rt_slow_je: je 1f\n"
		    "add $8, %rsp\n"
		    "pop %rbp\n"
		    "pop %rbx\n"
		    "ret\n"
		    "1: ud2\n");
/* Nothing but a return: that is the place. */
FUNCTION("rt_leaf", "mov %rdi, %rax\n"
		    "rt_leaf_ret: ret\n");
/* The value comes into being on the way: the branch is too early. */
FUNCTION("rt_late", "test %rdi, %rdi\n"
		    "je 1f\n"
		    "lea 16(%rdi), %rax\n"
		    "rt_late_ret: ret\n"
		    "1: xor %eax, %eax\n"
		    "rt_late_ret2: ret\n");
/* Both ways of one branch give the same. */
FUNCTION("rt_both", "mov %rdi, %rax\n"
		    "cmp $1, %esi\n"
		    "rt_both_je: je 1f\n"
		    "nop\n"
		    "ret\n"
		    "1: mov %rcx, %rdx\n"
		    "ret\n");
/* A jump table, or a tail call: nobody can tell where it goes. */
FUNCTION("rt_table", "mov %rdi, %rax\n"
		     "test %rsi, %rsi\n"
		     "je 1f\n"
		     "jmp *(%rsi)\n"
		     "1: mov %rcx, %rdx\n"
		     "ret\n");
/* Something that is no instruction. */
FUNCTION("rt_junk", "mov %rdi, %rax\n.byte 0x06\nret\n");
/* It never returns. */
FUNCTION("rt_never", "1: pause\njmp 1b\n");
/* The stack pointer is lost. */
FUNCTION("rt_frame", "push %rbp\n"
		     "mov %rsp, %rbp\n"
		     "call rt_leaf\n"
		     "test %rax, %rax\n"
		     "je 1f\n"
		     "leave\n"
		     "rt_frame_ret: ret\n"
		     "1: ud2\n");
/* The result is the stack pointer's neighbour; 8-bit and 32-bit writes end the walk, too. */
FUNCTION("rt_narrow", "test %rdi, %rdi\n"
		      "je 1f\n"
		      "mov $1, %al\n"
		      "rt_narrow_ret: ret\n"
		      "1: mov %edi, %eax\n"
		      "rt_narrow_ret2: ret\n");

/* ---- reading this very program ---- */

struct file {
	struct elf_image *image;
	struct elf_symbols *symbols;
	struct elf_imports *imports;
	struct fde_index *functions;
};

static struct file self;

static int open_file(struct file *f, const char *path)
{
	const char *why = "";

	if (elf_image__open_fd(open(path, O_RDONLY | O_CLOEXEC), &f->image, &why))
		return -1;
	assert_int_equal(elf_symbols__load(f->image, &f->symbols), 0);
	assert_int_equal(elf_imports__load(f->image, &f->imports), 0);
	fde_index__load(f->image, &f->functions);
	return 0;
}

static void close_file(struct file *f)
{
	elf_symbols__free(f->symbols);
	elf_imports__free(f->imports);
	fde_index__free(f->functions);
	elf_image__free(f->image);
}

static int find(const struct file *f, const char *name, result_site_list *sites, const char **why)
{
	struct result_code code = {f->image, f->symbols, f->imports, f->functions};
	const struct elf_symbol *symbol = elf_symbols__lookup(f->symbols, name, NULL);

	*why = NULL;
	if (!symbol)
		fail_msg("no %s", name);
	return results__find(&code, symbol->vaddr, sites, why);
}

/* How far the label lies from the function, as the program itself sees it. */
#define AT(function, label)                                                           \
	({                                                                            \
		uint64_t f_, l_;                                                      \
		__asm__("lea " function "(%%rip), %0" : "=r"(f_));                    \
		__asm__("lea " label "(%%rip), %0" : "=r"(l_));                       \
		elf_symbols__lookup(self.symbols, function, NULL)->vaddr + (l_ - f_); \
	})

static const struct result_site *site_at(const result_site_list *sites, uint64_t vaddr)
{
	const struct result_site *site;

	vec_for_each (sites, site)
		if (site->vaddr == vaddr)
			return site;
	return NULL;
}

static void assert_site(const result_site_list *sites, uint64_t vaddr, uint32_t description)
{
	const struct result_site *site = site_at(sites, vaddr);

	if (!site)
		fail_msg("no site at %#lx", vaddr);
	if (site->description != description)
		fail_msg("%#lx %s: %#x, want %#x", vaddr, site->instruction, site->description,
			 description);
}

static int set_up(void **state)
{
	memset(&self, 0, sizeof(self));
	return open_file(&self, "/proc/self/exe");
}

static int tear_down(void **state)
{
	close_file(&self);
	return 0;
}

#define B  (1 + 2) /* jb jumps */
#define AE (1 + 3) /* jb does not */
#define NE (1 + 5) /* je does not */

static void a_fast_path(void **state)
{
	result_site_list sites = {0};
	const char *why;

	assert_int_equal(find(&self, "rt_fast", &sites, &why), 0);
	assert_site(&sites, AT("rt_fast", "rt_fast_jb"), HEAP_RESULT_IN(GPR_R9, AE, 0));
	assert_site(&sites, AT("rt_fast", "rt_fast_jmp"), HEAP_RESULT_IN(GPR_R9, 0, 0));
	/* The slow path it goes on in: three words deep. */
	assert_site(&sites, AT("rt_slow", "rt_slow_je"), HEAP_RESULT_IN(GPR_RAX, NE, 3));
	assert_int_equal(sites.len, 3);
	for (size_t i = 0; i < sites.len; i++)
		assert_true(sites.data[i].emulated);
	vec_free(&sites);
}

static void returns_themselves(void **state)
{
	result_site_list sites = {0};
	const char *why;

	assert_int_equal(find(&self, "rt_leaf", &sites, &why), 0);
	assert_int_equal(sites.len, 1);
	assert_site(&sites, AT("rt_leaf", "rt_leaf_ret"), HEAP_RESULT_IN(GPR_RAX, 0, 0));
	assert_false(sites.data[0].emulated);
	vec_free(&sites);

	assert_int_equal(find(&self, "rt_late", &sites, &why), 0);
	assert_int_equal(sites.len, 2);
	assert_site(&sites, AT("rt_late", "rt_late_ret"), HEAP_RESULT_IN(GPR_RAX, 0, 0));
	assert_site(&sites, AT("rt_late", "rt_late_ret2"), HEAP_RESULT_IN(GPR_RAX, 0, 0));
	vec_free(&sites);

	assert_int_equal(find(&self, "rt_frame", &sites, &why), 0);
	assert_site(&sites, AT("rt_frame", "rt_frame_ret"), HEAP_RESULT_IN(GPR_RAX, 0, 0));
	vec_free(&sites);

	assert_int_equal(find(&self, "rt_narrow", &sites, &why), 0);
	assert_site(&sites, AT("rt_narrow", "rt_narrow_ret"), HEAP_RESULT_IN(GPR_RAX, 0, 0));
	assert_site(&sites, AT("rt_narrow", "rt_narrow_ret2"), HEAP_RESULT_IN(GPR_RAX, 0, 0));
	vec_free(&sites);
}

static void both_ways_of_a_branch(void **state)
{
	result_site_list sites = {0};
	const char *why;

	assert_int_equal(find(&self, "rt_both", &sites, &why), 0);
	assert_int_equal(sites.len, 1);
	assert_site(&sites, AT("rt_both", "rt_both_je"), HEAP_RESULT_IN(GPR_RAX, 0, 0));
	vec_free(&sites);
}

static void what_is_not_understood(void **state)
{
	result_site_list sites = {0};
	const char *why;

	assert_int_equal(find(&self, "rt_junk", &sites, &why), -ENOTSUP);
	assert_string_equal(why, "its code is not understood");
	assert_int_equal(find(&self, "rt_table", &sites, &why), -ENOTSUP);
	assert_non_null(strstr(why, "only a register or a table"));
	assert_int_equal(find(&self, "rt_never", &sites, &why), -ENOENT);
	assert_int_equal(sites.len, 0);
	vec_free(&sites);
}

/* What these do is not known beforehand; e2e case 28 holds what is read there to the truth. */
static void libstdcxx(void **state)
{
	static const char *const operators[] = {"_Znwm", "_Znam", "_ZnwmSt11align_val_t"};
	result_site_list sites = {0};
	struct file file = {0};
	const char *why;

	assert_int_equal(open_file(&file, "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(find(&file, operators[i], &sites, &why), 0);
		assert_true(sites.len >= 1);
	}
	vec_free(&sites);
	close_file(&file);
}

/* This program calls what libc has through its PLT or GOT; its own functions it calls directly. */
static void imports(void **state)
{
	bool found = false;
	struct elf_section sec;

	assert_int_equal(elf_image__section(self.image, ".got", &sec), 0);
	for (uint64_t at = sec.addr; at < sec.addr + sec.size; at += 8) {
		const char *name = elf_imports__of_slot(self.imports, at);

		found |= name && !strcmp(name, "open");
	}
	if (!elf_image__section(self.image, ".got.plt", &sec))
		for (uint64_t at = sec.addr; at < sec.addr + sec.size; at += 8) {
			const char *name = elf_imports__of_slot(self.imports, at);

			found |= name && !strcmp(name, "open");
		}
	assert_true(found);
	assert_null(
		elf_imports__of_stub(self.imports, self.image,
				     elf_symbols__lookup(self.symbols, "rt_leaf", NULL)->vaddr));
	assert_null(elf_imports__of_stub(self.imports, self.image, 0));
	assert_null(elf_imports__of_stub(self.imports, self.image, UINT64_MAX));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_fast_path),
		TEST(returns_themselves),
		TEST(both_ways_of_a_branch),
		TEST(what_is_not_understood),
		TEST(libstdcxx),
		TEST(imports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
