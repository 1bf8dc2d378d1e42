// SPDX-License-Identifier: BSD-2-Clause
/*
 * execer [self|fork] [TIMES=3] [DELAY_MS=0]
 *
 * On SIGUSR1: self executes itself TIMES times in the same process; fork forks TIMES children
 * that execute it. Each new image waits DELAY_MS and does family_work() (100 blocks of 200
 * bytes, 60 freed; 10 spans "image.work"). The first image allocates nothing. With self, the
 * blocks of an image die with it, so in the end 40 are live in the process, not 40 * TIMES.
 */
#include <sys/wait.h>

#include "family.h"

/* Internal: execer image LEFT TIMES DELAY_MS; LEFT more images follow in this process, -1 = exit.
 */
static int become_image(long left, long times, long delay)
{
	char numbers[3][24];

	snprintf(numbers[0], sizeof(numbers[0]), "%ld", left);
	snprintf(numbers[1], sizeof(numbers[1]), "%ld", times);
	snprintf(numbers[2], sizeof(numbers[2]), "%ld", delay);
	execl("/proc/self/exe", "execer", "image", numbers[0], numbers[1], numbers[2], NULL);
	return 1;
}

static int image(int argc, char **argv)
{
	long left = number_arg(argc, argv, 2, 0), times = number_arg(argc, argv, 3, 1);
	long delay = number_arg(argc, argv, 4, 0);

	sleep_ms(delay);
	family_work("image.work", times - left);
	if (left < 0)
		return 0;
	if (left > 0)
		return become_image(left - 1, times, delay);
	family_truth("image.work", times, 1);
	target_idle();
	return 0;
}

static int fork_images(long times, long delay)
{
	for (int i = 0; i < times; i++) {
		int status;
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid == 0)
			_exit(become_image(-1, i, delay));
		if (waitpid(pid, &status, 0) != pid || status)
			return 1;
	}
	family_truth("image.work", times, 0);
	target_idle();
	return 0;
}

int main(int argc, char **argv)
{
	long times = number_arg(argc, argv, 2, 3), delay = number_arg(argc, argv, 3, 0);

	target_start();
	if (argc > 1 && !strcmp(argv[1], "image"))
		return image(argc, argv);
	target_ready();
	target_wait_go();
	if (argc > 1 && !strcmp(argv[1], "fork"))
		return fork_images(times, delay);
	return become_image(times - 1, times, delay);
}
