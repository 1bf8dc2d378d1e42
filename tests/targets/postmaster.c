// SPDX-License-Identifier: BSD-2-Clause
/*
 * postmaster [fork|vfork|spawn] [CHILDREN=50] [BLOCKS=40]
 *
 * A server that starts a process per request, all at once. On SIGUSR1 it allocates 20 blocks of
 * 1000 bytes, which it keeps, and starts CHILDREN children: by fork, which allocate without delay,
 * and free 5 blocks of their copy of the parent's; or by vfork and exec or posix_spawn of this very
 * program, which allocates at the beginning of main. A child allocates BLOCKS blocks of 200 bytes,
 * frees half of them, and ends. A vfork child allocates and frees one block of 77 bytes before its
 * exec, in its parent's memory.
 */
#include <spawn.h>
#include <sys/wait.h>

#include "common.h"

#define KEPT	   20
#define KEPT_BYTES 1000
#define INHERITED  5
#define BYTES	   200

extern char **environ;

NOINLINE static void child_work(long blocks)
{
	for (long i = 0; i < blocks; i++) {
		void *block = opaque(malloc(BYTES));

		if (i % 2)
			free(block);
	}
}

static pid_t start(const char *how, const char *self, char *blocks, void **kept)
{
	char *argv[] = {"postmaster", "child", blocks, NULL};
	pid_t pid = -1;

	if (!strcmp(how, "spawn"))
		return posix_spawn(&pid, self, NULL, NULL, argv, environ) ? -1 : pid;
	if (!strcmp(how, "vfork")) {
		pid = vfork();
		if (!pid) {
			free(opaque(malloc(77)));
			execve(self, argv, environ);
			_exit(1);
		}
		return pid;
	}
	pid = fork();
	if (!pid) {
		child_work(strtol(blocks, NULL, 10));
		for (int i = 0; i < INHERITED; i++)
			free(kept[i]);
		_exit(0);
	}
	return pid;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "fork";
	long children = number_arg(argc, argv, 2, 50), blocks = number_arg(argc, argv, 3, 40);
	long in_parent = !strcmp(how, "vfork") ? children : 0;
	char number[24], self[4096];
	void *kept[KEPT];
	ssize_t n;

	if (!strcmp(how, "child")) {
		child_work(children);
		return 0;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	self[n] = '\0';
	snprintf(number, sizeof(number), "%ld", blocks);
	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < KEPT; i++)
		kept[i] = opaque(malloc(KEPT_BYTES));
	for (long i = 0; i < children; i++) {
		if (start(how, self, number, kept) < 0)
			return 1;
	}
	for (long i = 0; i < children; i++) {
		int status;

		if (wait(&status) < 0 || status)
			return 1;
	}
	target_truth(
		"{\"children\":%ld,\"allocs\":%ld,\"frees\":%ld,\"alloc_bytes\":%ld,"
		"\"freed_bytes\":%ld,\"live_blocks\":%d,\"live_bytes\":%d,\"gone\":%ld,"
		"\"inherited_frees\":%ld}",
		children, KEPT + children * blocks + in_parent, children * (blocks / 2) + in_parent,
		KEPT * KEPT_BYTES + children * blocks * BYTES + in_parent * 77,
		children * (blocks / 2) * BYTES + in_parent * 77, KEPT, KEPT * KEPT_BYTES,
		children * (blocks - blocks / 2), strcmp(how, "fork") ? 0 : children * INHERITED);
	target_idle();
}
