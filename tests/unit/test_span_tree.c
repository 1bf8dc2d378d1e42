// SPDX-License-Identifier: BSD-2-Clause
/* Tree order: exact small cases, and random trees whose right order is known by construction. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/span_tree.h"

#define LINES_MAX 4096

/* What came out, one string per line: id, or "(id" open, "id)" late, "*time" mark. */
struct out {
	char line[LINES_MAX][24];
	size_t count;
};

static void emit(void *arg, const struct span_line *line)
{
	struct out *out = arg;
	char *text = out->line[out->count++];

	assert_true(out->count < LINES_MAX);
	if (line->mark)
		snprintf(text, 24, "*%llu", (unsigned long long)line->mark->time_ns);
	else
		snprintf(text, 24, "%s%llu%s", line->span->status == SPAN_OPEN ? "(" : "",
			 (unsigned long long)line->span->id, line->late ? ")" : "");
}

static struct span_tree *tree_new(struct out *out, struct span_tree_options options)
{
	struct span_tree *tree;

	memset(out, 0, sizeof(*out));
	options.emit = emit;
	if (!options.arg)
		options.arg = out;
	tree = span_tree__new(&options);
	assert_non_null(tree);
	return tree;
}

static void expect(const struct out *out, const char *wanted)
{
	char all[LINES_MAX] = "";

	for (size_t i = 0; i < out->count; i++) {
		strcat(all, i ? " " : "");
		strcat(all, out->line[i]);
	}
	assert_string_equal(all, wanted);
}

static void span(struct span_tree *tree, uint64_t id, uint64_t parent, uint32_t depth,
		 uint64_t start, uint64_t end)
{
	struct span s = {
		.pid = 1,
		.tid = 1,
		.name = "s",
		.id = id,
		.parent = parent,
		.depth = depth,
		.start_ns = start,
		.end_ns = end,
		.context = "some context",
	};

	span_tree__add_span(tree, &s);
}

static void mark(struct span_tree *tree, uint64_t parent, uint64_t time)
{
	struct mark m = {
		.pid = 1,
		.tid = 1,
		.kind = MARK_CHECKPOINT,
		.name = "m",
		.parent = parent,
		.time_ns = time,
	};

	span_tree__add_mark(tree, &m);
}

static void parents_come_first(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(&out, (struct span_tree_options){0});

	span(tree, 2, 1, 1, 20, 30);
	mark(tree, 1, 35);
	span(tree, 4, 3, 2, 41, 42);
	span(tree, 3, 1, 1, 40, 50);
	expect(&out, "");
	assert_int_equal(span_tree__held(tree), 4);
	span(tree, 1, 0, 0, 10, 60);
	expect(&out, "1 2 *35 3 4");
	mark(tree, 0, 70);
	expect(&out, "1 2 *35 3 4 *70");
	assert_int_equal(span_tree__held(tree), 0);
	assert_int_equal(span_tree__early(tree), 0);
	span_tree__free(tree);
}

static void order_end_holds_nothing(void **state)
{
	struct out out;
	struct span_tree *tree =
		tree_new(&out, (struct span_tree_options){.order = SPAN_ORDER_END});

	span(tree, 2, 1, 1, 20, 30);
	mark(tree, 1, 35);
	span(tree, 1, 0, 0, 10, 60);
	expect(&out, "2 *35 1");
	span_tree__free(tree);
}

static void unscoped_spans_pass_through(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(&out, (struct span_tree_options){0});
	struct span s = {.pid = 1, .tid = 1, .name = "t", .id = 9, .unscoped = true, .depth = 1};

	span(tree, 2, 1, 1, 20, 30);
	span_tree__add_span(tree, &s);
	expect(&out, "9");
	span(tree, 1, 0, 0, 10, 60);
	expect(&out, "9 1 2");
	span_tree__free(tree);
}

/* A pair turns out to be unscoped when its first span ends: its supposed children come out. */
static void children_of_an_unscoped_span_do_not_wait(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(&out, (struct span_tree_options){0});
	struct span s = {.pid = 1, .tid = 1, .name = "t", .id = 9, .unscoped = true};

	span(tree, 2, 9, 1, 20, 30);
	mark(tree, 9, 35);
	span_tree__add_span(tree, &s);
	expect(&out, "9 2 *35");
	span(tree, 3, 9, 1, 40, 50);
	expect(&out, "9 2 *35 3");
	span(tree, 5, 4, 1, 70, 80);
	expect(&out, "9 2 *35 3");
	span(tree, 4, 0, 0, 60, 90);
	expect(&out, "9 2 *35 3 4 5");
	span_tree__free(tree);
}

/* START a, START b, END a, END b: b's parent ends before b does. */
static void spans_may_outlive_their_parent(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(&out, (struct span_tree_options){.hold_ns = 100});

	span(tree, 1, 0, 0, 10, 20);
	span(tree, 2, 1, 1, 15, 30);
	expect(&out, "1");
	span_tree__flush_due(tree, 131);
	expect(&out, "1 2");
	span(tree, 4, 3, 1, 210, 220);
	span(tree, 3, 0, 0, 200, 230);
	expect(&out, "1 2 3 4");
	span_tree__free(tree);
}

static void held_too_long_is_flushed_early(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(&out, (struct span_tree_options){.hold_ns = 100});

	span(tree, 2, 1, 1, 20, 30);
	span_tree__flush_due(tree, 130);
	expect(&out, "");
	span_tree__flush_due(tree, 131);
	expect(&out, "2");
	/* A later sibling goes out when it ends, in its own tree order. */
	span(tree, 4, 3, 2, 141, 142);
	expect(&out, "2");
	span(tree, 3, 1, 1, 140, 150);
	expect(&out, "2 3 4");
	mark(tree, 1, 155);
	expect(&out, "2 3 4 *155");
	span(tree, 1, 0, 0, 10, 160);
	expect(&out, "2 3 4 *155 1)");
	/* The next tree is held again. */
	span(tree, 6, 5, 1, 210, 220);
	expect(&out, "2 3 4 *155 1)");
	span(tree, 5, 0, 0, 200, 230);
	expect(&out, "2 3 4 *155 1) 5 6");
	assert_int_equal(span_tree__early(tree), 4);
	span_tree__free(tree);
}

static void deep_flush_lets_every_ancestor_follow(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(&out, (struct span_tree_options){.hold_ns = 100});

	span(tree, 4, 3, 3, 40, 50);
	span_tree__flush_due(tree, 1000);
	span(tree, 3, 2, 2, 30, 1010);
	span(tree, 5, 2, 2, 1020, 1030);
	span(tree, 2, 1, 1, 20, 1040);
	span(tree, 6, 1, 1, 1050, 1060);
	span(tree, 1, 0, 0, 10, 1070);
	expect(&out, "4 3) 5 2) 6 1)");
	assert_int_equal(span_tree__held(tree), 0);
	span_tree__free(tree);
}

static void open_ancestors_are_printed_first_and_once(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(&out, (struct span_tree_options){.hold_ns = 100});
	struct span open[2] = {
		{.pid = 1, .tid = 1, .name = "a", .id = 1, .status = SPAN_OPEN, .start_ns = 10},
		{.pid = 1,
		 .tid = 1,
		 .name = "b",
		 .id = 2,
		 .parent = 1,
		 .depth = 1,
		 .status = SPAN_OPEN,
		 .start_ns = 15},
	};

	span(tree, 3, 2, 2, 20, 30);
	span_tree__flush_open(tree, open, 2);
	expect(&out, "(1 (2 3");
	span(tree, 4, 2, 2, 40, 50);
	span_tree__flush_open(tree, open, 2);
	expect(&out, "(1 (2 3 4");
	span(tree, 2, 1, 1, 15, 60);
	span(tree, 1, 0, 0, 10, 70);
	expect(&out, "(1 (2 3 4 2) 1)");
	span_tree__free(tree);
}

static size_t one_ancestor(void *arg, uint32_t pid, uint32_t tid, struct span *open,
			   size_t capacity)
{
	assert_int_equal(tid, 1);
	open[0] = (struct span){.pid = pid, .tid = tid, .id = 1, .status = SPAN_OPEN};
	return 1;
}

static void too_many_lines_are_flushed_early(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(
		&out, (struct span_tree_options){.hold_lines = 3, .ancestors = one_ancestor});

	for (uint64_t i = 0; i < 5; i++)
		span(tree, 10 + i, 1, 1, 20 + i * 10, 25 + i * 10);
	expect(&out, "(1 10 11 12 13 14");
	span(tree, 1, 0, 0, 10, 100);
	expect(&out, "(1 10 11 12 13 14 1)");
	span_tree__free(tree);
}

/* Parents whose records were lost in the ring must not swallow their children. */
static void lost_parents_lose_nothing_else(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(&out, (struct span_tree_options){0});

	span(tree, 3, 2, 2, 20, 30); /* 2 never comes */
	span(tree, 4, 1, 1, 40, 50);
	span(tree, 1, 0, 0, 10, 60);
	expect(&out, "1 3 4");
	span(tree, 6, 5, 1, 70, 80); /* its root never comes */
	span(tree, 7, 0, 0, 90, 95);
	expect(&out, "1 3 4 6 7");
	span(tree, 8, 5, 1, 100, 110);
	span_tree__flush_all(tree);
	expect(&out, "1 3 4 6 7 8");
	span_tree__free(tree);
}

static void absurd_depths_are_survived(void **state)
{
	struct out out;
	struct span_tree *tree = tree_new(&out, (struct span_tree_options){.hold_ns = 1});

	span(tree, 2, 1, 65535, 20, 30);
	span_tree__flush_due(tree, 100);
	span(tree, 3, 1, 65535, 40, 50);
	span(tree, 4, 3, 0, 40, 50);
	span_tree__flush_all(tree);
	assert_int_equal(out.count, 3);
	span_tree__free(tree);
}

/* -- random trees -- */

struct world {
	struct span_tree *tree;
	struct out wanted;
	uint64_t clock, next_id, marks;
};

static void wanted_line(struct world *w, const char *prefix, uint64_t n)
{
	snprintf(w->wanted.line[w->wanted.count++], 24, "%s%llu", prefix, (unsigned long long)n);
}

/* Lives through one span: notes the order of beginnings, reports at the end. */
static void live(struct world *w, uint64_t parent, uint32_t depth)
{
	uint64_t id = ++w->next_id, start = w->clock;

	wanted_line(w, "", id);
	while (depth < 8 && w->wanted.count < 300 && rand() % 3) {
		w->clock += rand() % 3; /* equal stamps must not confuse the order */
		if (rand() % 4) {
			live(w, id, depth + 1);
		} else {
			wanted_line(w, "*", w->clock);
			mark(w->tree, id, w->clock);
		}
	}
	w->clock += rand() % 3;
	span(w->tree, id, parent, depth, start, w->clock);
}

static void random_trees_come_out_in_order(void **state)
{
	static struct out out;
	static struct world w;

	for (int round = 0; round < 500; round++) {
		srand(round);
		memset(&w, 0, sizeof(w));
		w.tree = tree_new(&out, (struct span_tree_options){0});
		w.clock = 1000;
		for (int i = 0; i < 5; i++)
			live(&w, 0, 0);
		assert_int_equal(out.count, w.wanted.count);
		for (size_t i = 0; i < out.count; i++)
			assert_string_equal(out.line[i], w.wanted.line[i]);
		assert_int_equal(span_tree__held(w.tree), 0);
		span_tree__free(w.tree);
	}
}

/* With tight limits the order gives way, but every line still comes exactly once. */
static void tight_limits_lose_and_repeat_nothing(void **state)
{
	static struct out out;
	static struct world w;

	for (int round = 0; round < 500; round++) {
		srand(round);
		memset(&w, 0, sizeof(w));
		w.tree = tree_new(&out, (struct span_tree_options){.hold_lines = 1 + round % 7});
		w.clock = 1000;
		for (int i = 0; i < 5; i++)
			live(&w, 0, 0);
		span_tree__flush_all(w.tree);
		assert_int_equal(out.count, w.wanted.count);
		for (size_t i = 0; i < w.wanted.count; i++) {
			char late[26];
			int found = 0;

			snprintf(late, sizeof(late), "%s)", w.wanted.line[i]);
			for (size_t j = 0; j < out.count; j++)
				found += !strcmp(out.line[j], w.wanted.line[i]) ||
					 !strcmp(out.line[j], late);
			assert_true(w.wanted.line[i][0] == '*' ? found >= 1 : found == 1);
		}
		span_tree__free(w.tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parents_come_first),
		cmocka_unit_test(order_end_holds_nothing),
		cmocka_unit_test(unscoped_spans_pass_through),
		cmocka_unit_test(children_of_an_unscoped_span_do_not_wait),
		cmocka_unit_test(spans_may_outlive_their_parent),
		cmocka_unit_test(held_too_long_is_flushed_early),
		cmocka_unit_test(deep_flush_lets_every_ancestor_follow),
		cmocka_unit_test(open_ancestors_are_printed_first_and_once),
		cmocka_unit_test(too_many_lines_are_flushed_early),
		cmocka_unit_test(lost_parents_lose_nothing_else),
		cmocka_unit_test(absurd_depths_are_survived),
		cmocka_unit_test(random_trees_come_out_in_order),
		cmocka_unit_test(tight_limits_lose_and_repeat_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
