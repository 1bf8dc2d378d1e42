// SPDX-License-Identifier: BSD-2-Clause
/*
 * redzone [TIMES=100000]
 *
 * On SIGUSR1, TIMES times a leaf function that keeps numbers below the stack pointer (the red
 * zone) around a five-byte nop with a USDT note (redzone:leaf__start and leaf__done). A kernel
 * that turns such a nop into a call, as Linux 6.18 does when a uprobe is attached, overwrites
 * them. 1000 times the same with one-byte nops (redzone:plain__start, plain__done), which nothing
 * ever happens to. The truth counts the calls, and how many found their numbers changed.
 */
#include "common.h"
#include "usdt.h"

#define NOP5 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"

/* As USDT_NOTE(), for a nop of ours at the label in front of it. */
#define NOTE(label, probe)                                                    \
	"	.pushsection .note.stapsdt, \"\", \"note\"\n"                       \
	"	.balign 4\n"                                                        \
	"	.4byte 992f - 991f, 994f - 993f, 3\n"                               \
	"991:	.asciz \"stapsdt\"\n"                                           \
	"992:	.balign 4\n"                                                    \
	"993:	.8byte " label ", _.stapsdt.base, 0\n"                        \
	"	.asciz \"redzone\"\n	.asciz \"" probe "\"\n	.asciz \"\"\n" \
	"994:	.balign 4\n"                                                    \
	"	.popsection\n"

/* Returns how many of its three numbers were changed. */
#define LEAF(name, nop)                                                                         \
	__asm__(".pushsection .text\n"                                                          \
		".globl " name "_leaf\n"                                                        \
		".type " name "_leaf, @function\n" name "_leaf:\n"                              \
		"	lea 1(%rdi), %rsi\n"                                                          \
		"	lea 2(%rdi), %rdx\n"                                                          \
		"	mov %rdi, -8(%rsp)\n"                                                         \
		"	mov %rsi, -16(%rsp)\n"                                                        \
		"	mov %rdx, -24(%rsp)\n"                                                        \
		".L" name                                                                       \
		"_start: " nop NOTE(".L" name "_start", name "__start") ".L" name "_done: " nop \
			NOTE(".L" name "_done", name "__done") "	xor %eax, %eax\n"              \
							       "	xor %ecx, %ecx\n"              \
							       "	cmp %rdi, -8(%rsp)\n"          \
							       "	setne %al\n"                   \
							       "	cmp %rsi, -16(%rsp)\n"         \
							       "	setne %cl\n"                   \
							       "	add %ecx, %eax\n"              \
							       "	cmp %rdx, -24(%rsp)\n"         \
							       "	setne %cl\n"                   \
							       "	add %ecx, %eax\n"              \
							       "	ret\n"                         \
							       ".size " name "_leaf, . - " name \
							       "_leaf\n"                        \
							       ".popsection\n")

LEAF("leaf", NOP5);
LEAF("plain", "nop\n");

int leaf_leaf(uint64_t number);
int plain_leaf(uint64_t number);

int main(int argc, char **argv)
{
	long times = number_arg(argc, argv, 1, 100000), plain = 1000, corrupted = 0;

	target_start();
	target_ready();
	target_wait_go();
	for (long i = 0; i < times; i++)
		corrupted += leaf_leaf((uint64_t)i * 0x123456789) != 0;
	for (long i = 0; i < plain; i++)
		corrupted += plain_leaf((uint64_t)i * 0x123456789) != 0;
	/* Defines _.stapsdt.base. */
	USDT0("redzone", "finished", "0");
	target_truth("{\"calls\":%ld,\"plain\":%ld,\"corrupted\":%ld}", times, plain, corrupted);
	target_idle();
}
