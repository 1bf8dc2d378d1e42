/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From an address to its rule (abi/unwind.h): the layout's mapping, the page in it, the row, the
 * rule. The searches have no branches: a verifier follows each, and both sides of every one.
 *
 * User space changes the tables while programs run. It writes only where no layout points yet, then
 * changes the layout, then `layouts_changed`; a program that still goes by the old layout may find
 * anything, but never leaves the tables, and what it remembers has the old layout's seed.
 */
#ifndef PERFTRACE_UNWIND_RULES_BPF_H
#define PERFTRACE_UNWIND_RULES_BPF_H

#include "code.bpf.h"
#include "common.bpf.h"

/* Rules that no table has. */
enum {
	/* In code without a rule: a chain of frame pointers, and a call ends at this address. */
	UNWIND_CHAIN = UNWIND_REGISTER + 1,
	UNWIND_UNMAPPED, /* in no mapping known */
};

/* A struct unwind_rule as one word. */
#define UNWIND_PACK(cfa, rbp, rbp_offset, offset)                              \
	((__u64)(cfa) | (__u64)(rbp) << 8 | (__u64)(__u16)(rbp_offset) << 16 | \
	 (__u64)(__u32)(offset) << 32)
#define UNWIND_CFA_OF(rule)	   ((__u8)(rule))
#define UNWIND_RBP_OF(rule)	   ((__u8)((rule) >> 8))
#define UNWIND_RBP_OFFSET_OF(rule) ((__s64)((rule) << 32) >> 48)
#define UNWIND_OFFSET_OF(rule)	   ((__s64)(rule) >> 32)

/* [rbp] is the caller's rbp, above it lies the return address: the step to take, if it holds. */
#define UNWIND_BY_RBP(cfa) UNWIND_PACK(cfa, UNWIND_RBP_AT_CFA, -16, 16)

/* At a function's entry. */
#define UNWIND_AT_ENTRY UNWIND_PACK(UNWIND_RSP, UNWIND_RBP_SAME, 0, 8)

/* ~0 if a < b, else 0, for a and b that differ by less than 2^63. Hidden from the compiler, which
 * knows that this is a comparison, and would branch. */
static __always_inline __u64 below(__u64 a, __u64 b)
{
	__u64 difference = a - b;

	barrier_var(difference);
	return (__s64)difference >> 63;
}

static __always_inline __u64 unwind_key(__u64 seed, __u64 address)
{
	__u64 key = (address ^ seed) * 0x9e3779b97f4a7c15ULL;

	return key ^ (key >> 32);
}

static __always_inline struct unwind_cache *the_cache(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&unwind_caches, &zero);
}

/* The rule for `key`; not 0: it is not remembered, *rule is another's. */
static __always_inline __u64 recall(struct unwind_cache *cache, __u64 key, __u64 *rule)
{
	__u64 i = key >> (64 - UNWIND_CACHE_BITS);

	*rule = *(volatile __u64 *)&cache->slot[i].rule;
	return *(volatile __u64 *)&cache->slot[i].check ^ *rule ^ key;
}

static __always_inline void remember(struct unwind_cache *cache, __u64 key, __u64 rule)
{
	__u64 i = key >> (64 - UNWIND_CACHE_BITS);

	*(volatile __u64 *)&cache->slot[i].rule = rule;
	*(volatile __u64 *)&cache->slot[i].check = key ^ rule;
}

/* The mapping around `address`, or NULL. */
static __always_inline const struct unwind_mapping *
find_mapping(const struct unwind_mapping_table *table, const struct stack_scratch *s, __u64 address)
{
	const struct unwind_mapping *mapping;
	__u64 first = s->first, n = s->n, at = 0;

#pragma unroll
	for (__u64 step = UNWIND_LAYOUT_MAX / 2; step; step /= 2) {
		__u64 next = at + step, i = (first + next) & (UNWIND_MAPPINGS_MAX - 1);

		at += step & below(next, n) & ~below(address, table->mapping[i].start);
	}
	mapping = &table->mapping[(first + at) & (UNWIND_MAPPINGS_MAX - 1)];
	return address >= mapping->start && address < mapping->end ? mapping : NULL;
}

/* A halfword of a shard, wherever that leads. */
static __always_inline __u64 half_at(const struct unwind_shard *shard, __u64 i)
{
	return shard->half[i & (UNWIND_SHARD_HALVES - 1)];
}

/* The number of the rule that holds at offset `low` in a page. */
static __always_inline __u32 find_number(const struct unwind_shard *shard,
					 const struct unwind_page *page, __u64 low)
{
	__u64 first = page->first, n = page->rows, at = 0, which;

#pragma unroll
	for (__u64 step = (1 << UNWIND_PAGE_BITS) / 2; step; step /= 2) {
		__u64 next = at + step;

		at += step & below(next, n) & ~below(low, half_at(shard, first + next));
	}
	if (!n || half_at(shard, first + at) > low)
		return UNWIND_RULE_NONE;
	if (!page->rules)
		return half_at(shard, first + n + at);
	which = shard->byte[(2 * (first + n) + at) & (2 * UNWIND_SHARD_HALVES - 1)];
	return half_at(shard, first + UNWIND_PAGE_NUMBERS(n) + which);
}

static __always_inline __u64 find_rule_in_page(__u32 number, __u64 low)
{
	const struct unwind_page *page = bpf_map_lookup_elem(&unwind_pages, &number);
	const struct unwind_shard *shard;
	const struct unwind_rule *rule;
	__u32 key;

	if (!page)
		return 0;
	key = page->first >> UNWIND_SHARD_BITS;
	shard = bpf_map_lookup_elem(&unwind_shards, &key);
	if (!shard)
		return 0;
	key = find_number(shard, page, low);
	rule = bpf_map_lookup_elem(&unwind_rules, &key);
	if (!rule || rule->cfa > UNWIND_REGISTER)
		return 0;
	return UNWIND_PACK(rule->cfa, rule->rbp, rule->rbp_offset, rule->offset);
}

/* As the tables say; UNWIND_CHAIN only means that there are none for this mapping. */
static __always_inline __u64 find_rule(const struct stack_scratch *s, __u64 address)
{
	const struct unwind_mapping_table *table;
	const struct unwind_mapping *mapping;
	__u64 rule, offset;
	__u32 key = 0;

	table = bpf_map_lookup_elem(&unwind_mappings, &key);
	if (!table)
		return UNWIND_UNMAPPED;
	mapping = find_mapping(table, s, address);
	if (!mapping)
		return UNWIND_UNMAPPED;
	if (mapping->kind == UNWIND_BY_FRAME_POINTER)
		return UNWIND_BY_RBP(UNWIND_CHAIN);
	offset = address - mapping->base;
	rule = find_rule_in_page(mapping->first_page + (offset >> UNWIND_PAGE_BITS),
				 offset & ((1 << UNWIND_PAGE_BITS) - 1));
	return UNWIND_CFA_OF(rule) == UNWIND_NONE ? UNWIND_BY_RBP(UNWIND_NONE) : rule;
}

#endif
