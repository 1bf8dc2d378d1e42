/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BPF maps on the host. Kind, sizes and capacity are those of the definitions in maps.bpf.h, read
 * off the types that libbpf's __uint() and __type() make.
 *
 * An array's values lie side by side, as in the kernel, from its first use on: until then a test
 * may change its capacity.
 *
 * A deleted element's memory is filled with 0xdd and kept, as the kernel may give it to another
 * element at once: code that reads a value after its deletion reads nonsense, every time.
 */
#ifndef PERFTRACE_BPFHOST_MAPS_H
#define PERFTRACE_BPFHOST_MAPS_H

#include <linux/bpf.h>

#include "bpfhost/memory.h"

#define MAPS_MAX 24

struct host_element {
	struct host_element *next;
	__u64 bytes[]; /* key, padded to 8, then value */
};

struct host_map {
	const void *id; /* the definition's address */
	unsigned int kind, key_size, value_size;
	size_t capacity, len;
	int failing_updates, failing_deletes; /* how many of the next ones fail */
	struct host_element *elements, *deleted;
	unsigned char *array;
};

static struct host_map host_maps[MAPS_MAX];

#define MAP_OF(map)                                                                   \
	host_map__get((map), sizeof(*(map)->type) / sizeof(int), sizeof(*(map)->key), \
		      sizeof(*(map)->value), sizeof(*(map)->max_entries) / sizeof(int))

static struct host_map *host_map__get(const void *id, unsigned int kind, unsigned int key_size,
				      unsigned int value_size, size_t capacity)
{
	for (size_t i = 0; i < MAPS_MAX; i++) {
		struct host_map *map = &host_maps[i];

		if (map->id == id)
			return map;
		if (map->id)
			continue;
		*map = (struct host_map){.id = id,
					 .kind = kind,
					 .key_size = key_size,
					 .value_size = value_size,
					 .capacity = capacity};
		return map;
	}
	fail_msg("more than %d maps", MAPS_MAX);
	return NULL;
}

static void host_map__free_list(struct host_element *e)
{
	while (e) {
		struct host_element *next = e->next;

		free(e);
		e = next;
	}
}

HOST_UNUSED void host_maps__reset(void)
{
	for (size_t i = 0; i < MAPS_MAX; i++) {
		host_map__free_list(host_maps[i].elements);
		host_map__free_list(host_maps[i].deleted);
		free(host_maps[i].array);
	}
	memset(host_maps, 0, sizeof(host_maps));
}

static void *host_map__value(const struct host_map *map, struct host_element *e)
{
	return e->bytes + (map->key_size + 7) / 8;
}

static struct host_element **host_map__slot(struct host_map *map, const void *key)
{
	struct host_element **slot = &map->elements;

	while (*slot && memcmp((*slot)->bytes, key, map->key_size))
		slot = &(*slot)->next;
	return slot;
}

static void *host_map__insert(struct host_map *map, const void *key)
{
	struct host_element *e =
		calloc(1, sizeof(*e) + (map->key_size + 7) / 8 * 8 + map->value_size);

	assert_non_null(e);
	memcpy(e->bytes, key, map->key_size);
	e->next = map->elements;
	map->elements = e;
	map->len++;
	return host_map__value(map, e);
}

static bool host_map__is_array(const struct host_map *map)
{
	return map->kind == BPF_MAP_TYPE_ARRAY || map->kind == BPF_MAP_TYPE_PERCPU_ARRAY;
}

/* All values of an array. */
static void *host_map__array(struct host_map *map)
{
	size_t step = (map->value_size + 7) / 8 * 8;

	if (!map->array) {
		map->array = aligned_alloc(64, (map->capacity * step + 63) / 64 * 64);
		assert_non_null(map->array);
		memset(map->array, 0, map->capacity * step);
	}
	return map->array;
}

static void *host_map__lookup(struct host_map *map, const void *key)
{
	struct host_element *e;

	if (host_map__is_array(map)) {
		__u32 index = *(const __u32 *)key;
		size_t step = (map->value_size + 7) / 8 * 8;

		return index < map->capacity ? (char *)host_map__array(map) + index * step : NULL;
	}
	e = *host_map__slot(map, key);
	return e ? host_map__value(map, e) : NULL;
}

HOST_UNUSED long host_map__update(struct host_map *map, const void *key, const void *value,
				  __u64 flags)
{
	void *old = host_map__lookup(map, key);

	if (map->failing_updates > 0) {
		map->failing_updates--;
		return -ENOMEM;
	}
	if (old && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!old && flags == BPF_EXIST)
		return -ENOENT;
	if (!old && map->len >= map->capacity)
		return -E2BIG;
	if (!old && host_map__is_array(map))
		return -E2BIG;
	memcpy(old ? old : host_map__insert(map, key), value, map->value_size);
	return 0;
}

HOST_UNUSED long host_map__delete(struct host_map *map, const void *key)
{
	struct host_element **slot = host_map__slot(map, key), *e = *slot;

	if (!e)
		return -ENOENT;
	*slot = e->next;
	memset(host_map__value(map, e), 0xdd, map->value_size);
	e->next = map->deleted;
	map->deleted = e;
	map->len--;
	if (map->failing_deletes > 0) { /* another CPU has been faster */
		map->failing_deletes--;
		return -ENOENT;
	}
	return 0;
}

#endif
