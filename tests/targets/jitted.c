// SPDX-License-Identifier: BSD-2-Clause
/*
 * jitted [ROUNDS=100]: main calls code that was made at run time, which calls C again, where one
 * block of 888 bytes per round is lost. The code lies at addresses fixed here and keeps a chain of
 * frame pointers, as JIT compilers do; the C code around it does not. Whoever runs this may name it
 * in /tmp/perf-PID.map. Truth: blocks; addresses and sizes of the two functions made.
 */
#include <sys/mman.h>

#include "common.h"

#define CODE  ((uint8_t *)0x6a0000000000)
#define OUTER 0x000
#define INNER 0x100
#define SIZE  16
#define BYTES 888

NOINLINE void lost_below_jit(void)
{
	char *block = opaque(malloc(BYTES));

	block[0] = 1;
}

/* void made(void): push %rbp; mov %rsp,%rbp; call *2(%rip); pop %rbp; ret; the callee */
static void make(uint8_t *at, const void *callee)
{
	uint8_t code[SIZE] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0x15, 2, 0, 0, 0, 0x5d, 0xc3};

	memcpy(at, code, sizeof(code));
	/* call *2(%rip): the pointer stands behind pop and ret. */
	memcpy(at + 12, &callee, sizeof(callee));
}

NOINLINE void call_made(void (*made)(void))
{
	made();
	__asm__ volatile("" : : : "memory");
}

int main(int argc, char **argv)
{
	long rounds = number_arg(argc, argv, 1, 100);
	uint8_t *code = mmap(CODE, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	target_start();
	if (code != CODE)
		return 1;
	make(code + OUTER, code + INNER);
	make(code + INNER, (const void *)lost_below_jit);
	if (mprotect(code, 4096, PROT_READ | PROT_EXEC))
		return 1;
	target_ready();
	target_wait_go();
	for (long i = 0; i < rounds; i++)
		call_made((void (*)(void))(code + OUTER));
	target_truth("{\"blocks\":%ld,\"outer\":%lu,\"inner\":%lu,\"size\":%d}", rounds,
		     (unsigned long)(code + OUTER), (unsigned long)(code + INNER), SIZE + 4);
	target_idle();
}
