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
#include <unistd.h>

#include "elf/image.h"
#include "elf/openfile.h"
#include "probe/insn.h"

#define RAX GPR_BIT(GPR_RAX)
#define RCX GPR_BIT(GPR_RCX)
#define RDX GPR_BIT(GPR_RDX)
#define RSP GPR_BIT(GPR_RSP)
#define RBP GPR_BIT(GPR_RBP)
#define RSI GPR_BIT(GPR_RSI)
#define RDI GPR_BIT(GPR_RDI)

struct known {
	const char *hex;
	enum insn_kind kind;
	bool emulated;
	uint16_t writes;
	const char *text;
};

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned int byte;

	while (sscanf(hex, "%2x", &byte) == 1) {
		out[n++] = (uint8_t)byte;
		hex += 2;
	}
	return n;
}

static const struct known known[] = {
	{"55", INSN_PUSH, true, RSP, "push %rbp"},
	{"4154", INSN_PUSH, true, RSP, "push %r12"},
	{"4854", INSN_PUSH, false, RSP, "push %rsp"},
	{"6655", INSN_PUSH, false, RSP, "push %rbp"},
	{"90", INSN_NOP, true, 0, "nop"},
	{"6690", INSN_NOP, true, 0, "nop"},
	{"f390", INSN_NOP, true, 0, "nop"},
	{"4190", INSN_PLAIN, false, RAX | GPR_BIT(GPR_R8), NULL},
	{"0f1f440000", INSN_NOP, false, 0, "nop"},
	{"662e0f1f840000000000", INSN_NOP, false, 0, "nop"},
	{"f30f1efa", INSN_ENDBR, false, 0, "endbr64"},
	{"740a", INSN_JCC, true, 0, "je"},
	{"0f84bf000000", INSN_JCC, true, 0, "je"},
	{"0f8793000000", INSN_JCC, true, 0, "ja"},
	{"2e7402", INSN_JCC, false, 0, "je"},
	{"eb10", INSN_JMP, true, 0, "jmp"},
	{"e900000000", INSN_JMP, true, 0, "jmp"},
	{"f2e900000000", INSN_JMP, true, 0, "jmp"},
	{"e800000000", INSN_CALL, true, GPR_ALL, "call"},
	{"666648e800000000", INSN_CALL, false, GPR_ALL, "call"},
	{"ffd0", INSN_CALL_INDIRECT, false, GPR_ALL, "call *"},
	{"ff25f8ffffff", INSN_JMP_INDIRECT, false, 0, "jmp *"},
	{"3effe2", INSN_JMP_INDIRECT, false, 0, "jmp *"},
	{"c3", INSN_RET, false, RSP, "ret"},
	{"f3c3", INSN_RET, false, RSP, "ret"},
	{"e2fe", INSN_LOOP, false, RCX, "loop"},
	{"0f05", INSN_SYSCALL, false, RAX | RCX | GPR_BIT(GPR_R11), "syscall"},
	{"0f0b", INSN_TRAP, false, GPR_ALL, "trap"},
	{"4885ff", INSN_PLAIN, false, 0, "test"},
	{"4881ff00100000", INSN_PLAIN, false, 0, "cmp"},
	{"803d461b140000", INSN_PLAIN, false, 0, "cmp"},
	{"4889f8", INSN_PLAIN, false, RAX, "mov"},
	{"4c8b80b8010000", INSN_PLAIN, false, GPR_BIT(GPR_R8), "mov"},
	{"644803042500000000", INSN_PLAIN, false, RAX, "add"},
	{"488d155c7f2c00", INSN_PLAIN, false, RDX, "lea"},
	{"4883ec10", INSN_PLAIN, false, RSP, "sub"},
	{"31ff", INSN_PLAIN, false, RDI, "xor"},
	{"48c1e81a", INSN_PLAIN, false, RAX, "shr"},
	{"f7e6", INSN_PLAIN, false, RAX | RDX, NULL},
	{"88d4", INSN_PLAIN, false, RAX, "mov"}, /* %ah, under a REX %spl */
	{"4088d4", INSN_PLAIN, false, RSP, "mov"},
	{"5d", INSN_PLAIN, false, RSP | RBP, NULL},
	{"c9", INSN_PLAIN, false, RSP | RBP, NULL},
	{"f348a5", INSN_PLAIN, false, RSI | RDI | RCX, NULL},
	{"0fb63c02", INSN_PLAIN, false, RDI, NULL},
	{"0f90c0", INSN_PLAIN, false, RAX, NULL},
	{"f30f1eca", INSN_PLAIN, false, RDX, NULL},   /* rdsspd %edx */
	{"c5f877", INSN_PLAIN, false, 0, NULL},	      /* vzeroupper */
	{"c4e2f0f2c2", INSN_PLAIN, false, RAX, NULL}, /* andn %rdx,%rcx,%rax */
	{"0fa2", INSN_PLAIN, false, RAX | RCX | RDX | GPR_BIT(GPR_RBX), NULL},
	{"48b80102030405060708", INSN_PLAIN, false, RAX, "mov"},
	{"66b80102", INSN_PLAIN, false, RAX, "mov"},
	{"48a10102030405060708", INSN_PLAIN, false, RAX, NULL},
	{"f6c208", INSN_PLAIN, false, 0, NULL},
	{"f7d8", INSN_PLAIN, false, RAX, NULL},
	{"c8100000", INSN_PLAIN, false, RSP | RBP, NULL},
	{"62f17c4828c1", INSN_PLAIN, false, 0, NULL},	    /* vmovaps */
	{"c5e95411", INSN_PLAIN, false, 0, NULL},	    /* vandpd (%rcx),%xmm2,%xmm2 */
	{"c5f97ec4", INSN_PLAIN, false, RSP, NULL},	    /* vmovd %xmm0,%esp */
	{"c5fa7ee4", INSN_PLAIN, false, 0, NULL},	    /* vmovq %xmm4,%xmm4 */
	{"c4e2fbf6d1", INSN_PLAIN, false, RAX | RDX, NULL}, /* mulx %rcx,%rax,%rdx */
	{"c4e2f8f3c9", INSN_PLAIN, false, RAX, NULL},	    /* blsr %rcx,%rax */
	{"fec4", INSN_PLAIN, false, RAX, NULL},		    /* inc %ah */
	{"ffc4", INSN_PLAIN, false, RSP, NULL},		    /* inc %esp */
	{"f6dc", INSN_PLAIN, false, RAX, NULL},		    /* neg %ah */
	{"f7dc", INSN_PLAIN, false, RSP, NULL},		    /* neg %esp */
	{"0fb1cc", INSN_PLAIN, false, RAX | RSP, NULL},	    /* cmpxchg %ecx,%esp */
	{"f30f7ee4", INSN_PLAIN, false, 0, NULL},	    /* movq %xmm4,%xmm4 */
	{"480fc70f", INSN_PLAIN, false, RAX | RDX, NULL},   /* cmpxchg16b (%rdi) */
	{"0faee8", INSN_PLAIN, false, 0, NULL},		    /* lfence */
	{"c7f810000000", INSN_XBEGIN, false, RAX, "xbegin"},
};

static void known_instructions(void **state)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint8_t code[INSN_LENGTH_MAX + 1] = {0};
		size_t n = from_hex(known[i].hex, code);
		struct insn insn;
		char text[24];

		assert_int_equal(insn_decode(code, n, &insn), 0);
		assert_int_equal(insn.length, n);
		assert_int_equal(insn.kind, known[i].kind);
		assert_int_equal(insn.emulated, known[i].emulated);
		assert_int_equal(insn.writes, known[i].writes);
		if (!known[i].text)
			continue;
		insn_describe(&insn, code, text, sizeof(text));
		assert_string_equal(text, known[i].text);
	}
}

static void branch_targets(void **state)
{
	static const uint8_t self[] = {0xeb, 0xfe}, far[] = {0x0f, 0x84, 0xbf, 0, 0, 0};
	struct insn insn;

	assert_int_equal(insn_decode(self, sizeof(self), &insn), 0);
	assert_true(insn.relative);
	assert_int_equal(insn.target, 0);
	assert_int_equal(insn_decode(far, sizeof(far), &insn), 0);
	assert_int_equal(insn.target, 6 + 0xbf);
}

static void unknown_and_short(void **state)
{
	static const char *const invalid[] = {
		"06",
		"0e",
		"60",
		"82c001",
		"9a00000000",
		"d4",
		"ea",
		"0f04",
		"0f0fc0b4",
		"66e800000000",
		"8fe878",
		"48c5f877",
		"62000000000000000000",
		"66666666666666666666666666666690",
		"0f24c0",
		"c4e0787700",
	};
	uint8_t code[32];
	struct insn insn;

	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		size_t n = from_hex(invalid[i], code);

		memset(code + n, 0x90, sizeof(code) - n);
		assert_int_equal(insn_decode(code, sizeof(code), &insn), -EINVAL);
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = from_hex(known[i].hex, code);

		for (size_t shorter = 0; shorter < n; shorter++)
			assert_int_not_equal(insn_decode(code, shorter, &insn), -EINVAL);
	}
	assert_int_equal(insn_decode(code, 0, &insn), -ENODATA);
}

/* Any bytes at all: never reads past the end (under a sanitizer), never more than 15 bytes. */
static void random_bytes(void **state)
{
	uint32_t seed = 1;

	for (int i = 0; i < 2000000; i++) {
		uint8_t *code = malloc(16), n;
		struct insn insn;

		for (int b = 0; b < 16; b++) {
			seed = seed * 1664525 + 1013904223;
			code[b] = seed >> 24;
		}
		n = seed & 15;
		if (!insn_decode(code + 16 - n, n, &insn)) {
			assert_true(insn.length >= 1 && insn.length <= 15);
			assert_true(insn.length <= n);
		}
		free(code);
	}
}

/* What one line of the disassembly says: where an instruction is, and whether to trust it. */
struct line {
	uint64_t vaddr;
	bool doubtful; /* (bad), or a prefix that objdump shows alone */
};

static bool read_line(FILE *f, struct line *out)
{
	char text[512], *end;

	while (fgets(text, sizeof(text), f)) {
		if (strstr(text, "...") || strstr(text, "section")) {
			out->vaddr = 0; /* zeros left out, or a gap: no boundary is known here */
			out->doubtful = true;
			return true;
		}
		if (text[0] != ' ')
			continue;
		out->vaddr = strtoull(text, &end, 16);
		if (*end != ':')
			continue;
		out->doubtful = strstr(end, "(bad)") || strstr(end, ".byte") ||
				strstr(end, "data16 rex") || strstr(end, "rex\n") ||
				strstr(end, "rex.");
		return true;
	}
	return false;
}

/* 1 = decodes to the same boundary, possibly as fwait and another instruction. */
static bool same_length(const uint8_t *code, size_t readable, uint64_t length)
{
	size_t at = 0;
	struct insn insn;

	while (at < length) {
		if (insn_decode(code + at, readable - at, &insn))
			return false;
		at += insn.length;
		if (at < length && code[at - 1] != 0x9b)
			return false;
	}
	return at == length;
}

static void compare_with_objdump(const char *path)
{
	struct line last = {0, true}, line;
	unsigned int checked = 0, mismatches = 0;
	struct elf_image *img;
	char command[256];
	FILE *f;
	int fd = open_regular(AT_FDCWD, path);

	if (fd < 0)
		skip();
	assert_int_equal(elf_image__open_fd(fd, &img, NULL), 0);
	snprintf(command, sizeof(command), "objdump -d -w --no-show-raw-insn %s 2>/dev/null", path);
	f = popen(command, "r");
	assert_non_null(f);
	while (read_line(f, &line)) {
		uint8_t code[16];
		uint64_t offset, length = line.vaddr - last.vaddr;

		if (last.vaddr && !last.doubtful && line.vaddr && length && length <= 15 &&
		    !elf_image__vaddr_to_offset(img, last.vaddr, &offset) &&
		    !elf_image__read(img, offset, code, sizeof(code))) {
			checked++;
			if (!same_length(code, sizeof(code), length) && mismatches++ < 20)
				fprintf(stderr, "%s: %#lx: not %lu bytes\n", path,
					(unsigned long)last.vaddr, (unsigned long)length);
		}
		last = line;
	}
	pclose(f);
	elf_image__free(img);
	assert_true(checked > 10000);
	assert_int_equal(mismatches, 0);
}

static void libc_like_objdump(void **state)
{
	compare_with_objdump("/lib/x86_64-linux-gnu/libc.so.6");
}

static void libstdcxx_like_objdump(void **state)
{
	compare_with_objdump("/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
}

static void libjemalloc_like_objdump(void **state)
{
	compare_with_objdump("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_instructions),
		cmocka_unit_test(branch_targets),
		cmocka_unit_test(unknown_and_short),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(libc_like_objdump),
		cmocka_unit_test(libstdcxx_like_objdump),
		cmocka_unit_test(libjemalloc_like_objdump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
