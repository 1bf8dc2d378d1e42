// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The file itself, with a kernel of our own below it: the library's kernel.o is not linked, as
 * nothing is left that needs it.
 */
#include "session/intake.c"

#define NAME_HASH    0x1111
#define NO_SUCH_HASH 0x2222

/* What the intake asked the kernel, and what it handed on. */
static struct {
	int name_calls, list_error;
	const struct span_record *open;
	size_t n_open;
	int spans, marks, lives;
	struct span span;
	struct mark mark;
	struct life_record life;
	char context[1024];
	bool has_context;
} seen;

int kernel__span_name(const struct kernel *k, uint64_t hash, struct span_name *name)
{
	seen.name_calls++;
	if (hash == NO_SUCH_HASH)
		return -ENOENT;
	memset(name, 0, sizeof(*name));
	if (hash == NAME_HASH)
		strcpy(name->text, "checkout");
	else
		memset(name->text, 'n', sizeof(name->text)); /* of full length, without NUL */
	return 0;
}

int kernel__list_open_spans(struct kernel *k, kernel_record_fn fn, void *arg)
{
	for (size_t i = 0; i < seen.n_open; i++)
		fn(arg, &seen.open[i], sizeof(seen.open[i]));
	return seen.list_error;
}

static void keep_context(const char *context)
{
	seen.has_context = context != NULL;
	snprintf(seen.context, sizeof(seen.context), "%s", context ? context : "");
}

static void on_span(void *arg, const struct span *span)
{
	assert_ptr_equal(arg, &seen);
	seen.spans++;
	seen.span = *span;
	keep_context(span->context);
}

static void on_mark(void *arg, const struct mark *mark)
{
	assert_ptr_equal(arg, &seen);
	seen.marks++;
	seen.mark = *mark;
	keep_context(mark->context);
}

static void on_life(void *arg, const struct life_record *record)
{
	assert_ptr_equal(arg, &seen);
	seen.lives++;
	seen.life = *record;
}

struct fixture {
	struct plan plan;
	struct plan_pair pairs[3];
	struct names *names;
	struct intake *in;
};

static int set_up(void **state)
{
	static struct fixture f;
	struct intake_events events = {on_span, on_mark, on_life, &seen};

	memset(&seen, 0, sizeof(seen));
	memset(&f, 0, sizeof(f));
	f.pairs[1].name = "postgresql.query";
	f.pairs[2].name = "postgresql.sort";
	f.plan.pairs.data = f.pairs;
	f.plan.pairs.len = 3;
	f.names = names__new(100);
	f.in = intake__new(NULL, &f.plan, f.names, &events);
	*state = &f;
	return !f.in;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	intake__free(f->in);
	names__free(f->names);
	return 0;
}

/* Hands over `len` bytes of a copy of exactly that length, for sanitizers. */
static void take(struct fixture *f, const void *record, size_t len)
{
	void *copy = malloc(len ? len : 1);

	memcpy(copy, record, len);
	intake__record(f->in, copy, len);
	free(copy);
}

static int callbacks(void)
{
	return seen.spans + seen.marks + seen.lives;
}

/* Counted as malformed, and nothing else happens. */
static void assert_ignored(struct fixture *f, const void *record, size_t len, const char *what)
{
	uint64_t malformed = intake__malformed(f->in);
	int before = callbacks(), names = seen.name_calls;

	take(f, record, len);
	if (intake__malformed(f->in) != malformed + 1 || callbacks() != before ||
	    seen.name_calls != names)
		fail_msg("%s: %zu bytes were not ignored", what, len);
}

static struct span_record good_span(void)
{
	struct span_record r = {
		.type = RECORD_SPAN,
		.tgid = 100,
		.tid = 101,
		.depth = 2,
		.status = SPAN_OK,
		.id = 7,
		.parent = 6,
		.start_ns = 1000,
		.end_ns = 5000,
		.child_ns = 1500,
		.rss_bytes = 1 << 20,
		.rss_delta_bytes = -4096,
		.pair = 1,
		.comm = "postgres",
	};

	return r;
}

static struct mark_record good_mark(void)
{
	struct mark_record r = {
		.type = RECORD_MARK,
		.tgid = 100,
		.tid = 101,
		.kind = MARK_CHECKPOINT,
		.time_ns = 4000,
		.parent = 7,
		.name_hash = NAME_HASH,
		.rss_bytes = 10 << 20,
		.comm = "service",
	};

	return r;
}

static const struct life_record good_life = {
	.type = RECORD_LIFE,
	.kind = LIFE_FORK,
	.tgid = 200,
	.other = 100,
	.time_ns = 3,
	.space = 9,
};

#define SPAN_HEAD RECORD_HEAD_LEN(struct span_record)
#define MARK_HEAD RECORD_HEAD_LEN(struct mark_record)

static void put_span_context(struct span_record *r, const char *bytes, size_t len)
{
	memcpy(r->context, bytes, len);
	r->context_len = len;
}

static void a_span_is_decoded(void **state)
{
	struct fixture *f = *state;
	struct span_record r = good_span();
	static const char context[] = "SELECT 1\0bench";

	put_span_context(&r, context, sizeof(context));
	take(f, &r, SPAN_HEAD + r.context_len);
	assert_int_equal(seen.spans, 1);
	assert_int_equal(callbacks(), 1);
	assert_int_equal(intake__malformed(f->in), 0);
	assert_int_equal(seen.span.pid, 100);
	assert_int_equal(seen.span.tid, 101);
	assert_string_equal(seen.span.comm, "postgres");
	assert_string_equal(seen.span.name, "postgresql.query");
	assert_string_equal(seen.context, "SELECT 1, bench");
	assert_int_equal(seen.span.id, 7);
	assert_int_equal(seen.span.parent, 6);
	assert_int_equal(seen.span.depth, 2);
	assert_int_equal(seen.span.status, SPAN_OK);
	assert_false(seen.span.unscoped);
	assert_int_equal(seen.span.start_ns, 1000);
	assert_int_equal(seen.span.end_ns, 5000);
	assert_int_equal(seen.span.child_ns, 1500);
	assert_true(seen.span.rss_known);
	assert_int_equal(seen.span.rss_bytes, 1 << 20);
	assert_int_equal(seen.span.rss_delta_bytes, -4096);
	assert_int_equal(seen.span.rss_error_bytes, intake__rss_error_bytes());
	assert_true(intake__rss_error_bytes() >= 6 * 32 * 4096);
}

static void spans_of_other_kinds(void **state)
{
	struct fixture *f = *state;
	struct span_record r = good_span();

	r.flags = SPAN_FLAG_UNSCOPED;
	r.status = SPAN_WAS_UNWOUND;
	r.rss_bytes = 0;
	r.end_ns = r.start_ns; /* shorter than the clock can tell */
	take(f, &r, SPAN_HEAD);
	assert_int_equal(seen.spans, 1);
	assert_true(seen.span.unscoped);
	assert_int_equal(seen.span.status, SPAN_WAS_UNWOUND);
	assert_false(seen.span.rss_known);
	assert_false(seen.has_context);
	r.status = SPAN_UNFINISHED;
	r.flags = SPAN_FLAG_NAMED;
	take(f, &r, SPAN_HEAD);
	assert_int_equal(seen.span.status, SPAN_UNFINISHED);
	assert_false(seen.span.unscoped);
	memset(r.comm, 'c', sizeof(r.comm)); /* 16 bytes, no NUL */
	take(f, &r, SPAN_HEAD);
	assert_memory_equal(seen.span.comm, "cccccccccccccccc", 16);
	assert_int_equal(intake__malformed(f->in), 0);
}

static void names_are_asked_for_once(void **state)
{
	struct fixture *f = *state;
	struct span_record r = good_span();
	const char *name;

	r.pair = PLAN_OWN_PAIR;
	r.name_hash = NAME_HASH;
	take(f, &r, SPAN_HEAD);
	assert_string_equal(seen.span.name, "checkout");
	name = seen.span.name;
	take(f, &r, SPAN_HEAD);
	take(f, &r, SPAN_HEAD);
	assert_ptr_equal(seen.span.name, name);
	assert_int_equal(seen.name_calls, 1);
	/* One that was unknown may be known later. */
	r.name_hash = NO_SUCH_HASH;
	take(f, &r, SPAN_HEAD);
	assert_string_equal(seen.span.name, UNKNOWN_NAME);
	take(f, &r, SPAN_HEAD);
	assert_int_equal(seen.name_calls, 3);
	/* 0: the kernel side could not read it, so there is nothing to ask for. */
	r.name_hash = 0;
	take(f, &r, SPAN_HEAD);
	assert_string_equal(seen.span.name, UNKNOWN_NAME);
	assert_int_equal(seen.name_calls, 3);
	r.name_hash = 0x3333;
	take(f, &r, SPAN_HEAD);
	assert_int_equal(strlen(seen.span.name), NAME_MAX_LEN);
	assert_int_equal(intake__malformed(f->in), 0);
}

static void contexts_are_joined(void **state)
{
	struct fixture *f = *state;
	struct span_record r = good_span();
	char full[CONTEXT_LEN];

	put_span_context(&r, "one\0two\0three", 14);
	take(f, &r, SPAN_HEAD + 14);
	assert_string_equal(seen.context, "one, two, three");
	put_span_context(&r, "\0two\0\0", 6); /* empty ones leave no comma */
	take(f, &r, SPAN_HEAD + 6);
	assert_string_equal(seen.context, "two");
	put_span_context(&r, "\0\0\0", 3);
	take(f, &r, SPAN_HEAD + 3);
	assert_false(seen.has_context);
	put_span_context(&r, "no end", 6); /* no NUL at all */
	take(f, &r, SPAN_HEAD + 6);
	assert_string_equal(seen.context, "no end");
	memset(full, 'x', sizeof(full));
	put_span_context(&r, full, sizeof(full));
	take(f, &r, SPAN_HEAD + sizeof(full));
	assert_int_equal(strlen(seen.context), CONTEXT_LEN);
	/* The joined text is longest when every other byte is a NUL; nothing is cut off. */
	for (size_t i = 1; i < sizeof(full); i += 2)
		full[i] = '\0';
	put_span_context(&r, full, sizeof(full));
	take(f, &r, SPAN_HEAD + sizeof(full));
	assert_int_equal(strlen(seen.context), CONTEXT_LEN / 2 * 3 - 2);
	assert_string_equal(seen.context + strlen(seen.context) - 4, "x, x");
	assert_int_equal(intake__malformed(f->in), 0);
}

static void a_mark_is_decoded(void **state)
{
	struct fixture *f = *state;
	struct mark_record r = good_mark();

	r.kind = MARK_EVENT;
	memcpy(r.context, "disk full", 10);
	r.context_len = 10;
	take(f, &r, MARK_HEAD + 10);
	assert_int_equal(seen.marks, 1);
	assert_int_equal(seen.mark.pid, 100);
	assert_int_equal(seen.mark.tid, 101);
	assert_int_equal(seen.mark.kind, MARK_EVENT);
	assert_string_equal(seen.mark.comm, "service");
	assert_string_equal(seen.mark.name, "checkout");
	assert_string_equal(seen.context, "disk full");
	assert_int_equal(seen.mark.time_ns, 4000);
	assert_int_equal(seen.mark.parent, 7);
	assert_int_equal(seen.mark.rss_bytes, 10 << 20);
	assert_false(seen.mark.growth_known);
	assert_int_equal(intake__malformed(f->in), 0);
}

static void growth_since_the_previous_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct mark_record r = good_mark(), other;

	take(f, &r, MARK_HEAD);
	assert_false(seen.mark.growth_known);
	assert_null(seen.mark.since);
	r.rss_bytes = 14 << 20;
	r.name_hash = 0x3333;
	take(f, &r, MARK_HEAD);
	assert_true(seen.mark.growth_known);
	assert_int_equal(seen.mark.growth_bytes, 4 << 20);
	assert_int_equal(seen.mark.growth_error_bytes, intake__rss_error_bytes());
	assert_string_equal(seen.mark.since, "checkout");
	/* Another process has checkpoints of its own; another thread has not. */
	other = r;
	other.tgid = 300;
	take(f, &other, MARK_HEAD);
	assert_false(seen.mark.growth_known);
	r.tid = 999;
	r.rss_bytes = 13 << 20;
	take(f, &r, MARK_HEAD);
	assert_true(seen.mark.growth_known);
	assert_int_equal(seen.mark.growth_bytes, -(1 << 20));
	/* Neither an event nor a checkpoint of unknown size is one to count from. */
	r.kind = MARK_EVENT;
	r.rss_bytes = 50 << 20;
	take(f, &r, MARK_HEAD);
	assert_false(seen.mark.growth_known);
	r.kind = MARK_CHECKPOINT;
	r.rss_bytes = 0;
	take(f, &r, MARK_HEAD);
	assert_false(seen.mark.growth_known);
	r.rss_bytes = 15 << 20;
	take(f, &r, MARK_HEAD);
	assert_int_equal(seen.mark.growth_bytes, 2 << 20);
	assert_int_equal(intake__malformed(f->in), 0);
}

static void a_life_record_is_handed_on(void **state)
{
	struct fixture *f = *state;
	struct life_record r = good_life;

	for (r.kind = LIFE_FORK; r.kind <= LIFE_EXIT; r.kind++) {
		take(f, &r, sizeof(r));
		assert_memory_equal(&seen.life, &r, sizeof(r));
	}
	assert_int_equal(seen.lives, LIFE_EXIT - LIFE_FORK + 1);
	assert_int_equal(intake__malformed(f->in), 0);
}

static void senseless_life_records_are_ignored(void **state)
{
	struct fixture *f = *state;
	struct life_record r = good_life;

	r.kind = 0;
	assert_ignored(f, &r, sizeof(r), "life kind 0");
	r.kind = LIFE_EXIT + 1;
	assert_ignored(f, &r, sizeof(r), "unknown life kind");
}

static void every_truncation_is_ignored(void **state)
{
	struct fixture *f = *state;
	struct span_record span = good_span();
	struct mark_record mark = good_mark();
	size_t len;

	put_span_context(&span, "some\0context", 13);
	memcpy(mark.context, "some\0context", 13);
	mark.context_len = 13;
	for (len = 0; len < SPAN_HEAD + 13; len++)
		assert_ignored(f, &span, len, "span");
	for (len = 0; len < MARK_HEAD + 13; len++)
		assert_ignored(f, &mark, len, "mark");
	for (len = 0; len < sizeof(good_life); len++)
		assert_ignored(f, &good_life, len, "life");
	take(f, &span, SPAN_HEAD + 13);
	take(f, &mark, MARK_HEAD + 13);
	take(f, &good_life, sizeof(good_life));
	assert_int_equal(callbacks(), 3);
}

static void unknown_types_are_ignored(void **state)
{
	static const uint32_t types[] = {0, RECORD_LIFE + 1, 0x01000000, 0x7fffffff, 0xffffffff};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct span_record r = good_span();

		r.type = types[i];
		assert_ignored(f, &r, sizeof(r), "unknown type");
	}
}

static void senseless_spans_are_ignored(void **state)
{
	struct fixture *f = *state;
	struct span_record r;

	r = good_span();
	r.context_len = CONTEXT_LEN + 1;
	assert_ignored(f, &r, sizeof(r), "context_len");
	r.context_len = UINT32_MAX;
	assert_ignored(f, &r, sizeof(r), "context_len");
	/* The sum of head and context_len must not wrap around. */
	r.context_len = UINT32_MAX - SPAN_HEAD + 1;
	assert_ignored(f, &r, sizeof(r), "context_len");
	r = good_span();
	r.pair = 3;
	assert_ignored(f, &r, sizeof(r), "pair");
	r.pair = UINT32_MAX;
	assert_ignored(f, &r, sizeof(r), "pair");
	r = good_span();
	r.end_ns = r.start_ns - 1;
	assert_ignored(f, &r, sizeof(r), "end before start");
	r = good_span();
	r.status = SPAN_OPEN; /* user space's own */
	assert_ignored(f, &r, sizeof(r), "status");
	r.status = 0xff;
	assert_ignored(f, &r, sizeof(r), "status");
}

static void senseless_marks_are_ignored(void **state)
{
	struct fixture *f = *state;
	struct mark_record r;

	r = good_mark();
	r.context_len = CONTEXT_LEN + 1;
	assert_ignored(f, &r, sizeof(r), "context_len");
	r.context_len = UINT32_MAX - MARK_HEAD + 1;
	assert_ignored(f, &r, sizeof(r), "context_len");
	r = good_mark();
	r.kind = 0;
	assert_ignored(f, &r, sizeof(r), "kind");
	r.kind = MARK_EVENT + 1;
	assert_ignored(f, &r, sizeof(r), "kind");
}

/* After the worst, good records are still taken. */
static void noise_is_survived(void **state)
{
	struct fixture *f = *state;
	struct span_record good = good_span();
	uint8_t noise[sizeof(struct span_record)];
	uint64_t random = 88172645463325252ULL;
	int rounds = 20000;

	for (int i = 0; i < rounds; i++) {
		size_t len = i % (sizeof(noise) + 1);

		for (size_t b = 0; b < sizeof(noise); b++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			noise[b] = random;
		}
		if (i % 2)
			memset(noise, 0, 4);
		noise[0] = i % 5;
		take(f, noise, len);
	}
	assert_int_equal(callbacks() + intake__malformed(f->in), rounds);
	assert_true(intake__malformed(f->in) > 0);
	seen.spans = 0;
	take(f, &good, SPAN_HEAD);
	assert_int_equal(seen.spans, 1);
	assert_string_equal(seen.span.name, "postgresql.query");
}

static void open_spans_of_one_thread(void **state)
{
	struct fixture *f = *state;
	struct span_record records[5];
	struct span open[4];

	for (size_t i = 0; i < 5; i++) {
		records[i] = good_span();
		records[i].id = 10 + i;
		records[i].end_ns = 0; /* never set while it is open */
	}
	records[1].tid = 555;
	records[2].tgid = 556;
	records[3].pair = 77;
	seen.open = records;
	seen.n_open = 5;
	assert_int_equal(intake__open_spans(f->in, 100, 101, open, 4), 2);
	assert_int_equal(open[0].id, 10);
	assert_int_equal(open[1].id, 14);
	assert_string_equal(open[0].name, "postgresql.query");
	assert_int_equal(open[0].status, SPAN_OPEN);
	assert_int_equal(open[0].start_ns, 1000);
	assert_int_equal(open[0].end_ns, 0);
	assert_false(open[0].rss_known);
	assert_null(open[0].context);
	/* No more than there is room for. */
	memset(open, 0, sizeof(open));
	assert_int_equal(intake__open_spans(f->in, 100, 101, open, 1), 1);
	assert_int_equal(open[1].id, 0);
	assert_int_equal(intake__open_spans(f->in, 1, 1, open, 4), 0);
	seen.list_error = -EIO;
	assert_int_equal(intake__open_spans(f->in, 100, 101, open, 4), 0);
	assert_int_equal(callbacks(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_span_is_decoded),	   TEST(spans_of_other_kinds),
		TEST(names_are_asked_for_once),	   TEST(contexts_are_joined),
		TEST(a_mark_is_decoded),	   TEST(growth_since_the_previous_checkpoint),
		TEST(a_life_record_is_handed_on),  TEST(every_truncation_is_ignored),
		TEST(unknown_types_are_ignored),   TEST(senseless_spans_are_ignored),
		TEST(senseless_marks_are_ignored), TEST(senseless_life_records_are_ignored),
		TEST(noise_is_survived),	   TEST(open_spans_of_one_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
