/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Unwind tables as the kernel side reads them: for every code address of every mapped object, how
 * the caller's frame is found. User space builds them from .eh_frame (user/stack/unwind_table.h)
 * and writes them into memory-mapped arrays (user/stack/unwind_store.h); bpf/unwind.bpf.h walks.
 *
 *   layout -> its mappings, ascending -> page of 64 KB -> rows, ascending -> rule
 *
 * The rows of a page are one piece of a shard, each the one value of an array element, so that a
 * search inside a page needs no map lookup; a piece never crosses a shard's end.
 */
#ifndef PERFTRACE_ABI_UNWIND_H
#define PERFTRACE_ABI_UNWIND_H

#include "abi/types.h"

#define UNWIND_PAGE_BITS    16
#define UNWIND_SHARD_BITS   19 /* halfwords per shard: 1 MB of them */
#define UNWIND_SHARD_HALVES (1U << UNWIND_SHARD_BITS)
#define UNWIND_RULES_MAX    32768
#define UNWIND_MAPPINGS_MAX 65536 /* of all layouts together; a power of two */
#define UNWIND_LAYOUT_MAX   4096  /* mappings of one layout; a power of two */

struct unwind_shard {
	union {
		__u16 half[UNWIND_SHARD_HALVES];
		__u8 byte[2 * UNWIND_SHARD_HALVES];
	};
};

/*
 * The canonical frame address (CFA): the value of rsp before the call, in the caller. The return
 * address is at CFA - 8.
 */
enum unwind_cfa {
	UNWIND_NONE,	  /* no rule is known here */
	UNWIND_END,	  /* the outermost frame: its return address is undefined */
	UNWIND_RSP,	  /* rsp + offset */
	UNWIND_RBP,	  /* rbp + offset */
	UNWIND_DEREF_RSP, /* *(rsp + UNWIND_DEREF_OFFSET) + UNWIND_DEREF_ADD */
	UNWIND_DEREF_RBP, /* the same from rbp */
	UNWIND_PLT,	  /* rsp + 8, and 8 more when (pc & 15) >= offset */
	UNWIND_SIGNAL,	  /* a signal handler's return: rt_sigframe at rsp, all registers there */
	UNWIND_REGISTER,  /* register (offset & 15, DWARF's numbers) + (offset >> 4): only in the
			     innermost frame, whose registers are all known */
};

enum unwind_rbp {
	UNWIND_RBP_SAME,    /* the caller's rbp is still in rbp */
	UNWIND_RBP_AT_CFA,  /* saved at CFA + rbp_offset */
	UNWIND_RBP_AT_RBP,  /* saved at rbp + rbp_offset */
	UNWIND_RBP_UNKNOWN, /* not to be had */
};

struct unwind_rule {
	__u8 cfa; /* enum unwind_cfa */
	__u8 rbp; /* enum unwind_rbp */
	__s16 rbp_offset;
	__s32 offset;
};

/* DEREF_*: what is added to the loaded value is in the low byte of `offset`. */
#define UNWIND_DEREF(offset, add)	 ((__s32)((__u32)(offset) << 8 | (add)))
#define UNWIND_DEREF_OFFSET(rule_offset) ((rule_offset) >> 8)
#define UNWIND_DEREF_ADD(rule_offset)	 ((rule_offset)&0xff)

/* Rules that always have these numbers. */
#define UNWIND_RULE_NONE 0
#define UNWIND_RULE_END	 1

/*
 * Rows of 64 KB of code. From the `start` of a row on, within the page, to the next row's, one rule
 * holds; the first row starts at or below the page's first covered address. Most pages have few
 * different rules, and say for each row in one byte which of them:
 *
 *	u16 start[rows];	ascending
 *	u8  which[rows];	index of number[]; a byte of padding if `rows` is odd
 *	u16 number[rules];	of the rule, for all objects together
 *
 * Where that would not be smaller, or there are more than UNWIND_PAGE_RULES, `rules` is 0:
 *
 *	u16 start[rows];
 *	u16 number[rows];
 */
#define UNWIND_PAGE_ROWS  (1U << UNWIND_PAGE_BITS) /* at most */
#define UNWIND_PAGE_RULES 256			   /* at most */
struct unwind_page {
	__u32 first;	 /* where the piece begins, in halfwords through all shards */
	__u32 rows : 20; /* 0: nothing is known of this page */
	__u32 rules : 12;
};

/* Halfwords from the piece's beginning to number[], if `rules` is not 0. */
#define UNWIND_PAGE_NUMBERS(rows) ((rows) + ((rows) + 1) / 2)

enum unwind_mapping_kind {
	UNWIND_BY_RULES,	 /* pages from first_page on */
	UNWIND_BY_FRAME_POINTER, /* made at run time, or an object without unwind information */
};

/* One executable mapping. */
struct unwind_mapping {
	__u64 start, end; /* [start, end) */
	/* Address of its object's page 0: (pc - base) >> UNWIND_PAGE_BITS counts pages. All of
	 * [start, end) lies in pages that exist. */
	__u64 base;
	__u32 first_page;
	__u32 kind; /* enum unwind_mapping_kind */
};

/* What the processes of one layout map: mappings [first, first + n), ascending, disjoint. */
struct unwind_layout {
	__u64 seed; /* random, another one after every change: keeps remembered rules apart */
	__u32 first;
	__u32 n; /* at most UNWIND_LAYOUT_MAX */
};

/* Why a stack ends. */
enum unwind_stop {
	UNWIND_STOP_END,	/* complete: the outermost frame */
	UNWIND_STOP_NO_MAPPING, /* an address outside all mappings known */
	UNWIND_STOP_NO_RULE,	/* code without unwind information, or with one we cannot follow */
	UNWIND_STOP_READ_FAULT, /* the stack could not be read, or a frame does not lie above its
				   callee's */
	UNWIND_STOP_DEPTH,	/* as many frames as are kept */
	UNWIND_STOP_NO_TABLES,	/* nothing is known of this layout (yet) */
	UNWIND_STOPS,
};

#endif
