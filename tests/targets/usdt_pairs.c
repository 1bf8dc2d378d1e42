// SPDX-License-Identifier: BSD-2-Clause
/*
 * usdt_pairs [ROUNDS=100]
 *
 * A program with USDT pairs of its own, provider "demo", no perftrace.h. On SIGUSR1, ROUNDS times:
 *
 *	tx__start(int)                       unscoped: begun in tx_begin(), ended in tx_commit(),
 *	tx__commit(int) | tx__abort(int,     or every 4th time in tx_rollback()
 *	  "deadlock")
 *	  task__start("task N")/task__done   semaphore, guarded by it as sdt users do
 *	    step__entry("load", int)/step__return(int)     three times
 *	    io-start(fd, "disk")/io-done(int, unsigned long)
 *	  batch__begin("batch", int, long)/batch__end(int)  scoped; in every 5th round, from the 3rd
 *	                                     on, it returns early and its end never comes: unwound
 */
#include "common.h"
#include "usdt.h"

USDT_SEMAPHORE(demo_task__start_semaphore);
USDT_SEMAPHORE(demo_task__done_semaphore);

NOINLINE void tx_begin(int id);
NOINLINE void tx_commit(int id);
NOINLINE void tx_rollback(int id);
NOINLINE void task(int id);
NOINLINE int step(const char *what, int n);
NOINLINE void io(int fd);
NOINLINE int batch(int id);

/* Noted as an operand relative to %rip, which takes the symbol table to decode. */
static volatile int result = 42;

NOINLINE void tx_begin(int id)
{
	USDT1("demo", "tx__start", "0", id);
	sleep_ns(20000);
}

NOINLINE void tx_commit(int id)
{
	sleep_ns(20000);
	USDT1("demo", "tx__commit", "0", id);
}

NOINLINE void tx_rollback(int id)
{
	sleep_ns(20000);
	USDT2("demo", "tx__abort", "0", id, (const char *)"deadlock");
}

NOINLINE int step(const char *what, int n)
{
	USDT2("demo", "step__entry", "0", what, n);
	sleep_ns(30000);
	n++;
	USDT1("demo", "step__return", "0", n);
	return n;
}

NOINLINE void io(int fd)
{
	USDT2("demo", "io-start", "0", fd, (const char *)"disk");
	sleep_ns(50000);
	USDT2("demo", "io-done", "0", result, 4096UL);
}

NOINLINE void task(int id)
{
	char name[32];

	if (__builtin_expect(demo_task__start_semaphore, 0)) {
		snprintf(name, sizeof(name), "task %d", id);
		USDT1("demo", "task__start", "demo_task__start_semaphore", (char *)opaque(name));
	}
	for (int i = 0; i < 3; i++)
		step("load", i);
	io(id % 8);
	if (__builtin_expect(demo_task__done_semaphore, 0))
		USDT0("demo", "task__done", "demo_task__done_semaphore");
}

NOINLINE int batch(int id)
{
	const char *name = "batch";

	USDT3("demo", "batch__begin", "0", name, id, 1L);
	sleep_ns(30000);
	if (id % 5 == 2)
		return -1;
	USDT1("demo", "batch__end", "0", 0);
	return 0;
}

int main(int argc, char **argv)
{
	long rounds = number_arg(argc, argv, 1, 100);
	long failed = (rounds + 2) / 5, aborted = rounds / 4;

	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < rounds; i++) {
		tx_begin(i);
		task(i);
		batch(i);
		if (i % 4 == 3)
			tx_rollback(i);
		else
			tx_commit(i);
	}
	target_truth("{\"rounds\":%ld,\"spans\":{"
		     "\"demo.tx\":{\"count\":%ld,\"commits\":%ld,\"aborts\":%ld,\"scoped\":false},"
		     "\"demo.task\":{\"count\":%ld,\"scoped\":true,\"context\":\"task N\"},"
		     "\"demo.step\":{\"count\":%ld,\"scoped\":true,\"context\":\"load\"},"
		     "\"demo.io\":{\"count\":%ld,\"scoped\":true,\"context\":\"disk\"},"
		     "\"demo.batch\":{\"count\":%ld,\"scoped\":true,\"context\":\"batch\"}},"
		     "\"unwound\":{\"demo.batch\":%ld}}",
		     rounds, rounds, rounds - aborted, aborted, rounds, 3 * rounds, rounds,
		     rounds - failed, failed);
	target_idle();
}
