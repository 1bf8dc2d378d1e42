/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the heap maps hold. */
#ifndef PERFTRACE_ABI_HEAP_H
#define PERFTRACE_ABI_HEAP_H

#include "abi/types.h"

#define STACK_DEPTH_MAX 128
#define HEAP_COMM_LEN	16

/*
 * What a heap probe's cookie says: which kind of function it is on, and in which argument what is
 * found. Any function that hands out, takes back or replaces blocks can be described, whoever
 * wrote it. 32 bits, so that comparing with a well-known one is one instruction:
 *
 *	bits 0-2	enum heap_kind
 *	bits 3-20	arguments by number, 1 to 6, 3 bits each; 0 = has none: size, count
 *			(bytes are count * size), block (freed or replaced), alignment, out (where
 *			the new block's address is stored), flags (their low 6 bits are the
 *			alignment's logarithm, as in jemalloc's mallocx)
 *	bits 21-23	HEAP_THROWS, HEAP_FORWARDS, HEAP_FREES_ALWAYS
 *
 * For HEAP_RESULT instead:
 *
 *	bits 3-6	the register that holds the result, by its number in instructions
 *	bits 7-11	0 = always, else 1 + the condition (its number in jcc) that must hold
 *	bits 12-27	how far rsp is below its value at the function's entry, in words
 */
enum heap_kind {
	HEAP_ALLOCATES = 1, /* returns a block or NULL */
	HEAP_FREES,
	HEAP_REALLOCATES, /* takes a block, returns its successor; NULL: it failed, the block stays
			   */
	HEAP_STORES,	  /* returns 0 or an error number, the block's address is stored at `out` */
	HEAP_RESIZES,	  /* in place or not at all; returns the size that the block has then */
	HEAP_RESULT,	  /* no function: the place where the result of one is known */
	HEAP_RAISES,	  /* an exception is made: a HEAP_THROWS function will not return */
};

#define HEAP_KIND_MASK	  7
#define HEAP_SIZE(n)	  ((n) << 3)
#define HEAP_COUNT(n)	  ((n) << 6)
#define HEAP_BLOCK(n)	  ((n) << 9)
#define HEAP_ALIGN(n)	  ((n) << 12)
#define HEAP_OUT(n)	  ((n) << 15)
#define HEAP_FLAGS(n)	  ((n) << 18)
#define HEAP_ARGUMENT_MAX 6
/* An exception may leave it: its return is not hooked, HEAP_RESULT probes tell what it returns. */
#define HEAP_THROWS (1 << 21)
/* May pass the block on to another probed function: that is one free, not two. */
#define HEAP_FORWARDS (1 << 22)
/* Of HEAP_REALLOCATES: frees the block also if it fails (reallocf). */
#define HEAP_FREES_ALWAYS (1 << 23)

/* The number of an argument of the description `fn`, 0 = none. */
#define HEAP_ARGUMENT(fn, which) (((fn) / which(1)) & 7)

#define HEAP_RESULT_IN(reg, condition, words) \
	(HEAP_RESULT | (reg) << 3 | (condition) << 7 | (words) << 12)
#define HEAP_RESULT_REGISTER(fn)  (((fn) >> 3) & 15)
#define HEAP_RESULT_CONDITION(fn) (((fn) >> 7) & 31)
#define HEAP_RESULT_WORDS(fn)	  (((fn) >> 12) & 0xffff)
#define HEAP_RESULT_WORDS_MAX	  0xffff

/* The C family: what the programs know without looking. */
enum heap_function {
	/* (size): malloc, valloc, pvalloc */
	HEAP_MALLOC = HEAP_ALLOCATES | HEAP_SIZE(1),
	/* (n, size) */
	HEAP_CALLOC = HEAP_ALLOCATES | HEAP_COUNT(1) | HEAP_SIZE(2),
	/* (alignment, size): memalign, aligned_alloc */
	HEAP_MEMALIGN = HEAP_ALLOCATES | HEAP_ALIGN(1) | HEAP_SIZE(2),
	/* (block, size) */
	HEAP_REALLOC = HEAP_REALLOCATES | HEAP_BLOCK(1) | HEAP_SIZE(2),
	/* (block, n, size) */
	HEAP_REALLOCARRAY = HEAP_REALLOCATES | HEAP_BLOCK(1) | HEAP_COUNT(2) | HEAP_SIZE(3),
	/* (&block, alignment, size) -> 0 or an error number */
	HEAP_POSIX_MEMALIGN = HEAP_STORES | HEAP_OUT(1) | HEAP_ALIGN(2) | HEAP_SIZE(3),
	/* (block, ...) */
	HEAP_FREE = HEAP_FREES | HEAP_BLOCK(1),
};

/*
 * A traced process. Address spaces are numbered, never reused and not the kernel's mm pointer: a
 * new child may get the mm of one that has just died.
 */
struct target {
	__u64 space;  /* shared with a vfork child until it execs */
	__u64 layout; /* shared with forked children until they exec: same code at same addresses */
	/*
	 * 1 once all its probes of that kind are linked. They come one by one: allocations seen
	 * before frees are would stay in the books for ever, spans before ends open.
	 */
	__u32 heap_ready, spans_ready;
};

/*
 * What user space changes in a target, in place: to read it and write it back whole would undo an
 * exec in between, and all that the new program allocates would be the old one's.
 */
struct target_change {
	__u32 tgid;
	__u32 ready;  /* 1: all its probes are linked now */
	__u64 layout; /* its new layout, unless it has a later one; 0 = as it is */
};

/* Key of the live set: an address means nothing without its address space. */
struct live_key {
	__u64 space;
	__u64 address;
};

struct live_block {
	__u64 size;	 /* bytes requested */
	__u64 site;	 /* key of the sites map */
	__u64 time_ns;	 /* when it was allocated */
	__u64 alignment; /* requested alignment, 0 = the function's default */
};

/*
 * The live set is a table of buckets (map `live_table`) and, for what finds no place there, a hash
 * (map `live`). bpf/live_table.bpf.h has the rules; this is the layout. A bucket's keys fill one
 * cache line with the count of what has to be looked for in the hash.
 *
 * A key is one word: space << 44 | address >> 3. Zero is a free slot, LIVE_BUSY one whose block is
 * just being written or read; no key looks like these, as spaces begin with 1.
 */
#define LIVE_WAYS	   7
#define LIVE_BUSY	   1
#define LIVE_SPACE_BITS	   20
#define LIVE_ADDRESS_BITS  47 /* of user space with four levels of page tables */
#define LIVE_ADDRESS_UNIT  3  /* blocks begin at multiples of 8 */
#define LIVE_ADDRESS_WIDTH (LIVE_ADDRESS_BITS - LIVE_ADDRESS_UNIT)
#define LIVE_SIZE_BITS	   56

struct live_slot {
	__u64 size; /* the bits above LIVE_SIZE_BITS: 1 + the alignment's logarithm, 0 = none */
	__u64 site;
	__u64 time_ns;
};

struct live_bucket {
	__u64 key[LIVE_WAYS];
	__u64 spilled; /* blocks of this bucket that are in the hash */
	struct live_slot slot[LIVE_WAYS];
	__u64 unused[3]; /* a bucket is four cache lines */
};

#define LIVE_INLINE static inline __attribute__((always_inline))

/* The key of a block's place in the table; 0: it has none, the hash takes it. */
LIVE_INLINE __u64 live_table_key(__u64 space, __u64 address)
{
	if (!space || space >> LIVE_SPACE_BITS || address >> LIVE_ADDRESS_BITS ||
	    address & ((1 << LIVE_ADDRESS_UNIT) - 1))
		return 0;
	return space << LIVE_ADDRESS_WIDTH | address >> LIVE_ADDRESS_UNIT;
}

LIVE_INLINE struct live_key live_table_key_unpack(__u64 key)
{
	return (struct live_key){
		.space = key >> LIVE_ADDRESS_WIDTH,
		.address = (key & ((1ULL << LIVE_ADDRESS_WIDTH) - 1)) << LIVE_ADDRESS_UNIT,
	};
}

/*
 * The bucket of a key, below n_buckets: Fibonacci hashing (Knuth, The Art of Computer Programming,
 * vol. 3, 6.4), the upper half of the product scaled to the number of buckets.
 */
LIVE_INLINE __u32 live_table_bucket(__u64 key, __u32 n_buckets)
{
	return (key * 0x9e3779b97f4a7c15ULL >> 32) * n_buckets >> 32;
}

/* Does a block fit a slot? Any that an allocator can really have made. */
LIVE_INLINE int live_slot_fits(const struct live_block *block)
{
	return !(block->size >> LIVE_SIZE_BITS) && !(block->alignment & (block->alignment - 1));
}

LIVE_INLINE __u64 live_slot_size(const struct live_block *block)
{
	__u64 a = block->alignment, code = 1;

	if (!a)
		return block->size;
	for (int bits = 32; bits; bits /= 2) {
		if (a >> bits) {
			a >>= bits;
			code += bits;
		}
	}
	return block->size | code << LIVE_SIZE_BITS;
}

LIVE_INLINE struct live_block live_slot_unpack(const struct live_slot *slot)
{
	__u64 code = slot->size >> LIVE_SIZE_BITS;

	return (struct live_block){
		.size = slot->size & ((1ULL << LIVE_SIZE_BITS) - 1),
		.site = slot->site,
		.time_ns = slot->time_ns,
		.alignment = code ? 1ULL << ((code - 1) & 63) : 0,
	};
}

/* One call site: its stack and its totals. Key: hash of (layout, frames). */
struct heap_site {
	__u64 allocs, frees;
	__u64 alloc_bytes, freed_bytes;
	__u64 retired, retired_bytes; /* blocks whose free was missed: the address came again */
	__u64 first_ns, last_ns;      /* first and last allocation */
	__u64 largest;		      /* bytes of the largest block */
	__u64 layout;		      /* whose mappings the frames belong to */
	__u32 tgid;		      /* the process that was first here */
	__u16 depth;
	__u16 stop;		       /* enum unwind_stop */
	char comm[HEAP_COMM_LEN];      /* of that process */
	__u64 frames[STACK_DEPTH_MAX]; /* return addresses, innermost first */
};

/* One per run. */
struct heap_gauge {
	__s64 live_bytes;
	__s64 peak_live_bytes;
	__s64 live_blocks;
	__s64 in_realloc; /* blocks out of the live set while their realloc runs */
};

#endif
