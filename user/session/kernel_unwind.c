// SPDX-License-Identifier: BSD-2-Clause
#include "session/kernel_unwind.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	SHARDS,
	PAGES,
	RULES,
	MAPPINGS,
};

/* An array's values lie in a row, each rounded up to 8 bytes, which all of ours are already. */
static int map_array(struct kernel_unwind *u, int which, const struct bpf_map *map)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t bytes = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *at;

	bytes = (bytes + page - 1) & ~(page - 1);
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (at == MAP_FAILED)
		return -errno;
	u->arrays[which].at = at;
	u->arrays[which].bytes = bytes;
	return 0;
}

int kernel_unwind__open(struct kernel_unwind *u, const struct bpf_map *shards,
			const struct bpf_map *pages, const struct bpf_map *rules,
			const struct bpf_map *mappings, const struct bpf_map *layouts,
			uint64_t *changed)
{
	const struct bpf_map *maps[] = {shards, pages, rules, mappings};
	int ret = 0;

	u->n_halves = (size_t)bpf_map__max_entries(shards) * UNWIND_SHARD_HALVES;
	u->n_pages = bpf_map__max_entries(pages);
	u->n_mappings = UNWIND_MAPPINGS_MAX;
	u->layouts_fd = bpf_map__fd(layouts);
	u->changed = changed;
	for (int i = 0; !ret && i < KERNEL_UNWIND_ARRAYS; i++)
		ret = map_array(u, i, maps[i]);
	return ret;
}

void kernel_unwind__close(struct kernel_unwind *u)
{
	for (int i = 0; i < KERNEL_UNWIND_ARRAYS; i++) {
		if (u->arrays[i].at)
			munmap(u->arrays[i].at, u->arrays[i].bytes);
	}
	memset(u, 0, sizeof(*u));
}

static int publish(void *arg, uint64_t layout, const struct unwind_layout *value)
{
	struct kernel_unwind *u = arg;
	int ret = value ? bpf_map_update_elem(u->layouts_fd, &layout, value, BPF_ANY)
			: bpf_map_delete_elem(u->layouts_fd, &layout);

	ret = ret ? -errno : 0;
	__atomic_add_fetch(u->changed, 1, __ATOMIC_SEQ_CST);
	return ret;
}

int kernel_unwind__memory(struct kernel_unwind *u, struct unwind_memory *memory)
{
	if (!u->arrays[MAPPINGS].at)
		return -ENOENT;
	*memory = (struct unwind_memory){
		.halves = u->arrays[SHARDS].at,
		.n_halves = u->n_halves,
		.pages = u->arrays[PAGES].at,
		.n_pages = u->n_pages,
		.rules = u->arrays[RULES].at,
		.mappings = u->arrays[MAPPINGS].at,
		.n_mappings = u->n_mappings,
		.publish = publish,
		.arg = u,
	};
	return 0;
}
