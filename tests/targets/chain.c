// SPDX-License-Identifier: BSD-2-Clause
/*
 * chain [ROUNDS=1000] [CHILDREN=0]: a chain of calls without frame pointers; `leaf` at its end
 * loses one block of 777 bytes per round. Truth: its functions, leaf first. `link_with_numbers`
 * keeps numbers in rbp, `link_with_room` has a frame of variable size, `link_by_pointer` is called
 * through one. With CHILDREN these do it, all of them, and live as long as their parent.
 */
#include <alloca.h>
#include <sys/prctl.h>

#include "common.h"

#define BYTES 777
/* Keeps a call from becoming a jump. */
#define AFTERWARDS __asm__ volatile("" : : : "memory")

NOINLINE void leaf(void);
NOINLINE void link_with_room(int room);
NOINLINE void link_with_numbers(int a, int b, int c, int d, int e, int f);
NOINLINE void link_by_pointer(int n);
NOINLINE void link_plain(int n);

NOINLINE void leaf(void)
{
	char *block = opaque(malloc(BYTES));

	block[0] = 1;
}

NOINLINE void link_with_room(int room)
{
	char *variable = opaque(alloca(room));

	leaf();
	variable[0] = 1;
	opaque(variable);
}

NOINLINE void link_with_numbers(int a, int b, int c, int d, int e, int f)
{
	link_with_room(a + b);
	opaque((void *)(long)(a * b + c * d + e * f));
	link_plain(a % 7 - b - c + d - e + f);
}

NOINLINE void link_by_pointer(int n)
{
	link_with_numbers(n, 1, 2, 3, 4, 5);
	AFTERWARDS;
}

/* What main calls first, and where numbers end. */
NOINLINE void link_plain(int n)
{
	static void (*pointer)(int) = link_by_pointer;

	if (n > 50)
		(*(void (**)(int))opaque(&pointer))(n);
	AFTERWARDS;
}

NOINLINE void work(long rounds);

NOINLINE void work(long rounds)
{
	for (long i = 0; i < rounds; i++)
		link_plain(100);
}

/* Returns when all have done their work. */
static void in_children(long children, long rounds)
{
	int done[2];
	char said;

	if (pipe(done))
		exit(1);
	for (long i = 0; i < children; i++) {
		if (fork())
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sleep_ms(200); /* until they are followed */
		work(rounds);
		if (write(done[1], "", 1) != 1)
			exit(1);
		for (;;)
			pause();
	}
	for (long i = 0; i < children; i++) {
		if (read(done[0], &said, 1) != 1)
			exit(1);
	}
}

int main(int argc, char **argv)
{
	long rounds = number_arg(argc, argv, 1, 1000), children = number_arg(argc, argv, 2, 0);

	target_start();
	/* musl gives a program that never frees another allocator. */
	free(opaque(NULL));
	target_ready();
	target_wait_go();
	if (children)
		in_children(children, rounds);
	else
		work(rounds);
	target_truth("{\"blocks\":%ld,\"path\":[\"leaf\",\"link_with_room\",\"link_with_numbers\","
		     "\"link_by_pointer\",\"link_plain\",\"work\"]}",
		     rounds * (children ? children : 1));
	target_idle();
}
