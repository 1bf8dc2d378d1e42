/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unwind tables made by hand for BPF programs on the host. Mappings, and addresses inside one, are
 * given in ascending order. Include after unwind.bpf.c.
 */
#ifndef PERFTRACE_BPFHOST_UNWIND_H
#define PERFTRACE_BPFHOST_UNWIND_H

#include "bpfhost/host.h"

#define TABLES_PAGES 64

static struct {
	__u32 n_rules, n_pages, n_rows, n_mappings;
	__u64 seed;
} tables;

static struct unwind_rule *tables__rules(void)
{
	return host_map__array(MAP_OF(&unwind_rules));
}

static struct unwind_page *tables__pages(void)
{
	return host_map__array(MAP_OF(&unwind_pages));
}

static struct unwind_mapping *tables__mappings(void)
{
	return ((struct unwind_mapping_table *)host_map__array(MAP_OF(&unwind_mappings)))->mapping;
}

static struct unwind_row *tables__rows(void)
{
	return ((struct unwind_shard *)host_map__array(MAP_OF(&unwind_shards)))->row;
}

/* Begins anew; first of all after host__reset(). */
HOST_UNUSED void tables__reset(void)
{
	__u64 seed = tables.seed;

	memset(&tables, 0, sizeof(tables));
	tables.seed = seed;
	MAP_OF(&unwind_pages)->capacity = TABLES_PAGES;
	memset(tables__pages(), 0, TABLES_PAGES * sizeof(struct unwind_page));
	tables.n_rules = UNWIND_RULE_END + 1;
	tables__rules()[UNWIND_RULE_END].cfa = UNWIND_END;
}

/* The layout's mappings are all that were added so far; another change of layouts. */
HOST_UNUSED void tables__publish(__u64 layout)
{
	struct unwind_layout value = {.seed = 0x5eed + ++tables.seed, .n = tables.n_mappings};

	assert_int_equal(bpf_map_update_elem(&unwind_layouts, &layout, &value, BPF_ANY), 0);
	layouts_changed++;
}

HOST_UNUSED __u16 tables__rule(struct unwind_rule rule)
{
	tables__rules()[tables.n_rules] = rule;
	return tables.n_rules++;
}

HOST_UNUSED void tables__map(__u64 start, __u64 end, __u32 kind)
{
	struct unwind_mapping *m = &tables__mappings()[tables.n_mappings++];

	*m = (struct unwind_mapping){.start = start,
				     .end = end,
				     .base = start & ~0xffffULL,
				     .first_page = tables.n_pages,
				     .kind = kind};
	if (kind != UNWIND_BY_RULES)
		return;
	tables.n_pages += (end - m->base + 0xffff) >> UNWIND_PAGE_BITS;
	assert_true(tables.n_pages <= TABLES_PAGES);
}

/* From `address` in the mapping added last that rule holds. */
HOST_UNUSED void tables__row(__u64 address, __u16 rule)
{
	const struct unwind_mapping *m = &tables__mappings()[tables.n_mappings - 1];
	struct unwind_page *page =
		&tables__pages()[m->first_page + ((address - m->base) >> UNWIND_PAGE_BITS)];

	if (!page->rows)
		page->first = tables.n_rows;
	page->rows++;
	assert_int_equal(page->first + page->rows, tables.n_rows + 1);
	tables__rows()[tables.n_rows++] =
		(struct unwind_row){.start = (address - m->base) & 0xffff, .rule = rule};
}

#endif
