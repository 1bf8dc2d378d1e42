/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What user space tells the kernel side about span probes. */
#ifndef PERFTRACE_ABI_SPANS_H
#define PERFTRACE_ABI_SPANS_H

#include "abi/types.h"
#include "abi/records.h"

#define SPAN_DEPTH_MAX	  64 /* open scoped spans per thread */
#define SPAN_UNSCOPED_MAX 8  /* open unscoped spans per thread */
#define SPAN_STRINGS_MAX  2  /* context strings taken from one site */

enum site_role {
	SITE_START = 1,
	SITE_END,
	SITE_CHECKPOINT,
	SITE_EVENT,
	/* Not of spans: a program tells of a block itself (name = block, strings = size, weight).
	 */
	SITE_TOLD_ALLOC,
	SITE_TOLD_FREE,
};

enum arg_kind {
	ARG_NONE,  /* absent, or of a form that cannot be fetched */
	ARG_CONST, /* the value itself */
	ARG_REG,   /* a register */
	ARG_DEREF, /* memory at register + index * scale + offset */
};

/* Where one probe argument is. Registers are byte offsets into struct pt_regs. */
struct arg_spec {
	__u8 kind; /* enum arg_kind */
	__u8 size; /* bytes 1, 2, 4, 8 */
	__u8 is_signed;
	__u8 scale; /* of index_offset: 1, 2, 4, 8; 0 = no index register */
	__u16 reg_offset;
	__u16 index_offset;
	__s64 value; /* the constant, or the displacement */
};

/* One probe site. The site's number is the BPF cookie of its probe. */
struct span_site {
	__u32 pair;   /* index into the pair table */
	__u8 role;    /* enum site_role */
	__u8 named;   /* 1: the first string argument is the span's name (our own macros) */
	__u8 strings; /* how many of `string` may be context */
	/* SITE_END at a conditional jump: 1 + the condition (its number in jcc) that must hold. */
	__u8 condition;
	__u32 stack_moved; /* of a function's entry: how far rsp is below its value there */
	__u32 flags;	   /* of a function's entry: SPAN_FLAG_* of its spans */
	struct arg_spec name;
	struct arg_spec string[SPAN_STRINGS_MAX];
	/* Learned: an argument that never held text stops being read (see bpf/span.bpf.c). */
	__u32 text_seen[SPAN_STRINGS_MAX];
	__u32 text_missed[SPAN_STRINGS_MAX];
};

/* What is known of a pair; `agree` and `differ` are learned, `scoped_hint` is static. */
struct span_pair {
	__u32 scoped_hint; /* 1: start and end are in one function */
	__u32 by_name;	   /* 1: our own macros, matched by name and thread */
	__u64 agree;	   /* ends whose stack pointer was the start's */
	__u64 differ;
};

/* Text of a name, keyed by its 64-bit hash. */
struct span_name {
	char text[NAME_MAX_LEN];
};

#endif
