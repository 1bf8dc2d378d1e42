// SPDX-License-Identifier: BSD-2-Clause
/*
 * mapper FILE...
 *
 * Maps every FILE as code, without ever running it, before "ready". On SIGUSR1 allocates 100
 * blocks of 500 bytes at one call site and frees 40 of them. On SIGTERM exits with 0 if the mapped
 * bytes are what they were, else with 3.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common.h"

#define FILES_MAX   64
#define BLOCKS	    100
#define BLOCK_BYTES 500
#define FREED	    40

static struct {
	const unsigned char *at;
	size_t size;
	uint64_t sum;
} files[FILES_MAX];

NOINLINE void *hold_here(void);

NOINLINE void *hold_here(void)
{
	return opaque(malloc(BLOCK_BYTES));
}

static uint64_t sum_of(const unsigned char *at, size_t size)
{
	uint64_t sum = 14695981039346656037ULL;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ at[i]) * 1099511628211ULL;
	return sum;
}

static void map_file(const char *path, int i)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	files[i].size = st.st_size;
	files[i].at = mmap(NULL, st.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (files[i].at == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	close(fd);
	files[i].sum = sum_of(files[i].at, files[i].size);
}

static void work(void)
{
	struct tally books = {0};
	void *blocks[BLOCKS];

	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = hold_here();
		tally_alloc(&books, BLOCK_BYTES);
	}
	for (int i = 0; i < FREED; i++) {
		free(blocks[i]);
		tally_free(&books, BLOCK_BYTES);
	}
	target_truth("{" TALLY_FORMAT "}", TALLY_VALUES(&books));
}

int main(int argc, char **argv)
{
	int n = argc - 1 < FILES_MAX ? argc - 1 : FILES_MAX;

	target_start();
	for (int i = 0; i < n; i++)
		map_file(argv[i + 1], i);
	target_ready();
	target_wait_go();
	work();
	target_wait(SIGTERM, 0, -1);
	for (int i = 0; i < n; i++) {
		if (sum_of(files[i].at, files[i].size) != files[i].sum)
			return 3;
	}
	return 0;
}
