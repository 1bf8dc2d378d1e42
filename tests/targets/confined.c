// SPDX-License-Identifier: BSD-2-Clause
/*
 * confined [strict|filter]
 *
 * After "ready" it allows itself no system calls but read, write and exit (and rt_sigreturn), by
 * seccomp's strict mode or a filter that kills for any other. Then for every byte from standard
 * input: 1000 times malloc(64), step(), a PERF_GUARD span "confined.step", free; and the truth of
 * all bytes so far. Ends with standard input.
 */
#include <perftrace.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common.h"

#define TIMES 1000

int step(int n);

NOINLINE int step(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

#define ALLOW(name)                                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int confine(const char *how)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read),
		ALLOW(write),
		ALLOW(exit),
		ALLOW(rt_sigreturn),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = {sizeof(rules) / sizeof(rules[0]), rules};

	if (strcmp(how, "filter"))
		return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static void work(void)
{
	for (int i = 0; i < TIMES; i++) {
		char *block = opaque(malloc(64));
		PERF_GUARD("confined.step");

		block[0] = step(i);
		free(block);
	}
}

int main(int argc, char **argv)
{
	long rounds = 0;
	char byte;

	target_start();
	free(opaque(malloc(64))); /* malloc needs no more memory from the kernel */
	target_ready();
	if (confine(argc > 1 ? argv[1] : "strict"))
		return 1;
	while (read(0, &byte, 1) == 1) {
		work();
		rounds++;
		target_truth("{\"calls\":%ld}", rounds * TIMES);
	}
	syscall(SYS_exit, 0);
}
