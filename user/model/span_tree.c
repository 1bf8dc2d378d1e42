// SPDX-License-Identifier: BSD-2-Clause
#include "model/span_tree.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Threads with something held or open; past it lines pass straight through. */
#define THREADS_MAX 65536

/* A held line. Children form a list in the order they started. */
struct node {
	struct node *prev, *next;  /* siblings, or the thread's tops */
	struct node *first, *last; /* children */
	bool is_span;
	union {
		struct span span;
		struct mark mark;
	};
	char context[];
};

struct thread_key {
	uint32_t pid, tid;
};

struct thread {
	struct thread_key key;
	UT_hash_handle hh;
	/* Subtrees whose parent has not ended, in the order of time. */
	struct node *first, *last;
	size_t lines; /* nodes in all of them */
	/*
	 * After an early flush: the running spans that have children out already, by depth.
	 * A span's id is 0 where nothing is known.
	 */
	bool early;
	uint64_t open[SPAN_DEPTH_MAX];
	bool announced[SPAN_DEPTH_MAX]; /* was emitted as SPAN_OPEN */
};

struct span_tree {
	struct span_tree_options options;
	struct thread *threads;
	size_t held;
	uint64_t early;
};

struct span_tree *span_tree__new(const struct span_tree_options *options)
{
	struct span_tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return NULL;
	tree->options = *options;
	if (!options->hold_ns)
		tree->options.hold_ns = SPAN_TREE_HOLD_NS;
	if (!options->hold_lines)
		tree->options.hold_lines = SPAN_TREE_HOLD_LINES;
	if (!options->hold_total)
		tree->options.hold_total = SPAN_TREE_HOLD_TOTAL;
	return tree;
}

/* -- emitting -- */

static void emit_span(struct span_tree *tree, const struct span *span, bool late)
{
	struct span_line line = {.span = span, .late = late};

	tree->options.emit(tree->options.arg, &line);
}

static void emit_mark(struct span_tree *tree, const struct mark *mark)
{
	struct span_line line = {.mark = mark};

	tree->options.emit(tree->options.arg, &line);
}

static void emit_node(struct span_tree *tree, const struct node *node)
{
	if (node->is_span)
		emit_span(tree, &node->span, false);
	else
		emit_mark(tree, &node->mark);
}

/*
 * Emits (if asked) and frees a list of subtrees, parents first. No recursion: a node's children
 * are put in front of what is left of the list.
 */
static size_t drain(struct span_tree *tree, struct node *list, bool emit)
{
	size_t lines = 0;

	while (list) {
		struct node *node = list;

		if (emit)
			emit_node(tree, node);
		list = node->next;
		if (node->first) {
			node->last->next = list;
			list = node->first;
		}
		free(node);
		lines++;
	}
	tree->held -= lines;
	return lines;
}

/* -- threads -- */

static struct thread *thread_find(struct span_tree *tree, uint32_t pid, uint32_t tid)
{
	struct thread_key key = {pid, tid};
	struct thread *thread;

	HASH_FIND(hh, tree->threads, &key, sizeof(key), thread);
	return thread;
}

static struct thread *thread_of(struct span_tree *tree, uint32_t pid, uint32_t tid)
{
	struct thread *thread = thread_find(tree, pid, tid);

	if (thread || HASH_COUNT(tree->threads) >= THREADS_MAX)
		return thread;
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->key.pid = pid;
	thread->key.tid = tid;
	HASH_ADD(hh, tree->threads, key, sizeof(thread->key), thread);
	if (!thread->hh.tbl) {
		free(thread);
		return NULL;
	}
	return thread;
}

static size_t thread_drain(struct span_tree *tree, struct thread *thread, bool emit)
{
	size_t lines = drain(tree, thread->first, emit);

	thread->first = thread->last = NULL;
	thread->lines = 0;
	return lines;
}

void span_tree__free(struct span_tree *tree)
{
	struct thread *thread, *next;

	if (!tree)
		return;
	HASH_ITER(hh, tree->threads, thread, next) {
		thread_drain(tree, thread, false);
		HASH_DEL(tree->threads, thread);
		free(thread);
	}
	free(tree);
}

/* -- holding -- */

static struct node *node_new(const char *context)
{
	size_t len = context ? strlen(context) + 1 : 0;
	struct node *node = calloc(1, sizeof(*node) + len);

	if (node && context)
		memcpy(node->context, context, len);
	return node;
}

static struct node *span_node(const struct span *span)
{
	struct node *node = node_new(span->context);

	if (node) {
		node->is_span = true;
		node->span = *span;
		node->span.context = span->context ? node->context : NULL;
	}
	return node;
}

static struct node *mark_node(const struct mark *mark)
{
	struct node *node = node_new(mark->context);

	if (node) {
		node->mark = *mark;
		node->mark.context = mark->context ? node->context : NULL;
	}
	return node;
}

/*
 * Is a held line inside `span`, which has just ended? Its parent says so; where the parent's own
 * record was lost, time and depth do, because scoped spans of a thread nest.
 */
static bool is_inside(const struct node *node, const struct span *span)
{
	if (!node->is_span)
		return node->mark.parent == span->id || node->mark.time_ns > span->start_ns;
	return node->span.parent == span->id ||
	       (node->span.start_ns >= span->start_ns && node->span.depth > span->depth);
}

/* Moves the tops inside `parent` below it. They are the last ones: children end before parents. */
static void adopt(struct thread *thread, struct node *parent)
{
	struct node *first = NULL;

	for (struct node *n = thread->last; n && is_inside(n, &parent->span); n = n->prev)
		first = n;
	if (!first)
		return;
	parent->first = first;
	parent->last = thread->last;
	thread->last = first->prev;
	if (first->prev)
		first->prev->next = NULL;
	else
		thread->first = NULL;
	first->prev = NULL;
}

static void append(struct span_tree *tree, struct thread *thread, struct node *node)
{
	node->prev = thread->last;
	if (thread->last)
		thread->last->next = node;
	else
		thread->first = node;
	thread->last = node;
	thread->lines++;
	tree->held++;
}

static uint64_t node_start(const struct node *node)
{
	return node->is_span ? node->span.start_ns : node->mark.time_ns;
}

/* When the line was complete: from then on it is held. */
static uint64_t node_end(const struct node *node)
{
	while (node->first) /* a subtree has been held since its first line ended */
		node = node->first;
	return node->is_span ? node->span.end_ns : node->mark.time_ns;
}

/* -- early flush -- */

static void remember_open(struct thread *thread, uint32_t depth, uint64_t id)
{
	if (!id || depth >= SPAN_DEPTH_MAX)
		return;
	if (thread->open[depth] != id)
		thread->announced[depth] = false;
	thread->open[depth] = id;
}

static bool is_open(const struct thread *thread, uint64_t id)
{
	for (unsigned i = 0; i < SPAN_DEPTH_MAX; i++)
		if (thread->open[i] == id)
			return true;
	return false;
}

/* A span of this depth has ended, so nothing at or below it is open any more. */
static void forget_open(struct thread *thread, uint32_t depth)
{
	if (!thread->early)
		return;
	for (unsigned i = depth; i < SPAN_DEPTH_MAX; i++) {
		thread->open[i] = 0;
		thread->announced[i] = false;
	}
}

static void announce(struct span_tree *tree, struct thread *thread, const struct span *open,
		     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t depth = open[i].depth;

		remember_open(thread, depth, open[i].id);
		if (depth >= SPAN_DEPTH_MAX || thread->announced[depth])
			continue;
		thread->announced[depth] = true;
		emit_span(tree, &open[i], false);
	}
}

static void flush_early(struct span_tree *tree, struct thread *thread, const struct span *open,
			size_t count)
{
	announce(tree, thread, open, count);
	for (struct node *n = thread->first; n; n = n->next)
		if (n->is_span && n->span.depth)
			remember_open(thread, n->span.depth - 1, n->span.parent);
	thread->early = true;
	tree->early += thread_drain(tree, thread, true);
}

static void flush_with_ancestors(struct span_tree *tree, struct thread *thread)
{
	struct span *open = NULL;
	size_t count = 0;

	if (tree->options.ancestors)
		open = calloc(SPAN_DEPTH_MAX, sizeof(*open));
	if (open)
		count = tree->options.ancestors(tree->options.arg, thread->key.pid, thread->key.tid,
						open, SPAN_DEPTH_MAX);
	flush_early(tree, thread, open, count);
	free(open);
}

/*
 * A whole tree has ended: nothing of it is open, nothing is held. Threads come and go by the
 * thousand, so one with nothing to remember is forgotten.
 */
static void finish_tree(struct span_tree *tree, struct thread *thread)
{
	thread_drain(tree, thread, true);
	HASH_DEL(tree->threads, thread);
	free(thread);
}

/* Where a held line goes on: out now, or kept for its parent. */
static void settle(struct span_tree *tree, struct thread *thread, uint64_t parent)
{
	if (!parent)
		finish_tree(tree, thread);
	else if (thread->early && is_open(thread, parent))
		tree->early += thread_drain(tree, thread, true);
	else if (thread->lines > tree->options.hold_lines || tree->held > tree->options.hold_total)
		flush_with_ancestors(tree, thread);
}

/* A span whose children are out already cannot be held for its parent any more. */
static bool add_late(struct span_tree *tree, struct thread *thread, const struct span *span)
{
	if (!thread->early || span->depth >= SPAN_DEPTH_MAX ||
	    thread->open[span->depth] != span->id)
		return false;
	tree->early += thread_drain(tree, thread, true);
	emit_span(tree, span, true);
	forget_open(thread, span->depth);
	if (span->parent) {
		tree->early++;
		if (span->depth)
			remember_open(thread, span->depth - 1, span->parent);
	} else {
		finish_tree(tree, thread);
	}
	return true;
}

/*
 * Until the kernel side has learned that a pair is unscoped, spans that began inside one name it
 * as their parent. It is not going to come as one, so they must not wait for it.
 */
static void add_unscoped(struct span_tree *tree, const struct span *span)
{
	struct thread *thread = thread_find(tree, span->pid, span->tid);
	const struct node *last = thread ? thread->last : NULL;

	emit_span(tree, span, false);
	if (last && (last->is_span ? last->span.parent : last->mark.parent) == span->id)
		flush_early(tree, thread, NULL, 0);
}

void span_tree__add_span(struct span_tree *tree, const struct span *span)
{
	struct thread *thread = NULL;
	struct node *node;

	if (tree->options.order == SPAN_ORDER_TREE && span->unscoped) {
		add_unscoped(tree, span);
		return;
	}
	if (tree->options.order == SPAN_ORDER_TREE)
		thread = span->parent ? thread_of(tree, span->pid, span->tid)
				      : thread_find(tree, span->pid, span->tid);
	if (!thread) {
		emit_span(tree, span, false);
		return;
	}
	if (add_late(tree, thread, span))
		return;
	forget_open(thread, span->depth);
	node = span_node(span);
	if (!node) {
		flush_early(tree, thread, NULL, 0);
		emit_span(tree, span, true);
		return;
	}
	adopt(thread, node);
	append(tree, thread, node);
	settle(tree, thread, span->parent);
}

void span_tree__add_mark(struct span_tree *tree, const struct mark *mark)
{
	struct thread *thread;
	struct node *node;

	if (tree->options.order == SPAN_ORDER_END || !mark->parent) {
		thread = thread_find(tree, mark->pid, mark->tid);
		if (thread)
			finish_tree(tree, thread);
		emit_mark(tree, mark);
		return;
	}
	thread = thread_of(tree, mark->pid, mark->tid);
	node = thread ? mark_node(mark) : NULL;
	if (!node) {
		if (thread)
			flush_early(tree, thread, NULL, 0);
		emit_mark(tree, mark);
		return;
	}
	append(tree, thread, node);
	settle(tree, thread, mark->parent);
}

void span_tree__flush_due(struct span_tree *tree, uint64_t now_ns)
{
	struct thread *thread, *next;

	HASH_ITER(hh, tree->threads, thread, next) {
		uint64_t since = thread->first ? node_end(thread->first) : now_ns;

		if (now_ns > since && now_ns - since > tree->options.hold_ns)
			flush_with_ancestors(tree, thread);
	}
}

void span_tree__flush_open(struct span_tree *tree, const struct span *open, size_t count)
{
	struct thread *thread;

	if (!count || tree->options.order == SPAN_ORDER_END)
		return;
	thread = thread_of(tree, open->pid, open->tid);
	if (thread)
		flush_early(tree, thread, open, count);
}

static int older_first(struct thread *a, struct thread *b)
{
	uint64_t x = a->first ? node_start(a->first) : UINT64_MAX;
	uint64_t y = b->first ? node_start(b->first) : UINT64_MAX;

	return x < y ? -1 : x > y;
}

void span_tree__flush_all(struct span_tree *tree)
{
	struct thread *thread, *next;

	HASH_SORT(tree->threads, older_first);
	HASH_ITER(hh, tree->threads, thread, next) {
		tree->early += thread->lines;
		finish_tree(tree, thread);
	}
}

size_t span_tree__held(const struct span_tree *tree)
{
	return tree->held;
}

uint64_t span_tree__early(const struct span_tree *tree)
{
	return tree->early;
}
