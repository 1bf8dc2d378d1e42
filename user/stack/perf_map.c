// SPDX-License-Identifier: BSD-2-Clause
#include "stack/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "elf/openfile.h"
#include "stack/perf_map_text.h"

/* A map that grows all the time is read again for at most a tenth of the time. */
#define REST_FACTOR 10
#define LOOK_NS	    (100 * NSEC_PER_MSEC) /* code may be replaced by other code at its place */

struct perf_map {
	int proc_fd; /* /proc/PID: leads to that process or nowhere, -1 once the file is open */
	int fd;	     /* -1: not open */
	uid_t uid;
	uint64_t size; /* of the file when it was read */
	struct timespec modified;
	uint64_t read_again_ns; /* not before */
	uint64_t look_again_ns; /* also when the address is known */
	char *text;
	struct perf_map_pieces pieces;
	enum perf_map_state state;
};

/* The process's PID in its own namespace and the user it makes files as (fsuid). */
static int read_status(int proc_fd, pid_t *ns_pid, uid_t *fs_uid)
{
	int fd = openat(proc_fd, "status", O_RDONLY | O_CLOEXEC);
	char text[8192], *line, *last;
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return len ? -errno : -ESRCH;
	text[len] = '\0';
	line = strstr(text, "\nUid:");
	if (!line || sscanf(line, "\nUid: %*u %*u %*u %u", fs_uid) != 1)
		return -EINVAL;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return -EINVAL;
	*strchrnul(line + 1, '\n') = '\0';
	last = strrchr(line, '\t');
	*ns_pid = last ? atoi(last + 1) : 0;
	return *ns_pid > 0 ? 0 : -EINVAL;
}

static enum perf_map_state state_of(int err)
{
	switch (err) {
	case -ENOENT:
		return PERF_MAP_NONE;
	case -EINVAL:
		return PERF_MAP_NOT_REGULAR;
	default:
		return PERF_MAP_UNREADABLE;
	}
}

/* Takes `fd`, if it is what the user `uid` has made. */
static enum perf_map_state take_file(struct perf_map *map, int fd, uid_t uid)
{
	enum perf_map_state state = PERF_MAP_READ;
	struct stat st;

	if (fstat(fd, &st))
		state = PERF_MAP_UNREADABLE;
	else if (!S_ISREG(st.st_mode))
		state = PERF_MAP_NOT_REGULAR;
	else if (st.st_uid != uid)
		state = PERF_MAP_FOREIGN;
	if (state == PERF_MAP_READ)
		map->fd = fd;
	else
		close(fd);
	return state;
}

static void find_file(struct perf_map *map)
{
	char path[48];
	pid_t pid;
	uid_t uid;
	int root, fd;

	if (read_status(map->proc_fd, &pid, &uid))
		return; /* gone; or it was never there */
	root = openat(map->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	fd = open_regular_in_root_nofollow(root, path);
	close(root);
	map->state = fd < 0 ? state_of(fd) : take_file(map, fd, uid);
	if (map->state != PERF_MAP_NONE) { /* found, or refused for good */
		close(map->proc_fd);
		map->proc_fd = -1;
	}
}

static struct perf_map *new_map(void)
{
	struct perf_map *map = calloc(1, sizeof(*map));

	if (map)
		map->fd = map->proc_fd = -1;
	return map;
}

struct perf_map *perf_map__new(pid_t pid)
{
	struct perf_map *map = new_map();
	char path[32];

	if (!map)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	map->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	perf_map__look(map);
	return map;
}

struct perf_map *perf_map__new_of_file(int fd, uid_t uid)
{
	struct perf_map *map = new_map();

	if (map)
		map->state = take_file(map, fd, uid);
	else
		close(fd);
	return map;
}

void perf_map__free(struct perf_map *map)
{
	if (!map)
		return;
	if (map->fd >= 0)
		close(map->fd);
	if (map->proc_fd >= 0)
		close(map->proc_fd);
	free(map->pieces.list);
	free(map->text);
	free(map);
}

void perf_map__look(struct perf_map *map)
{
	if (map->proc_fd >= 0)
		find_file(map);
}

enum perf_map_state perf_map__state(const struct perf_map *map)
{
	return map->state;
}

/* Reads up to `len` bytes; fewer when the file ends sooner by now. */
static size_t read_up_to(int fd, char *to, size_t len, uint64_t offset)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = pread(fd, to + have, len - have, (off_t)(offset + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	return have;
}

/* The text of the file, at most PERF_MAP_BYTES_MAX of its end; NULL when out of memory. */
static char *read_text(int fd, uint64_t size, size_t *len)
{
	uint64_t skip = size > PERF_MAP_BYTES_MAX ? size - PERF_MAP_BYTES_MAX : 0;
	char *text = malloc(size - skip + 1), *newline;

	if (!text)
		return NULL;
	*len = read_up_to(fd, text, size - skip, skip);
	/* What is left of the line that was cut is not the number it looks like. */
	newline = skip ? memchr(text, '\n', *len) : NULL;
	if (newline)
		memset(text, ' ', (size_t)(newline - text));
	else if (skip)
		*len = 0;
	return text;
}

static void read_file(struct perf_map *map, const struct stat *st)
{
	uint64_t began = clock_monotonic_ns(), now;
	struct perf_map_pieces pieces;
	size_t len;
	char *text;

	map->size = (uint64_t)st->st_size;
	map->modified = st->st_mtim;
	text = read_text(map->fd, map->size, &len);
	if (text && !perf_map_text__index(text, len, &pieces)) {
		free(map->text);
		free(map->pieces.list);
		map->text = text;
		map->pieces = pieces;
	} else {
		free(text);
	}
	now = clock_monotonic_ns();
	map->read_again_ns = now + REST_FACTOR * (now - began);
}

static const struct perf_map_piece *find_piece(const struct perf_map *map, uint64_t address)
{
	size_t low = 0, high = map->pieces.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (map->pieces.list[mid].end <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < map->pieces.count && map->pieces.list[low].start <= address)
		return &map->pieces.list[low];
	return NULL;
}

static bool has_news(const struct perf_map *map, uint64_t now, struct stat *st)
{
	return now >= map->read_again_ns && !fstat(map->fd, st) &&
	       ((uint64_t)st->st_size != map->size || st->st_mtim.tv_sec != map->modified.tv_sec ||
		st->st_mtim.tv_nsec != map->modified.tv_nsec);
}

int perf_map__find(struct perf_map *map, uint64_t address, struct perf_map_entry *out)
{
	const struct perf_map_piece *piece = find_piece(map, address);
	uint64_t now = clock_monotonic_ns();
	struct stat st;

	if (!piece)
		perf_map__look(map);
	if (map->fd >= 0 && (!piece || now >= map->look_again_ns)) {
		map->look_again_ns = now + LOOK_NS;
		if (has_news(map, now, &st)) {
			read_file(map, &st);
			piece = find_piece(map, address);
		}
	}
	if (!piece)
		return -ENOENT;
	out->start = piece->code;
	out->name = map->text + piece->name;
	out->name_len = strlen(out->name);
	return 0;
}
