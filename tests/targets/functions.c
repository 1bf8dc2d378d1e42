// SPDX-License-Identifier: BSD-2-Clause
/*
 * functions [ROUNDS=10] [THREADS=1]
 *
 * Plain C whose calls are known. On SIGUSR1 each of THREADS threads, named worker-1.., makes
 * ROUNDS rounds:
 *
 *	fn_outer                     2 ms
 *	  fn_middle                  static, twice
 *	    fn_leaf                  static, three times
 *	fn_recurse                   5 deep
 *	fn_catcher                   setjmp
 *	  fn_thrower                 left by longjmp: unwound
 *	    fn_jumper                left by longjmp: unwound
 *	fn_tail_caller               jumps to
 *	  fn_tail_callee
 *	lib_work                     of libfunctions.so
 *	  lib_helper                 static, twice
 *	with_a_span                  a PERF_GUARD "named" inside
 *
 * and at the end, once per thread, deep_recurse 100 deep, whose innermost call takes 1 ms.
 * loops_to_entry is called with 10 once per round; the first of its instructions is in its loop.
 */
#include <perftrace.h>

#include <pthread.h>
#include <setjmp.h>

#include "common.h"
#include "lib/functions.h"

#define NOCLONE __attribute__((noinline, noclone))
/* What calls last jumps instead of calling. */
#define TAIL_CALLS  __attribute__((noinline, noclone, optimize("O2")))
#define THREADS_MAX 16
#define RECURSION   5
#define DEEP	    100
#define LOOPS	    10

static pthread_barrier_t go, done;
static long rounds;

int fn_outer(int n);
int fn_recurse(int n);
int fn_catcher(void);
int fn_thrower(jmp_buf out);
int fn_jumper(jmp_buf out);
int fn_tail_caller(int n);
int fn_tail_callee(int n);
int deep_recurse(int n);
int with_a_span(void);
int loops_to_entry(int n);

NOCLONE static int fn_leaf(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

NOCLONE static int fn_middle(int n)
{
	return fn_leaf(n) + fn_leaf(n + 1) + fn_leaf(n + 2);
}

NOCLONE int fn_outer(int n)
{
	sleep_ms(2);
	return fn_middle(n) + fn_middle(n + 1);
}

NOCLONE int fn_recurse(int n)
{
	return n > 1 ? fn_recurse(n - 1) + 1 : 1;
}

NOCLONE int fn_jumper(jmp_buf out)
{
	longjmp(out, 1);
}

NOCLONE int fn_thrower(jmp_buf out)
{
	return fn_jumper(out) + 1;
}

NOCLONE int fn_catcher(void)
{
	jmp_buf out;

	return setjmp(out) ? 1 : fn_thrower(out) + 1;
}

NOCLONE int fn_tail_callee(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

TAIL_CALLS int fn_tail_caller(int n)
{
	__asm__ volatile("" : "+r"(n));
	return fn_tail_callee(n + 1);
}

NOCLONE int deep_recurse(int n)
{
	if (n > 1)
		return deep_recurse(n - 1) + 1;
	sleep_ms(1);
	return 1;
}

NOCLONE int with_a_span(void)
{
	PERF_GUARD("named");
	return fn_recurse(1);
}

/* Compilers make this of a loop without a prologue. */
__asm__("	.text\n"
	"	.globl	loops_to_entry\n"
	"	.type	loops_to_entry, @function\n"
	"loops_to_entry:\n"
	"	.cfi_startproc\n"
	"	decl	%edi\n"
	"	jne	loops_to_entry\n"
	"	xorl	%eax, %eax\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size	loops_to_entry, . - loops_to_entry\n");

static void one_round(void)
{
	fn_outer(1);
	fn_recurse(RECURSION);
	fn_catcher();
	fn_tail_caller(1);
	lib_work(1);
	with_a_span();
	loops_to_entry(LOOPS);
}

static void *work(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "worker-%d", (int)(intptr_t)arg);
	pthread_setname_np(pthread_self(), name);
	pthread_barrier_wait(&go);
	for (long i = 0; i < rounds; i++)
		one_round();
	deep_recurse(DEEP);
	pthread_barrier_wait(&done);
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = number_arg(argc, argv, 2, 1), n;

	rounds = number_arg(argc, argv, 1, 10);
	if (rounds < 0 || threads < 1 || threads > THREADS_MAX)
		return 2;
	target_start();
	pthread_barrier_init(&go, NULL, threads + 1);
	pthread_barrier_init(&done, NULL, threads + 1);
	for (long i = 1; i <= threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work, (void *)(intptr_t)i))
			return 1;
	}
	target_ready();
	target_wait_go();
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&done);
	n = rounds * threads;
	target_truth("{\"rounds\":%ld,\"threads\":%ld,\"deep\":%d,\"outer_ns\":2000000,"
		     "\"shape\":[[0,\"fn_outer\"],[1,\"fn_middle\"],[2,\"fn_leaf\"],"
		     "[2,\"fn_leaf\"],[2,\"fn_leaf\"],[1,\"fn_middle\"],[2,\"fn_leaf\"],"
		     "[2,\"fn_leaf\"],[2,\"fn_leaf\"],[0,\"fn_recurse\"],[1,\"fn_recurse\"],"
		     "[2,\"fn_recurse\"],[3,\"fn_recurse\"],[4,\"fn_recurse\"],"
		     "[0,\"fn_catcher\"],[1,\"fn_thrower\"],[2,\"fn_jumper\"],"
		     "[0,\"fn_tail_caller\"],[1,\"fn_tail_callee\"],[0,\"fn_recurse\"]],"
		     "\"unwound\":[\"fn_thrower\",\"fn_jumper\"],"
		     "\"lib\":{\"lib_work\":%ld,\"lib_helper\":%ld},"
		     "\"named\":%ld,\"loops\":%ld}",
		     rounds, threads, DEEP, n, 2 * n, n, n);
	target_idle();
}
