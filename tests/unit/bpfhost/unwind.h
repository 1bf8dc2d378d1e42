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
	__u32 n_rules, n_pages, n_mappings;
	__u64 seed;
	bool wide; /* rules by their numbers on all pages */
	/* The page that rows are added to. */
	struct unwind_page *page;
	__u32 n_halves; /* before it */
	__u16 start[UNWIND_PAGE_ROWS], number[UNWIND_PAGE_ROWS];
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

static struct unwind_shard *tables__shard(void)
{
	return host_map__array(MAP_OF(&unwind_shards));
}

/* Begins anew; first of all after host__reset(). */
HOST_UNUSED void tables__reset(void)
{
	__u64 seed = tables.seed;
	bool wide = tables.wide;

	memset(&tables, 0, sizeof(tables));
	tables.seed = seed;
	tables.wide = wide;
	MAP_OF(&unwind_pages)->capacity = TABLES_PAGES;
	memset(tables__pages(), 0, TABLES_PAGES * sizeof(struct unwind_page));
	tables.n_rules = UNWIND_RULE_END + 1;
	tables__rules()[UNWIND_RULE_END].cfa = UNWIND_END;
}

/* Writes page->rules and what lies behind the starts. */
static void tables__write_rules(struct unwind_page *page)
{
	__u32 n = page->rows, at = page->first;
	__u8 *which = &tables__shard()->byte[2 * (at + n)];
	__u16 *numbers = &tables__shard()->half[at + UNWIND_PAGE_NUMBERS(n)];

	page->rules = 0;
	for (__u32 i = 0; i < n; i++) {
		__u32 k = 0;

		while (k < page->rules && numbers[k] != tables.number[i])
			k++;
		assert_true(k < UNWIND_PAGE_RULES);
		if (k == page->rules)
			numbers[page->rules++] = tables.number[i];
		which[i] = k;
	}
}

/* The page that rows are added to gets its piece, perhaps again. Returns the piece's end. */
static __u32 tables__write_page(void)
{
	struct unwind_page *page = tables.page;
	__u16 *piece;

	if (!page)
		return tables.n_halves;
	page->first = tables.n_halves;
	piece = &tables__shard()->half[page->first];
	memcpy(piece, tables.start, page->rows * sizeof(*piece));
	if (!tables.wide) {
		tables__write_rules(page);
		return page->first + UNWIND_PAGE_NUMBERS(page->rows) + page->rules;
	}
	memcpy(piece + page->rows, tables.number, page->rows * sizeof(*piece));
	return page->first + 2 * page->rows;
}

/* The layout's mappings are all that were added so far; another change of layouts. */
HOST_UNUSED void tables__publish(__u64 layout)
{
	struct unwind_layout value = {.seed = 0x5eed + ++tables.seed, .n = tables.n_mappings};

	tables__write_page();
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

/* From `address` in the mapping added last that rule holds, once it is published. */
HOST_UNUSED void tables__row(__u64 address, __u16 rule)
{
	const struct unwind_mapping *m = &tables__mappings()[tables.n_mappings - 1];
	struct unwind_page *page =
		&tables__pages()[m->first_page + ((address - m->base) >> UNWIND_PAGE_BITS)];

	if (page != tables.page) {
		tables.n_halves = tables__write_page();
		assert_int_equal(page->rows, 0);
		tables.page = page;
	}
	tables.start[page->rows] = (address - m->base) & 0xffff;
	tables.number[page->rows++] = rule;
}

#endif
