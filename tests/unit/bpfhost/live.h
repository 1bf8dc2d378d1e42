/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocks alive that BPF programs on the host have put into the table and into the hash, found
 * without the code under test. Include after heap.bpf.c.
 */
#ifndef PERFTRACE_BPFHOST_LIVE_H
#define PERFTRACE_BPFHOST_LIVE_H

#include "bpfhost/host.h"

/* After host__reset(); 0 buckets: there is no table. */
HOST_UNUSED void live__set_up(__u32 buckets)
{
	host_config.live_buckets = buckets;
	MAP_OF(&live_table)->capacity = buckets ? buckets : 1;
	live_spilled = 0;
}

static struct live_bucket *live__table(void)
{
	return host_map__array(MAP_OF(&live_table));
}

/* A copy of the block, valid for the next few calls; NULL: there is none. */
HOST_UNUSED struct live_block *live__find(__u64 space, __u64 address)
{
	static struct live_block copies[8];
	static unsigned int next;
	struct live_key key = {.space = space, .address = address};
	struct live_block *copy = &copies[next++ % 8];
	const void *hashed = host_map__lookup(MAP_OF(&live), &key);
	unsigned int found = 0;

	if (hashed) {
		memcpy(copy, hashed, sizeof(*copy));
		found++;
	}
	for (__u32 i = 0; i < host_config.live_buckets; i++) {
		for (int way = 0; way < LIVE_WAYS; way++) {
			__u64 packed = live__table()[i].key[way];

			if (packed >> 44 != space || (packed << 20 >> 20 << 3) != address || !space)
				continue;
			*copy = live_slot_unpack(&live__table()[i].slot[way]);
			found++;
		}
	}
	if (found > 1)
		fail_msg("%#llx is alive %u times", address, found);
	return found ? copy : NULL;
}

struct live_total {
	__s64 blocks, bytes;
};

HOST_UNUSED struct live_total live__total(void)
{
	struct live_total total = {0};

	for (struct host_element *e = MAP_OF(&live)->elements; e; e = e->next) {
		const struct live_block *block = host_map__value(MAP_OF(&live), e);

		total.blocks++;
		total.bytes += block->size;
	}
	assert_int_equal(live_spilled, total.blocks);
	for (__u32 i = 0; i < host_config.live_buckets; i++) {
		for (int way = 0; way < LIVE_WAYS; way++) {
			assert_int_not_equal(live__table()[i].key[way], LIVE_BUSY);
			if (!live__table()[i].key[way])
				continue;
			total.blocks++;
			total.bytes += live_slot_unpack(&live__table()[i].slot[way]).size;
		}
	}
	return total;
}

#endif
