/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USDT probes of any provider and name, with up to three arguments, as programs built against
 * systemtap's header have them: a one-byte nop, and operands wherever the compiler has them
 * (register, memory or constant), so that readers meet every form.
 *
 *	USDT0(provider, probe, semaphore)     USDT1(provider, probe, semaphore, a) ... USDT3
 *
 * Provider and probe are string literals; so is the semaphore: its symbol, defined with
 * USDT_SEMAPHORE(symbol), or "0" for none.
 */
#ifndef PERFTRACE_TARGETS_USDT_H
#define PERFTRACE_TARGETS_USDT_H

#define USDT_SEMAPHORE(symbol) \
	__attribute__((section(".probes"), used)) volatile unsigned short symbol

#define USDT_NOTE(provider, probe, semaphore, arguments)                             \
	"990:	nop\n"                                                                 \
	"	.pushsection .note.stapsdt, \"\", \"note\"\n"                              \
	"	.balign 4\n"                                                               \
	"	.4byte 992f - 991f, 994f - 993f, 3\n"                                      \
	"991:	.asciz \"stapsdt\"\n"                                                  \
	"992:	.balign 4\n"                                                           \
	"993:	.8byte 990b, _.stapsdt.base, " semaphore "\n"                        \
	"	.asciz \"" provider "\"\n"                                           \
	"	.asciz \"" probe "\"\n"                                              \
	"	.asciz \"" arguments "\"\n"                                          \
	"994:	.balign 4\n"                                                           \
	"	.popsection\n"                                                             \
	"	.ifndef _.stapsdt.base\n"                                                  \
	"	.pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n" \
	"	.weak _.stapsdt.base\n"                                                    \
	"	.hidden _.stapsdt.base\n"                                                  \
	"_.stapsdt.base: .space 1\n"                                                 \
	"	.size _.stapsdt.base, 1\n"                                                 \
	"	.popsection\n"                                                             \
	"	.endif\n"

/* The size in a note is negative for signed integers. */
#define USDT_SIZE(value)           \
	_Generic((value), char     \
		 : -1, signed char \
		 : -1, short       \
		 : -2, int         \
		 : -4, long        \
		 : -8, long long   \
		 : -8, default     \
		 : (int)sizeof(value))

#define USDT_ARG(n)	       "%c[size" #n "]@%[arg" #n "]"
#define USDT_OPERAND(n, value) [size##n] "i"(USDT_SIZE(value)), [arg##n] "nor"(value)

#define USDT0(provider, probe, semaphore) \
	__asm__ volatile(USDT_NOTE(provider, probe, semaphore, ""))
#define USDT1(provider, probe, semaphore, a) \
	__asm__ volatile(USDT_NOTE(provider, probe, semaphore, USDT_ARG(1)) : : USDT_OPERAND(1, a))
#define USDT2(provider, probe, semaphore, a, b)                                             \
	__asm__ volatile(USDT_NOTE(provider, probe, semaphore, USDT_ARG(1) " " USDT_ARG(2)) \
			 :                                                                  \
			 : USDT_OPERAND(1, a), USDT_OPERAND(2, b))
#define USDT3(provider, probe, semaphore, a, b, c)                                                 \
	__asm__ volatile(                                                                          \
		USDT_NOTE(provider, probe, semaphore, USDT_ARG(1) " " USDT_ARG(2) " " USDT_ARG(3)) \
		:                                                                                  \
		: USDT_OPERAND(1, a), USDT_OPERAND(2, b), USDT_OPERAND(3, c))

#endif
