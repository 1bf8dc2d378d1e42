// SPDX-License-Identifier: BSD-2-Clause
/*
 * early STATUS [wait | ignore]
 *
 * Allocates in a library's constructor, in its own constructor and in main, each with a span of
 * its own, frees some, prints "truth {json}" with who it runs as, and exits with STATUS: at once;
 * on SIGINT, SIGTERM or SIGHUP, which it names ("got 2"); or never by itself, ignoring SIGINT.
 * Nothing else in the process allocates: it writes by itself, without stdio.
 */
#include <grp.h>

#include "common.h"
#include "early.h"

#include <perftrace.h>

static void *volatile kept[PROGRAM_BLOCKS];

__attribute__((constructor)) static void construct_program(void)
{
	PERF_START("early.program");
	for (int i = 0; i < PROGRAM_BLOCKS; i++)
		kept[i] = malloc(PROGRAM_BYTES);
	PERF_END("early.program");
}

static void say(const char *text)
{
	/* A closed standard output is none of our business. */
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		return;
}

static void work(void)
{
	void *blocks[MAIN_BLOCKS];

	PERF_START("early.main");
	for (int i = 0; i < MAIN_BLOCKS; i++)
		blocks[i] = opaque(malloc(MAIN_BYTES));
	for (int i = 0; i < MAIN_FREED; i++)
		free(blocks[i]);
	PERF_END("early.main");
}

static void tell_truth(void)
{
	long allocs = early_library() + PROGRAM_BLOCKS + MAIN_BLOCKS;
	long bytes = LIBRARY_BLOCKS * LIBRARY_BYTES + PROGRAM_BLOCKS * PROGRAM_BYTES +
		     MAIN_BLOCKS * MAIN_BYTES;
	const char *home = getenv("HOME");
	char text[1024];

	snprintf(
		text, sizeof(text),
		"truth {\"pid\":%d,\"uid\":%d,\"euid\":%d,\"gid\":%d,\"groups\":%d,\"home\":\"%s\","
		"\"allocs\":%ld,\"alloc_bytes\":%ld,\"frees\":%d,\"live_blocks\":%ld,"
		"\"live_bytes\":%ld}\n",
		(int)getpid(), (int)getuid(), (int)geteuid(), (int)getgid(), getgroups(0, NULL),
		home ? home : "", allocs, bytes, MAIN_FREED, allocs - MAIN_FREED,
		bytes - (long)MAIN_FREED * MAIN_BYTES);
	say(text);
}

static int wait_for_signal(void)
{
	char text[32];
	sigset_t set;
	int number = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say("waiting\n");
	sigwait(&set, &number);
	snprintf(text, sizeof(text), "got %d\n", number);
	say(text);
	return number;
}

int main(int argc, char **argv)
{
	work();
	tell_truth();
	if (argc > 2 && !strcmp(argv[2], "wait"))
		wait_for_signal();
	if (argc > 2 && !strcmp(argv[2], "ignore")) {
		signal(SIGINT, SIG_IGN);
		say("waiting\n");
		for (;;)
			pause();
	}
	return number_arg(argc, argv, 1, 0);
}
