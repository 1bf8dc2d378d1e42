// SPDX-License-Identifier: BSD-2-Clause
/*
 * elder: a child that was born before any tracer came, works, and dies while the parent lives on.
 *
 * Truth: after SIGUSR1 the child allocates 50 blocks of 1000 bytes and frees 20 of them; then it
 * exits and the other 30 are gone with it. The parent allocates nothing.
 */
#include <sys/wait.h>

#include "common.h"

#define BLOCKS 50
#define FREED  20
#define SIZE   1000

NOINLINE static void child_work(void)
{
	static void *volatile blocks[BLOCKS];

	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(SIZE);
	for (int i = 0; i < FREED; i++)
		free(blocks[i]);
}

int main(void)
{
	pid_t child;

	target_start();
	child = fork();
	if (!child) {
		target_wait_go();
		child_work();
		_exit(0);
	}
	target_ready();
	target_wait_go();
	kill(child, SIGUSR1);
	waitpid(child, NULL, 0);
	target_truth("{\"allocs\":%d,\"frees\":%d,\"died_blocks\":%d}", BLOCKS, FREED,
		     BLOCKS - FREED);
	target_idle();
}
