// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>

#include "probe/usdt_arg.h"

/* Where the kernel's struct pt_regs of x86-64 has its registers (arch/x86/include/asm/ptrace.h). */
enum word {
	R15,
	R14,
	R13,
	R12,
	RBP,
	RBX,
	R11,
	R10,
	R9,
	R8,
	RAX,
	RCX,
	RDX,
	RSI,
	RDI,
	RIP = 16,
	RSP = 19
};
#define AT(word) ((word)*8)

static const struct {
	enum word word;
	const char *names[4]; /* of 8, 4, 2 and 1 byte */
} registers[] = {
	{RAX, {"rax", "eax", "ax", "al"}},	{RBX, {"rbx", "ebx", "bx", "bl"}},
	{RCX, {"rcx", "ecx", "cx", "cl"}},	{RDX, {"rdx", "edx", "dx", "dl"}},
	{RSI, {"rsi", "esi", "si", "sil"}},	{RDI, {"rdi", "edi", "di", "dil"}},
	{RBP, {"rbp", "ebp", "bp", "bpl"}},	{RSP, {"rsp", "esp", "sp", "spl"}},
	{R8, {"r8", "r8d", "r8w", "r8b"}},	{R9, {"r9", "r9d", "r9w", "r9b"}},
	{R10, {"r10", "r10d", "r10w", "r10b"}}, {R11, {"r11", "r11d", "r11w", "r11b"}},
	{R12, {"r12", "r12d", "r12w", "r12b"}}, {R13, {"r13", "r13d", "r13w", "r13b"}},
	{R14, {"r14", "r14d", "r14w", "r14b"}}, {R15, {"r15", "r15d", "r15w", "r15b"}},
};

#define LOCATION 0x401000
#define COUNTER	 0x404010

static int find_variable(void *arg, const char *name, uint64_t *vaddr)
{
	if (strcmp(name, "counter") && strcmp(name, "ns.counter@1"))
		return -ENOENT;
	*vaddr = COUNTER;
	return 0;
}

static const struct usdt_place place = {.location = LOCATION, .variable = find_variable};

/* Parses from memory that ends with the string, so that a sanitizer sees any step behind it. */
static size_t parse(const char *text, struct arg_spec *args, size_t max)
{
	char *copy = strdup(text);
	size_t n;

	memset(args, 0xa5, max * sizeof(*args));
	n = usdt_arg__parse(copy, &place, args, max);
	free(copy);
	return n;
}

static struct arg_spec parse_one(const char *text)
{
	struct arg_spec arg;

	if (parse(text, &arg, 1) != 1)
		fail_msg("'%s' is not one argument", text);
	return arg;
}

static void assert_arg(const char *text, struct arg_spec want)
{
	struct arg_spec got = parse_one(text);

	if (got.kind != want.kind || got.size != want.size || got.is_signed != want.is_signed ||
	    got.scale != want.scale || got.reg_offset != want.reg_offset ||
	    got.index_offset != want.index_offset || got.value != want.value)
		fail_msg("'%s': kind %u size %u signed %u scale %u reg %u index %u value %lld",
			 text, got.kind, got.size, got.is_signed, got.scale, got.reg_offset,
			 got.index_offset, (long long)got.value);
}

static void every_register_at_every_size(void **state)
{
	for (size_t r = 0; r < sizeof(registers) / sizeof(registers[0]); r++) {
		for (unsigned int i = 0; i < 4; i++) {
			struct arg_spec want = {.kind = ARG_REG,
						.size = 8 >> i,
						.reg_offset = AT(registers[r].word)};
			char text[32];

			snprintf(text, sizeof(text), "%d@%%%s", 8 >> i, registers[r].names[i]);
			assert_arg(text, want);
			want.is_signed = 1;
			snprintf(text, sizeof(text), "-%d@%%%s", 8 >> i, registers[r].names[i]);
			assert_arg(text, want);
		}
	}
	/* The note's size rules, not the register's name: compilers write 4@%rax, too. */
	assert_arg("4@%rax", (struct arg_spec){ARG_REG, 4, 0, 0, AT(RAX), 0, 0});
}

static void constants(void **state)
{
	assert_arg("4@$0", (struct arg_spec){.kind = ARG_CONST, .size = 4});
	assert_arg("-4@$-1", (struct arg_spec){ARG_CONST, 4, 1, 0, 0, 0, -1});
	assert_arg("-4@$8192", (struct arg_spec){ARG_CONST, 4, 1, 0, 0, 0, 8192});
	assert_arg("1@$255", (struct arg_spec){ARG_CONST, 1, 0, 0, 0, 0, 255});
	assert_arg("8@$0x7fff", (struct arg_spec){ARG_CONST, 8, 0, 0, 0, 0, 0x7fff});
	assert_arg("8@$9223372036854775807",
		   (struct arg_spec){ARG_CONST, 8, 0, 0, 0, 0, INT64_MAX});
	assert_arg("-8@$-9223372036854775808",
		   (struct arg_spec){ARG_CONST, 8, 1, 0, 0, 0, INT64_MIN});
}

static void memory(void **state)
{
	assert_arg("8@(%rdi)", (struct arg_spec){ARG_DEREF, 8, 0, 0, AT(RDI), 0, 0});
	assert_arg("8@-144(%rbp)", (struct arg_spec){ARG_DEREF, 8, 0, 0, AT(RBP), 0, -144});
	assert_arg("1@-57(%rbp)", (struct arg_spec){ARG_DEREF, 1, 0, 0, AT(RBP), 0, -57});
	assert_arg("-4@16(%rsp)", (struct arg_spec){ARG_DEREF, 4, 1, 0, AT(RSP), 0, 16});
	assert_arg("4@0(%r13)", (struct arg_spec){ARG_DEREF, 4, 0, 0, AT(R13), 0, 0});
	assert_arg("2@0x10(%r12)", (struct arg_spec){ARG_DEREF, 2, 0, 0, AT(R12), 0, 16});
	assert_arg("-4@16(%rbp,%rax,4)",
		   (struct arg_spec){ARG_DEREF, 4, 1, 4, AT(RBP), AT(RAX), 16});
	assert_arg("8@(%rdx,%rcx,8)", (struct arg_spec){ARG_DEREF, 8, 0, 8, AT(RDX), AT(RCX), 0});
	assert_arg("8@-8(%rdx,%r15)", (struct arg_spec){ARG_DEREF, 8, 0, 1, AT(RDX), AT(R15), -8});
	for (int scale = 1; scale <= 8; scale *= 2) {
		char text[32];

		snprintf(text, sizeof(text), "8@(%%rax,%%rbx,%d)", scale);
		assert_arg(text, (struct arg_spec){ARG_DEREF, 8, 0, scale, AT(RAX), AT(RBX), 0});
	}
}

/* At the probe the instruction pointer is where the probe is: 0x3010 before the variable. */
static void relative(void **state)
{
	assert_arg("-4@counter(%rip)",
		   (struct arg_spec){ARG_DEREF, 4, 1, 0, AT(RIP), 0, COUNTER - LOCATION});
	assert_arg("8@counter+8(%rip)",
		   (struct arg_spec){ARG_DEREF, 8, 0, 0, AT(RIP), 0, COUNTER - LOCATION + 8});
	assert_arg("8@counter-8(%rip)",
		   (struct arg_spec){ARG_DEREF, 8, 0, 0, AT(RIP), 0, COUNTER - LOCATION - 8});
	assert_arg("8@16+counter(%rip)",
		   (struct arg_spec){ARG_DEREF, 8, 0, 0, AT(RIP), 0, COUNTER - LOCATION + 16});
	assert_arg("8@ns.counter@1(%rip)",
		   (struct arg_spec){ARG_DEREF, 8, 0, 0, AT(RIP), 0, COUNTER - LOCATION});
}

/* All of an argument that cannot be fetched is blank, or the kernel side would read half of it. */
static void unfetchable(void **state)
{
	static const char *const texts[] = {
		"-4@NBuffers(%rip)",
		"-4@40+CheckpointStats(%rip)",
		"8@counter(%rip,%rax,1)",
		"8@counter(%rip",
		"8@(%rip)",
		"8@counter+(%rip)",
		"8@8+(%rip)",
		"8@0(%rip)",
		"8@symbol",
		"8@%ah",
		"8@%xmm0",
		"8@%eflags",
		"8@%fs:16",
		"8@%",
		"8@%raxx",
		"8@%rax,",
		"8@%rax%rbx",
		"8@%r16",
		"@%rax",
		"8%rax",
		"8",
		"8@",
		"-@%rax",
		"3@%rax",
		"0@%rax",
		"16@%rax",
		"-16@%rax",
		"257@%rax",
		"264@%rax",
		"-9223372036854775808@%rax",
		"99999999999999999999@%rax",
		"rax@8",
		"4@$",
		"4@$x",
		"4@$1x",
		"8@$18446744073709551616",
		"8@$99999999999999999999",
		"8@-(%rbp)",
		"8@8",
		"8@8(",
		"8@8()",
		"8@8(rbp)",
		"8@8(%rbp",
		"8@8(%rbp))",
		"8@8(%rbp)x",
		"8@8(%rbp,)",
		"8@8(%rbp,4)",
		"8@8(%rbp,%rax",
		"8@8(%rbp,%rax,)",
		"8@8(%rbp,%rax,3)",
		"8@8(%rbp,%rax,0)",
		"8@8(%rbp,%rax,-1)",
		"8@8(%rbp,%rax,16)",
		"8@8(%rbp,%rax,257)",
		"8@8(,%rax,8)",
		"8@99999999999999999999(%rbp)",
		"8@8(%rbp,%rip,4)",
		"\t",
		"8@\xff\xfe",
	};
	static const struct arg_spec none = {.kind = ARG_NONE};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_arg(texts[i], none);
}

/* Every beginning of a good operand that is not itself good. */
static void truncated(void **state)
{
	static const char whole[] = "-4@16(%rbp,%rax,4)";

	for (size_t len = 1; len < sizeof(whole) - 1; len++) {
		char text[sizeof(whole)] = "";

		memcpy(text, whole, len);
		assert_arg(text, (struct arg_spec){.kind = ARG_NONE});
	}
}

static void overlong(void **state)
{
	struct arg_spec args[3];
	char text[1024];

	/* A displacement of 300 digits, then good arguments: they are not spoilt. */
	snprintf(text, sizeof(text), "8@%%rdi 8@%0300d(%%rbp) 4@%%esi", 16);
	assert_int_equal(parse(text, args, 3), 3);
	assert_int_equal(args[0].kind, ARG_REG);
	assert_int_equal(args[1].kind, ARG_NONE);
	assert_int_equal(args[1].size, 0);
	assert_int_equal(args[2].kind, ARG_REG);
	assert_int_equal(args[2].reg_offset, AT(RSI));
	/* Around the length that is still looked at: no cut operand is taken for a good one. */
	for (int zeros = 100; zeros < 140; zeros++) {
		struct arg_spec arg;

		snprintf(text, sizeof(text), "8@$%0*d", zeros, 12);
		arg = parse_one(text);
		assert_true(arg.kind == ARG_NONE || arg.kind == ARG_CONST);
		if (arg.kind == ARG_CONST)
			assert_int_equal(arg.value, 10); /* octal, as strtoll reads it */
	}
}

static void lists(void **state)
{
	struct arg_spec args[USDT_ARGS_MAX + 1];

	assert_int_equal(parse("", args, USDT_ARGS_MAX), 0);
	assert_int_equal(parse("   ", args, USDT_ARGS_MAX), 0);
	assert_int_equal(parse("  8@%rdi   4@$1  ", args, USDT_ARGS_MAX), 2);
	assert_int_equal(args[0].reg_offset, AT(RDI));
	assert_int_equal(args[1].value, 1);
	assert_int_equal(parse("8@%rdi 4@$1", args, 0), 0);
	assert_int_equal(parse("8@%rdi 4@$1", args, 1), 1);
}

static void more_than_twelve(void **state)
{
	struct arg_spec args[USDT_ARGS_MAX + 1];
	char text[256] = "";

	memset(&args[USDT_ARGS_MAX], 0x5a, sizeof(args[0]));
	for (int i = 0; i < USDT_ARGS_MAX + 5; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "4@$%d ", i);
	assert_int_equal(parse(text, args, USDT_ARGS_MAX), USDT_ARGS_MAX);
	for (int i = 0; i < USDT_ARGS_MAX; i++)
		assert_int_equal(args[i].value, i);
	assert_int_equal(args[USDT_ARGS_MAX].kind, 0x5a);
}

/* As they stand in Debian's postgresql-15. */
static void postgresql(void **state)
{
	struct arg_spec args[USDT_ARGS_MAX];

	assert_int_equal(
		parse("-4@$0 -4@$0 -4@%ecx -4@16(%rbp) -4@%r9d -4@%eax", args, USDT_ARGS_MAX), 6);
	assert_int_equal(args[0].kind, ARG_CONST);
	assert_int_equal(args[2].kind, ARG_REG);
	assert_int_equal(args[2].reg_offset, AT(RCX));
	assert_int_equal(args[3].kind, ARG_DEREF);
	assert_int_equal(args[3].reg_offset, AT(RBP));
	assert_int_equal(args[3].value, 16);
	assert_int_equal(args[4].reg_offset, AT(R9));
	assert_int_equal(args[5].reg_offset, AT(RAX));
	for (int i = 0; i < 6; i++) {
		assert_int_equal(args[i].size, 4);
		assert_int_equal(args[i].is_signed, 1);
	}

	assert_int_equal(parse("-4@NBuffers(%rip) -4@%eax -4@%r14d", args, USDT_ARGS_MAX), 3);
	assert_int_equal(args[0].kind, ARG_NONE);
	assert_int_equal(args[1].kind, ARG_REG);
	assert_int_equal(args[2].kind, ARG_REG);
	assert_int_equal(args[2].reg_offset, AT(R14));

	assert_int_equal(parse("4@(%r12) 4@4(%r12) 4@8(%r12) 2@12(%r12) 1@14(%r12) -4@%r13d", args,
			       USDT_ARGS_MAX),
			 6);
	assert_int_equal(args[0].value, 0);
	assert_int_equal(args[3].size, 2);
	assert_int_equal(args[4].value, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_register_at_every_size),
		cmocka_unit_test(constants),
		cmocka_unit_test(memory),
		cmocka_unit_test(relative),
		cmocka_unit_test(unfetchable),
		cmocka_unit_test(truncated),
		cmocka_unit_test(overlong),
		cmocka_unit_test(lists),
		cmocka_unit_test(more_than_twelve),
		cmocka_unit_test(postgresql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
