/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records in the ring buffer. Fixed-width fields, explicit padding; all times CLOCK_MONOTONIC
 * nanoseconds, all sizes bytes. The reader trusts neither `type` nor lengths (session/intake.c).
 */
#ifndef PERFTRACE_ABI_RECORDS_H
#define PERFTRACE_ABI_RECORDS_H

#include "abi/types.h"

#define COMM_LEN     16
#define NAME_MAX_LEN 64	 /* a span's own name, with its NUL */
#define CONTEXT_LEN  256 /* all context strings of a span or mark, each with its NUL */

enum record_type {
	RECORD_SPAN = 1,
	RECORD_MARK,
	RECORD_LIFE,
};

enum span_status {
	SPAN_OK,
	SPAN_WAS_UNWOUND, /* its frame was left without the end probe: error, exception, longjmp */
	SPAN_UNFINISHED,  /* open when its thread, its process image or the trace ended */
	SPAN_OPEN,	  /* written early, still running (user space only) */
};

#define SPAN_FLAG_UNSCOPED 0x01 /* matched by thread and pair; no parent, no children */
#define SPAN_FLAG_SENT	   0x04 /* ended, a placeholder below others (kernel side only) */
#define SPAN_FLAG_BARE	   0x08 /* of a function: name and duration, nothing else was looked at */
#define SPAN_FLAG_EXITS	   0x10 /* of a function whose every exit is probed: a tail call ends it */
#define SPAN_FLAG_NAMED	   0x02 /* matched by thread and the name given by the program */

/* One finished span, sent at its end. Children of a thread come before their parent. */
struct span_record {
	__u32 type; /* RECORD_SPAN */
	__u32 tgid, tid;
	__u16 depth;	  /* open scoped spans around it */
	__u8 status;	  /* enum span_status */
	__u8 flags;	  /* SPAN_FLAG_* */
	__u64 id, parent; /* unique in a run; parent 0 = none */
	__u64 start_ns, end_ns;
	__u64 child_ns;	 /* time covered by its direct scoped children */
	__u64 name_hash; /* key of the names map; 0 = the pair's own name */
	__u64 rss_bytes; /* at the end; 0 = unknown */
	__s64 rss_delta_bytes;
	__u32 pair;	   /* index of the span pair (probe/plan) */
	__u32 context_len; /* bytes of `context` in this record: NUL-terminated strings in a row */
	char comm[COMM_LEN];
	char context[CONTEXT_LEN];
};

enum mark_kind {
	MARK_CHECKPOINT = 1, /* name + context */
	MARK_EVENT,	     /* tag (as name) + text (as context) */
};

/* A checkpoint or an event. */
struct mark_record {
	__u32 type; /* RECORD_MARK */
	__u32 tgid, tid;
	__u32 kind; /* enum mark_kind */
	__u64 time_ns;
	__u64 parent; /* id of the innermost open scoped span, 0 = none */
	__u64 name_hash;
	__u64 rss_bytes; /* 0 = unknown */
	__u32 pad;
	__u32 context_len;
	char comm[COMM_LEN];
	char context[CONTEXT_LEN];
};

enum life_kind {
	LIFE_FORK = 1, /* tgid is the new process, other its parent */
	LIFE_EXEC,     /* tgid runs a new image */
	LIFE_ADOPTED,  /* tgid has become a target, as everybody is one */
	LIFE_LOADED,   /* tgid has loaded or dropped libraries */
	LIFE_CODE,     /* tgid runs code in no mapping that is known: look again */
	LIFE_EXIT,     /* the last thread of tgid is gone; other = its exit code as in wait(2) */
};

struct life_record {
	__u32 type; /* RECORD_LIFE */
	__u32 kind; /* enum life_kind */
	__u32 tgid;
	__u32 other;
	__u64 time_ns;
	__u64 space; /* FORK, EXEC, ADOPTED: the new address space; FORK 0 = shares its parent's
			(vfork) */
};

#define RECORD_HEAD_LEN(record) __builtin_offsetof(record, context)

_Static_assert(RECORD_HEAD_LEN(struct span_record) % 8 == 0, "context starts aligned");
_Static_assert(RECORD_HEAD_LEN(struct mark_record) % 8 == 0, "context starts aligned");

#endif
