/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts spans into the order people read: a parent's line before its children, siblings by start,
 * checkpoints and events at their place in time. Spans arrive when they end, children of a thread
 * before their parent, so a tree is held until its root ends.
 *
 * Holding is bounded. A tree held too long, or with too many lines, is flushed early: what is
 * held is emitted, and from then on the finished subtrees below spans that are still running are
 * emitted as they end. The running ancestors come first if somebody names them (`ancestors`, or
 * span_tree__flush_open), with status SPAN_OPEN; when such a span ends it is emitted once more,
 * with `late` set.
 *
 * Unscoped spans have no place in a tree and pass straight through.
 */
#ifndef PERFTRACE_MODEL_SPAN_TREE_H
#define PERFTRACE_MODEL_SPAN_TREE_H

#include <stddef.h>

#include "abi/spans.h"
#include "model/span.h"

/* One line of output: exactly one of the two is set, borrowed for the call. */
struct span_line {
	const struct span *span;
	const struct mark *mark;
	bool late; /* its children were emitted before it */
};

typedef void (*span_tree_emit_fn)(void *arg, const struct span_line *line);
/*
 * Fills `open` (room for `capacity`) with the scoped spans that thread `tid` of process `pid` has
 * open right now, outermost first, status SPAN_OPEN; returns how many, 0 when it cannot know.
 */
typedef size_t (*span_tree_ancestors_fn)(void *arg, uint32_t pid, uint32_t tid, struct span *open,
					 size_t capacity);

enum span_order {
	SPAN_ORDER_TREE,
	SPAN_ORDER_END, /* every span when it ends; nothing is held */
};

struct span_tree_options {
	enum span_order order;
	uint64_t hold_ns;  /* longest a line is held; 0 = SPAN_TREE_HOLD_NS */
	size_t hold_lines; /* most lines held per thread; 0 = SPAN_TREE_HOLD_LINES */
	size_t hold_total; /* most lines held in all; 0 = SPAN_TREE_HOLD_TOTAL */
	span_tree_emit_fn emit;
	span_tree_ancestors_fn ancestors; /* may be NULL */
	void *arg;			  /* of both */
};

#define SPAN_TREE_HOLD_NS    (2 * 1000000000ull)
#define SPAN_TREE_HOLD_LINES 4096
#define SPAN_TREE_HOLD_TOTAL 32768

struct span_tree;

/* Copies the options. NULL when out of memory. */
struct span_tree *span_tree__new(const struct span_tree_options *options);
/* Drops what is held; call span_tree__flush_all() first to see it. */
void span_tree__free(struct span_tree *tree);

/*
 * One finished span, in the order in which its thread ended them; one mark, in the order of time.
 * Copied as far as they are held. They cannot fail: a line that finds no memory is emitted at
 * once, out of its order, and counted as early.
 */
void span_tree__add_span(struct span_tree *tree, const struct span *span);
void span_tree__add_mark(struct span_tree *tree, const struct mark *mark);

/* Flushes every thread that holds a line which ended more than hold_ns before `now_ns`. */
void span_tree__flush_due(struct span_tree *tree, uint64_t now_ns);
/* Flushes one thread; `open` are its running ancestors, outermost first, at least one. */
void span_tree__flush_open(struct span_tree *tree, const struct span *open, size_t count);
/* The end: everything still held, threads by the start of their oldest line. */
void span_tree__flush_all(struct span_tree *tree);

size_t span_tree__held(const struct span_tree *tree);
/* Lines emitted before their root had ended. */
uint64_t span_tree__early(const struct span_tree *tree);

#endif
