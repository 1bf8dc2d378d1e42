// SPDX-License-Identifier: BSD-2-Clause
/*
 * forker [CHILDREN=4] [DELAY_MS=0]
 *
 * On SIGUSR1 forks CHILDREN children, 5 ms apart. Each waits DELAY_MS, does family_work() (100
 * blocks of 200 bytes, 60 freed; 10 spans "child.work") and exits with 0. The parent itself
 * allocates nothing after SIGUSR1: the truth is the children's sum.
 */
#include <sys/wait.h>

#include "family.h"

int main(int argc, char **argv)
{
	long children = number_arg(argc, argv, 1, 4), delay = number_arg(argc, argv, 2, 0);

	target_start();
	target_ready();
	target_wait_go();
	for (int i = 0; i < children; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid == 0) {
			sleep_ms(delay);
			family_work("child.work", i);
			_exit(0);
		}
		sleep_ms(5);
	}
	for (int i = 0; i < children; i++) {
		int status;

		if (wait(&status) < 0 || status)
			return 1;
	}
	family_truth("child.work", children, 0);
	target_idle();
}
