// SPDX-License-Identifier: BSD-2-Clause
/*
 * altstack
 *
 * A signal handler on a stack of its own, above that of its thread. On SIGUSR1 a thread calls
 * outer() 10 times, which raises a signal: its handler calls inner() while outer() has not
 * returned. Such a stack looks as if outer's frame were gone.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "common.h"

#define TIMES	   10
#define STACK_SIZE 65536

int outer(int n);
int inner(int n);

static volatile int done;
static char *signal_stack;

NOINLINE int inner(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

static void on_signal(int number)
{
	done += inner(number) == number + 1;
}

NOINLINE int outer(int n)
{
	raise(SIGUSR2);
	return n + 1;
}

static void *work(void *arg)
{
	stack_t stack = {.ss_sp = signal_stack, .ss_size = STACK_SIZE};

	if (signal_stack < (char *)&stack || sigaltstack(&stack, NULL))
		abort();
	for (int i = 0; i < TIMES; i++)
		outer(i);
	return arg;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	pthread_t thread;

	target_start();
	/* Mappings grow downwards: the thread's stack comes below. */
	signal_stack =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaction(SIGUSR2, &action, NULL);
	target_ready();
	target_wait_go();
	if (pthread_create(&thread, NULL, work, NULL))
		return 1;
	pthread_join(thread, NULL);
	target_truth("{\"times\":%d,\"done\":%d}", TIMES, done);
	target_idle();
}
