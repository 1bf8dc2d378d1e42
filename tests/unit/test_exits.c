// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/exits.h"

/*
 * Functions written for this test, in this program's own code; nothing ever calls them. Each exit
 * is marked where it stands, so that what is expected is listed by the assembler:
 * EXIT(kind) notes the address of the instruction that follows it.
 */
struct expected {
	uint64_t vaddr, kind;
};

/* clang-format off */
#define EXIT(kind) "990: .pushsection expected_exits,\"aw\"; .quad 990b, " #kind "; .popsection\n"
#define RET  EXIT(0) "ret\n"
#define TAIL EXIT(1)
#define JCC  EXIT(2)
#define IND  EXIT(3)

/* A part in another section, as compilers place it; `part` is 2 there. */
#define BEGIN(name) ".pushsection .text; .balign 16; fx_" name ":\n"
#define END(name)   "fx_" name "_end: .popsection\n"
#define COLD(name)  ".pushsection .text.unlikely; .balign 16; fx_" name "_cold:\n"
#define COLD_END(name) "fx_" name "_cold_end: .popsection\n"

extern const struct expected __start_expected_exits[], __stop_expected_exits[];

__asm__(".pushsection .text; other_function: ret; .popsection\n"
	BEGIN("leaf") "xor %eax,%eax\n" RET END("leaf")
	BEGIN("rep") EXIT(0) "rep ret\n" END("rep")
	BEGIN("pops") EXIT(0) "ret $8\n" END("pops")
	BEGIN("two") "test %rdi,%rdi; je 1f\n" RET "nopw 0x0(%rax,%rax); 1: push %rbx; pop %rbx\n" RET
		END("two")
	/* A jump over data that would decode as a return. */
	BEGIN("data") "jmp 1f; .byte 0xc3, 0x48, 0xc3; 1: inc %eax\n" RET END("data")
	BEGIN("loop") "1: dec %edi; jne 1b\n" RET END("loop")
	BEGIN("again") "fx_again_body: test %edi,%edi; je 1f; dec %edi; jmp fx_again; 1:" RET
		END("again")
	BEGIN("tail") "push %rbx; call other_function; pop %rbx\n" TAIL "jmp other_function\n"
		END("tail")
	BEGIN("tail_jcc") "test %rdi,%rdi\n" JCC "jne other_function\n xor %eax,%eax\n" RET
		END("tail_jcc")
	BEGIN("far_tail_jcc") "test %rdi,%rdi\n" JCC ".byte 0x0f,0x85; .long other_function-.-4\n" RET
		END("far_tail_jcc")
	BEGIN("leave") "push %rbp; mov %rsp,%rbp; push %rbx; sub $0x18,%rsp; mov -8(%rbp),%rbx; leave\n"
		TAIL "jmp other_function\n" END("leave")
	BEGIN("alloca") "push %rbp; mov %rsp,%rbp; push %rbx; sub %rdi,%rsp; and $-16,%rsp\n"
		"call other_function; lea -8(%rbp),%rsp; pop %rbx; pop %rbp\n"
		TAIL "jmp other_function\n" END("alloca")
	/* gcc's way to align a frame when there are arguments in the stack. */
	BEGIN("realign") "lea 8(%rsp),%r10; and $-32,%rsp; push -8(%r10); push %rbp; mov %rsp,%rbp\n"
		"push %r10; call other_function; pop %r10; pop %rbp; lea -8(%r10),%rsp\n" RET
		END("realign")
	/* Touches each page of a large frame (-fstack-clash-protection). */
	BEGIN("clash") "lea -0x8000(%rsp),%r11; 1: sub $0x1000,%rsp; orq $0,(%rsp); cmp %r11,%rsp\n"
		"jne 1b; add $0x8000,%rsp\n" TAIL "jmp other_function\n" END("clash")
	BEGIN("saved_rsp") "push %rbx; mov %rsp,%rbx; sub %rdi,%rsp; mov %rbx,%rsp; pop %rbx\n" RET
		END("saved_rsp")
	/* vmovaps %xmm4 is no write to rsp, %ah neither. */
	BEGIN("look_alikes") "vaddps %xmm4,%xmm4,%xmm4; mov $1,%ah; movq %xmm4,%xmm4\n"
		TAIL "jmp other_function\n" END("look_alikes")

	/* Calls that do not return: at the end, before padding, before a block with a frame. */
	BEGIN("abort_last") "test %rdi,%rdi; je 1f\n" RET "1: push %rax; call other_function\n"
		END("abort_last")
	BEGIN("abort_middle") "test %rdi,%rdi; je 1f; sub $0x18,%rsp; test %rsi,%rsi; je 2f\n"
		"add $0x18,%rsp\n" RET "2: call other_function; nopw 0x0(%rax,%rax); 1: xor %eax,%eax\n"
		TAIL "jmp other_function\n" END("abort_middle")
	BEGIN("trap") "test %rdi,%rdi; je 1f\n" RET "1: ud2\n" END("trap")
	BEGIN("halts") "test %rdi,%rdi; je 1f\n" RET "1: mov $60,%eax; syscall; hlt\n" END("halts")
	BEGIN("crossing_end") "push %rbx; test %rdi,%rdi; je fx_crossing_end_end; pop %rbx\n" RET
		END("crossing_end")

	/* Indirect jumps. */
	BEGIN("switch_pic") "cmp $2,%edi; ja 1f; lea 9f(%rip),%rdx; mov %edi,%edi\n"
		"movslq (%rdx,%rdi,4),%rax; add %rdx,%rax; jmp *%rax\n"
		"2: mov $1,%eax\n" RET "3: mov $2,%eax\n" RET "1: xor %eax,%eax\n" RET
		".pushsection .rodata; .balign 4; 9: .long 2b-9b, 3b-9b, 1b-9b; .popsection\n"
		END("switch_pic")
	BEGIN("switch_notrack") "cmp $1,%edi; ja 1f; notrack jmp *%rax; 2: nop\n" RET "1:" RET
		END("switch_notrack")
	BEGIN("switch_framed") "push %rbx; jmp *%rax; 2: pop %rbx\n" RET "3: pop %rbx\n"
		TAIL "jmp other_function\n" END("switch_framed")
	BEGIN("dispatch") "mov (%rdi),%rax\n" IND "jmp *0x18(%rax)\n" END("dispatch")
	BEGIN("callback") "mov %rsi,%rax\n" IND "jmp *%rax\n" END("callback")
	BEGIN("got") IND "jmp *fx_leaf(%rip)\n" END("got")
	BEGIN("framed_callback") "push %rbx; mov %rsi,%rbx; call other_function; mov %rbx,%rax; pop %rbx\n"
		IND "jmp *%rax\n" END("framed_callback")
	BEGIN("switch_and_callback") "cmp $1,%edi; ja 1f; lea 9f(%rip),%rdx; mov %edi,%edi\n"
		"movslq (%rdx,%rdi,4),%rax; add %rdx,%rax; jmp *%rax\n"
		"2: mov $1,%eax\n" RET "3: mov 8(%rsi),%rax\n" IND "jmp *%rax\n" "1: xor %eax,%eax\n" RET
		".pushsection .rodata; .balign 4; 9: .long 2b-9b, 3b-9b; .popsection\n"
		END("switch_and_callback")

	/* Split off: a part that comes back, one that has an exit of its own. */
	BEGIN("split") "push %rbx; test %rdi,%rdi; je fx_split_cold; fx_split_back: pop %rbx\n" RET
		END("split")
	COLD("split") "call other_function; test %eax,%eax; jne fx_split_back; pop %rbx\n" RET
		COLD_END("split")

	/* Refused. */
	BEGIN("r_forever") "1: pause; jmp 1b\n" END("r_forever")
	BEGIN("r_abort") "push %rax; call other_function\n" END("r_abort")
	BEGIN("r_runs_on") "inc %eax\n" END("r_runs_on")
	BEGIN("r_swapped") "mov %rsp,(%rdi); mov (%rsi),%rsp; ret\n" END("r_swapped")
	BEGIN("r_longjmp") "mov 0x30(%rdi),%rdx; mov %rdx,%rsp; jmp *0x38(%rdi)\n" END("r_longjmp")
	BEGIN("r_xchg") "xchg %rdi,%rsp; ret\n" END("r_xchg")
	BEGIN("r_retpoline") "call 2f; 1: pause; lfence; jmp 1b; 2: mov %rax,(%rsp); ret\n"
		END("r_retpoline")
	BEGIN("r_push_ret") "push %rdi; ret\n" END("r_push_ret")
	BEGIN("r_pops_return") "pop %rdx; syscall; push %rdx; ret\n" END("r_pops_return")
	BEGIN("r_computed") "lea 1f(%rip),%rax; add %rdi,%rax; jmp *%rax; 1: nop; inc %eax; ret\n"
		END("r_computed")
	BEGIN("r_crossing") "push %rbx; test %rdi,%rdi; je other_function; pop %rbx; ret\n"
		END("r_crossing")
	BEGIN("r_loop_out") "loop fx_r_loop_out_end; ret\n" END("r_loop_out")
	BEGIN("r_far") "lretq\n" END("r_far")
	BEGIN("r_bytes") "test %edi,%edi; je 1f; ret; 1: .byte 0x06\n" END("r_bytes")
	BEGIN("r_overlap") "test %edi,%edi; je 1f+1; 1: mov $0xc3c3c3c3,%eax; ret\n" END("r_overlap")
	BEGIN("r_prefix") ".byte 0x3e; ret\n" END("r_prefix")
	BEGIN("r_many") ".rept 300\n test %edi,%edi; je 1f; ret; 1: nop\n .endr\n ret\n" END("r_many"));

/* clang-format on */

struct fixture {
	const char *what;
	const uint8_t *code, *end;
	const uint8_t *cold, *cold_end;
	const char *refused; /* part of the phrase; NULL: it is not */
	bool reenters, crosses;
};

#define CODE(name) extern const uint8_t fx_##name[], fx_##name##_end[]
#define F(name)	   .what = #name, .code = fx_##name, .end = fx_##name##_end

CODE(leaf);
CODE(rep);
CODE(pops);
CODE(two);
CODE(data);
CODE(loop);
CODE(again);
CODE(tail);
CODE(tail_jcc);
CODE(far_tail_jcc);
CODE(leave);
CODE(alloca);
CODE(realign);
CODE(clash);
CODE(saved_rsp);
CODE(look_alikes);
CODE(abort_last);
CODE(abort_middle);
CODE(trap);
CODE(halts);
CODE(crossing_end);
CODE(switch_pic);
CODE(switch_notrack);
CODE(switch_framed);
CODE(dispatch);
CODE(callback);
CODE(got);
CODE(framed_callback);
CODE(switch_and_callback);
CODE(split);
CODE(split_cold);
CODE(r_forever);
CODE(r_abort);
CODE(r_runs_on);
CODE(r_swapped);
CODE(r_longjmp);
CODE(r_xchg);
CODE(r_retpoline);
CODE(r_push_ret);
CODE(r_pops_return);
CODE(r_computed);
CODE(r_crossing);
CODE(r_loop_out);
CODE(r_far);
CODE(r_bytes);
CODE(r_overlap);
CODE(r_prefix);
CODE(r_many);

static const struct fixture fixtures[] = {
	{F(leaf)},
	{F(rep)},
	{F(pops)},
	{F(two)},
	{F(data)},
	{F(loop), .reenters = true},
	{F(again), .reenters = true},
	{F(tail)},
	{F(tail_jcc)},
	{F(far_tail_jcc)},
	{F(leave)},
	{F(alloca)},
	{F(realign)},
	{F(clash)},
	{F(saved_rsp)},
	{F(look_alikes)},
	{F(abort_last)},
	{F(abort_middle)},
	{F(trap)},
	{F(halts)},
	{F(crossing_end), .crosses = true},
	{F(switch_pic)},
	{F(switch_notrack)},
	{F(switch_framed)},
	{F(dispatch)},
	{F(callback)},
	{F(got)},
	{F(framed_callback)},
	{F(switch_and_callback)},
	{F(split), .cold = fx_split_cold, .cold_end = fx_split_cold_end},
	{F(r_forever), .refused = "never returns", .reenters = true},
	{F(r_abort), .refused = "never returns"},
	{F(r_runs_on), .refused = "runs on"},
	{F(r_swapped), .refused = "switches to another stack"},
	{F(r_longjmp), .refused = "switches to another stack"},
	{F(r_xchg), .refused = "switches to another stack"},
	{F(r_retpoline), .refused = "own middle"},
	{F(r_push_ret), .refused = "put on the stack"},
	{F(r_pops_return), .refused = "return address off"},
	{F(r_computed), .refused = "may or may not"},
	{F(r_crossing), .refused = "frame still in place", .crosses = true},
	{F(r_loop_out), .refused = "cannot be probed"},
	{F(r_far), .refused = "far return"},
	{F(r_bytes), .refused = "not understood"},
	{F(r_overlap), .refused = "overlap"},
	{F(r_prefix), .refused = "uprobes refuse"},
	{F(r_many), .refused = "too many"},
};

static int read_own_memory(void *context, uint64_t vaddr, void *buf, size_t len)
{
	memcpy(buf, (const void *)vaddr, len);
	return 0;
}

/* The code as a copy that ends where it ends, for sanitizers. */
static struct flow_part part_of(const uint8_t *code, const uint8_t *end)
{
	size_t len = (size_t)(end - code);
	uint8_t *copy = malloc(len);

	memcpy(copy, code, len);
	return (struct flow_part){.vaddr = (uintptr_t)code, .code = copy, .len = len};
}

static bool is_expected(const struct fixture *f, const struct exit_site *site)
{
	const struct expected *e;

	for (e = __start_expected_exits; e < __stop_expected_exits; e++) {
		if (e->vaddr == (uint64_t)((intptr_t)f->code + site->offset))
			return e->kind == (uint64_t)site->kind;
	}
	return false;
}

static size_t count_expected(const uint8_t *from, const uint8_t *to)
{
	const struct expected *e;
	size_t n = 0;

	for (e = __start_expected_exits; e < __stop_expected_exits; e++)
		n += e->vaddr >= (uintptr_t)from && e->vaddr < (uintptr_t)to;
	return n;
}

static void find(const struct fixture *f, bool with_reader, struct exits *out)
{
	struct flow_part parts[2] = {part_of(f->code, f->end)};
	struct exits_function function = {
		.parts = parts,
		.part_count = 1,
		.read = with_reader ? read_own_memory : NULL,
	};

	if (f->cold) {
		parts[1] = part_of(f->cold, f->cold_end);
		function.part_count = 2;
	}
	assert_int_equal(exits__find(&function, out), 0);
	free((void *)parts[0].code);
	free((void *)parts[1].code);
}

static void check(const struct fixture *f, bool with_reader)
{
	struct exits exits = {0};
	size_t wanted = count_expected(f->code, f->end) + count_expected(f->cold, f->cold_end);
	const struct exit_site *site;

	find(f, with_reader, &exits);
	if (f->refused) {
		if (!exits.refused || !strstr(exits.refused, f->refused))
			fail_msg("%s: %s", f->what, exits.refused ? exits.refused : "not refused");
		assert_int_equal(exits.sites.len, 0);
	} else {
		if (exits.refused)
			fail_msg("%s: %s", f->what, exits.refused);
		vec_for_each (&exits.sites, site) {
			if (!is_expected(f, site))
				fail_msg("%s: no such exit at +%#lx", f->what, (long)site->offset);
			assert_int_equal(site->emulated, site->kind == EXIT_TAIL_JMP ||
								 site->kind == EXIT_TAIL_JCC);
			assert_true(site->instruction[0]);
		}
		if (exits.sites.len != wanted)
			fail_msg("%s: %zu exits of %zu", f->what, exits.sites.len, wanted);
	}
	if (exits.reenters != f->reenters || f->crosses != (exits.wants.len > 0))
		fail_msg("%s: reenters %d, wants %zu", f->what, exits.reenters, exits.wants.len);
	exits__free(&exits);
}

static void fixtures_have_their_exits(void **state)
{
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		check(&fixtures[i], false);
		check(&fixtures[i], true);
	}
}

/* Every single cut either leaves an exit list that is a subset, or a refusal; never a crash. */
static void cut_anywhere(void **state)
{
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		struct fixture f = fixtures[i];

		f.cold = f.cold_end = NULL;
		for (const uint8_t *end = f.code + 1; end < fixtures[i].end; end++) {
			struct exits exits = {0};

			f.end = end;
			find(&f, true, &exits);
			assert_true(exits.refused || exits.sites.len);
			exits__free(&exits);
		}
	}
}

static void details(void **state)
{
	const struct fixture tail = {F(tail_jcc)}, split = {F(split)},
			     whole = {F(split), .cold = fx_split_cold,
				      .cold_end = fx_split_cold_end};
	extern const uint8_t other_function[];
	struct exits exits = {0};

	find(&tail, false, &exits);
	assert_int_equal(exits.sites.data[0].kind, EXIT_TAIL_JCC);
	assert_int_equal(exits.sites.data[0].condition, 5); /* jne */
	assert_string_equal(exits.sites.data[0].instruction, "jne");
	assert_int_equal(exits.sites.data[0].target, (uintptr_t)other_function);
	assert_true(exits.sites.data[0].proven);
	assert_string_equal(exits.sites.data[1].instruction, "ret");
	assert_int_equal(exits.sites.data[1].target, 0);
	exits__free(&exits);

	/* Without its cold part it asks for it. */
	exits = (struct exits){0};
	find(&split, false, &exits);
	assert_non_null(exits.refused);
	assert_int_equal(exits.wants.len, 1);
	assert_int_equal(exits.wants.data[0].vaddr, (uintptr_t)fx_split_cold);
	exits__free(&exits);

	exits = (struct exits){0};
	find(&whole, false, &exits);
	assert_int_equal(exits.sites.len, 2);
	assert_int_equal(exits.sites.data[1].offset,
			 (intptr_t)fx_split_cold_end - 1 - (intptr_t)fx_split);
	exits__free(&exits);
}

static void landing_pads(void **state)
{
	/* call; add $8,%rsp; ret; pad: mov %rax,%rdi; call; add $8,%rsp; ret */
	static const uint8_t code[] = {0x48, 0x83, 0xec, 8, 0xe8, 0,	1,    0,    0,
				       0x48, 0x83, 0xc4, 8, 0xc3, 0x48, 0x89, 0xc7, 0xe8,
				       0,    1,	   0,	 0, 0x48, 0x83, 0xc4, 8,    0xc3};
	const struct flow_part part = {.vaddr = 0x1000, .code = code, .len = sizeof(code)};
	const uint64_t pads[] = {0x100e, 0x9000};
	struct exits_function function = {.parts = &part, .part_count = 1};
	struct exits exits = {0};

	assert_int_equal(exits__find(&function, &exits), 0);
	assert_int_equal(exits.sites.len, 1);
	exits__free(&exits);
	exits = (struct exits){0};
	function.landing_pads = pads;
	function.landing_pad_count = 2;
	assert_int_equal(exits__find(&function, &exits), 0);
	assert_int_equal(exits.sites.len, 2);
	assert_int_equal(exits.sites.data[1].offset, sizeof(code) - 1);
	assert_true(exits.sites.data[1].proven);
	exits__free(&exits);
}

static void unusable_code(void **state)
{
	static uint8_t nothing[1];
	struct flow_part parts[FLOW_PARTS_MAX + 1] = {{.vaddr = 0x1000, .code = nothing}};
	struct exits_function function = {.parts = parts, .part_count = 1};
	struct exits exits = {0};

	assert_int_equal(exits__find(&function, &exits), -EINVAL);
	function.part_count = 0;
	assert_int_equal(exits__find(&function, &exits), -EINVAL);
	function.part_count = 1;
	parts[0].len = FLOW_BYTES_MAX + 1;
	assert_int_equal(exits__find(&function, &exits), 0);
	assert_string_equal(exits.refused, "its code is too large");
	exits__free(&exits);
}

/* Whatever the bytes are: an end, and exits only at instructions that leave. */
static void random_code(void **state)
{
	static const uint8_t lively[] = {0xeb, 0x74, 0xe9, 0xe8, 0xc3, 0xff, 0x48, 0x83,
					 0xc4, 0xec, 0x55, 0x5d, 0xc9, 0x0f, 0x63, 0x8d};
	uint32_t seed = 99;

	for (int i = 0; i < 30000; i++) {
		struct flow_part part = {.vaddr = 0x1000, .len = 64 + (size_t)i % 400};
		struct exits_function function = {.parts = &part, .part_count = 1, .read = NULL};
		struct exits exits = {0};
		uint8_t *code = malloc(part.len);

		for (size_t b = 0; b < part.len; b++) {
			seed = seed * 1664525 + 1013904223;
			code[b] = seed & 0x80000000 ? lively[(seed >> 20) & 15] : seed >> 12;
		}
		part.code = code;
		assert_int_equal(exits__find(&function, &exits), 0);
		assert_true(exits.refused ? !exits.sites.len : exits.sites.len > 0);
		exits__free(&exits);
		free(code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixtures_have_their_exits),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(details),
		cmocka_unit_test(landing_pads),
		cmocka_unit_test(unusable_code),
		cmocka_unit_test(random_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
