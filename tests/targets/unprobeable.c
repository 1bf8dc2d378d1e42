// SPDX-License-Identifier: BSD-2-Clause
/*
 * unprobeable
 *
 * Places that no probe can go, among others. On SIGUSR1, 10 times:
 *
 *	64 pairs many__start/many__done in a row, in between (never reached) notes at a hlt, an
 *	int3, a lock prefix, and notes of pairs whose semaphores the kernel refuses: odd__start/done
 *	at an odd address, twice__start/done another one than the note at the same place
 *	functions entry_*, whose first instruction is the one in their name. Each returns its
 *	argument + 1; the truth counts those that did not. never_* are not called.
 */
#include "common.h"
#include "usdt.h"

#define TIMES 10
#define PAIRS 64
#define NOTE(label, probe, semaphore)                                                 \
	"	.pushsection .note.stapsdt, \"\", \"note\"\n"                               \
	"	.balign 4\n"                                                                \
	"	.4byte 992f - 991f, 994f - 993f, 3\n"                                       \
	"991:	.asciz \"stapsdt\"\n"                                                   \
	"992:	.balign 4\n"                                                            \
	"993:	.8byte " label ", _.stapsdt.base, " semaphore "\n"                    \
	"	.asciz \"unprobeable\"\n	.asciz \"" probe "\"\n	.asciz \"\"\n" \
	"994:	.balign 4\n"                                                            \
	"	.popsection\n"

USDT_SEMAPHORE(one_semaphore);
USDT_SEMAPHORE(other_semaphore);

/* Some in front of the bad ones, some behind. */
#define MANY                                                                                      \
	"	.rept 32\n"                                                                             \
	"990:	nop\n" NOTE("990b", "many__start", "0") "990:	nop\n" NOTE("990b", "many__done", \
									    "0") "	.endr\n"

NOINLINE static void many(void)
{
	/* clang-format off */
	__asm__ volatile(MANY
		"	jmp 1f\n"
		"995:	hlt\n" NOTE("995b", "hlt__start", "0")
		"995:	int3\n" NOTE("995b", "int3__start", "0")
		"995:	lock incl (%%rsp)\n" NOTE("995b", "lock__start", "0")
		"995:	nop\n" NOTE("995b", "odd__start", "one_semaphore + 1")
		"995:	nop\n" NOTE("995b", "odd__done", "one_semaphore + 1")
		"995:	nop\n" NOTE("995b", "once__start", "one_semaphore")
			       NOTE("995b", "twice__start", "other_semaphore")
		"995:	nop\n" NOTE("995b", "once__done", "one_semaphore")
			       NOTE("995b", "twice__done", "other_semaphore")
		"1:\n" MANY : : "i"(&one_semaphore), "i"(&other_semaphore) : "memory");
	/* clang-format on */
}

/* name, what comes first, what comes then; rdi is the argument */
#define ENTRY(name, first, rest)                                                         \
	__asm__(".pushsection .text\n.globl " name "\n.type " name ", @function\n" name  \
		":\n.cfi_startproc\n" first "\n" rest                                    \
		"\nlea 1(%rdi), %rax\nret\n.cfi_endproc\n.size " name ", . - " name "\n" \
		".popsection\n")

ENTRY("entry_push", "push %rbx", "pop %rbx");
ENTRY("entry_push_r12", "push %r12", "pop %r12");
ENTRY("entry_nop", "nop", "");
ENTRY("entry_nop5", ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00", "");
ENTRY("entry_endbr", "endbr64", "");
ENTRY("entry_jmp", "jmp 1f", "ud2\n1:");
ENTRY("entry_jcc", "jne 1f", "nop\n1:");
ENTRY("entry_call", "call 1f", "jmp 2f\n1: ret\n2:");
ENTRY("entry_rip", "lea unprobeable_data(%rip), %rax", "");
ENTRY("entry_rip_store", "movl $1, unprobeable_data(%rip)", "");
ENTRY("entry_cmp_rip", "cmpl $0, unprobeable_data(%rip)", "");
ENTRY("entry_pushf", "pushf", "popf");
ENTRY("entry_rep", "rep stosb", "lea -1(%rdi), %rdi");
ENTRY("entry_jrcxz", "jrcxz 1f", "1:");
ENTRY("entry_lea_rsp", "lea -8(%rsp), %rsp", "lea 8(%rsp), %rsp");
ENTRY("entry_push_imm", "push $7", "pop %rax");
ENTRY("entry_push_mem", "push unprobeable_data(%rip)", "pop %rax");
ENTRY("entry_sse", "movaps %xmm0, %xmm1", "");
ENTRY("entry_prefetch", "prefetcht0 (%rsp)", "");
ENTRY("entry_cpuid", "cpuid", "");
ENTRY("entry_rdtsc", "rdtsc", "");
ENTRY("entry_cs", ".byte 0x2e, 0x89, 0xf8", "");
ENTRY("entry_fs", "mov %fs:0, %rax", "");
ENTRY("entry_lock", "lock incl unprobeable_data(%rip)", "");
ENTRY("entry_lock_push", "lock incl unprobeable_data(%rip)", "push %rbx\npop %rbx");
ENTRY("entry_ret", "lea 1(%rdi), %rax\nret", "");
ENTRY("never_hlt", "hlt", "");
ENTRY("never_int3", "int3", "");
ENTRY("never_ud2", "ud2", "");
ENTRY("never_bad", ".byte 0x06", "");
ENTRY("never_in", "in $1, %al", "");
ENTRY("never_syscall", "syscall", "");

__attribute__((used)) int unprobeable_data;

/* rcx is what entry_rep repeats; entry_cpuid needs rbx. */
static int is_wrong(long (*function)(long), long n)
{
	char bytes[8];
	long result, with = (long)bytes, counts = n < 0;

	if (!counts)
		with = n;
	__asm__ volatile("sub $128, %%rsp\n"
			 "call *%[function]\n"
			 "add $128, %%rsp\n"
			 : "=a"(result), "+D"(with), "+c"(counts)
			 : [function] "r"(function)
			 : "rbx", "rdx", "rsi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "memory",
			   "cc");
	return result != (n < 0 ? (long)bytes + 1 : n + 1);
}

#define NAMES(X)                                                                                 \
	X(push)                                                                                  \
	X(push_r12) X(nop) X(nop5) X(endbr) X(jmp) X(jcc) X(call) X(rip) X(rip_store) X(cmp_rip) \
		X(pushf) X(jrcxz) X(lea_rsp) X(push_imm) X(push_mem) X(sse) X(prefetch) X(cpuid) \
			X(rdtsc) X(cs) X(fs) X(lock) X(lock_push) X(ret)

#define DECLARE(name) long entry_##name(long n);
NAMES(DECLARE)
long entry_rep(long n);

int main(void)
{
#define ROW(name) entry_##name,
	static long (*const functions[])(long) = {NAMES(ROW)};
	int wrong = 0;

	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < TIMES; i++) {
		many();
		for (size_t f = 0; f < sizeof(functions) / sizeof(functions[0]); f++)
			wrong += is_wrong(functions[f], i);
		wrong += is_wrong(entry_rep, -1);
	}
	/* Defines _.stapsdt.base. */
	USDT0("unprobeable", "finished", "0");
	target_truth("{\"times\":%d,\"pairs\":%d,\"wrong\":%d,\"entries\":%zu,"
		     "\"refused\":[\"entry_cs\",\"entry_lock\",\"entry_pushf\"]}",
		     TIMES, PAIRS, wrong, 1 + sizeof(functions) / sizeof(functions[0]));
	target_idle();
}
