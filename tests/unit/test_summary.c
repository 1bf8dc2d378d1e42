// SPDX-License-Identifier: BSD-2-Clause
/* The two screens: the live summary and the leak report. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "output/leaks_text.h"
#include "output/stack_text.h"
#include "output/summary_text.h"
#include "output/utf8.h"
#include "report_fixture.h"

static struct fixture f;
static struct strbuf out;
static struct text_style style;

static int start(void **state)
{
	fixture_start(&f);
	style = (struct text_style){0};
	return 0;
}

static int stop(void **state)
{
	fixture_stop(&f);
	strbuf_free(&out);
	return 0;
}

static void summarise(void)
{
	struct summary summary = {.facts = f.report, .stats = f.stats};

	strbuf_reset(&out);
	assert_int_equal(summary_text(&out, &summary, &style), 0);
}

static void report(void)
{
	strbuf_reset(&out);
	assert_int_equal(leaks_text(&out, &f.report, &style), 0);
}

static void has(const char *text)
{
	if (!strstr(strbuf_str(&out), text))
		fail_msg("missing: %s\nin:\n%s", text, strbuf_str(&out));
}

static void has_not(const char *text)
{
	if (strstr(strbuf_str(&out), text))
		fail_msg("unwanted: %s\nin:\n%s", text, strbuf_str(&out));
}

static void no_line_is_wider_than(size_t columns)
{
	char *copy = strdup(strbuf_str(&out)), *rest = copy, *line;

	while ((line = strsep(&rest, "\n")))
		if (utf8_columns(line) > columns)
			fail_msg("%zu columns: %s", utf8_columns(line), line);
	free(copy);
}

static void the_summary_is_one_screen(void **state)
{
	summarise();
	assert_string_equal(
		strbuf_str(&out),
		"SPANS (60.0 s)            count  total   self    avg    p50    p95    p99    max\n"
		"query_engine.phase1           2  2.65s  1.99s  1.33s  1.22s  1.44s  1.44s  1.44s\n"
		"  1 left without their end, 1 unfinished\n"
		"ec2.describe_instances       10  1.10s  825ms  110ms 99.6ms  200ms  200ms  200ms\n"
		"MEMORY  RSS 245.3 MB -> 892.1 MB  (+646.8 MB, +38.9 GB/h \xc2\xb1 2.1 %)\n"
		"        live heap +12.4 MB since the attach, at most 28.6 MB\n"
		"LEAKS   outstanding  12.4 MB in 10 162 blocks, +743.9 MB/h\n"
		"          Session::copy() (session.cc:88) <- handle_login(Request&) (auth.cc:41)\n"
		"DATA    11 869 events, 0 lost, books balanced\n"
		"        7 frees of blocks older than the attach\n"
		"        3 children followed, each unseen for at most 500.00us after its fork\n"
		"        memory from before 14:23:44 not traced\n"
		"COST    0.7 % of the target (24 000 hits), 0.4 % CPU and 14.0 MB here\n"
		"NOTE    stacks end at code without frame pointers\n"
		"NEXT    perftrace leaks -p 4242 -d 60    look at the sites above\n");
	no_line_is_wider_than(80);
}

static void frames_without_a_function(void **state)
{
	struct heap_frame frame = {
		.module = "/usr/lib/libfoo.so.2", .build_id = "c0ffee1234567890", .offset = 0x1234};

	stack_text__function(&out, &frame);
	assert_string_equal(strbuf_str(&out), "libfoo.so.2+0x1234 [c0ffee12]");
	strbuf_reset(&out);
	frame.build_id = NULL;
	stack_text__function(&out, &frame);
	assert_string_equal(strbuf_str(&out), "libfoo.so.2+0x1234");
	strbuf_reset(&out);
	frame.module = NULL;
	stack_text__function(&out, &frame);
	assert_string_equal(strbuf_str(&out), "0x1234");
	strbuf_reset(&out);
	/* With a function the place is only a place. */
	frame = (struct heap_frame){
		.function = "f", .module = "/bin/app", .build_id = "c0ffee12", .offset = 0x99};
	stack_text__place(&out, &frame);
	assert_string_equal(strbuf_str(&out), "app+0x99");
}

/* Rounded down, and reasons only where there is reason to ask. */
static void data_says_how_many_stacks_are_complete(void **state)
{
	const struct text_style style = {0};
	const struct run_info run = {.target.from_start = true};
	const struct heap_snapshot heap = {.traced = true};
	struct ledger_input in = {0};
	struct ledger ledger;

	in.counters[COUNTER_STACKS_COMPLETE] = 99999;
	in.counters[COUNTER_STACKS_NO_RULE] = 1;
	ledger__settle(&ledger, &in);
	text_data(&out, &style, &run, &heap, &ledger);
	assert_string_equal(strbuf_str(&out), "DATA    0 events, 0 lost, books balanced, 99.9 % "
					      "complete stacks\n");
	strbuf_reset(&out);
	in.counters[COUNTER_STACKS_COMPLETE] = 50;
	in.counters[COUNTER_STACKS_NO_RULE] = 40;
	in.counters[COUNTER_STACKS_DEPTH] = 10;
	ledger__settle(&ledger, &in);
	text_data(&out, &style, &run, &heap, &ledger);
	assert_string_equal(
		strbuf_str(&out),
		"DATA    0 events, 0 lost, books balanced, 50.0 % complete stacks\n"
		"        40 stacks cut in code without usable unwind information\n"
		"        10 stacks cut at the number of frames that are kept (--stack-depth)\n");
}

static void stacks_end_with_main(void **state)
{
	struct heap_frame frames[] = {
		{.function = "f"},
		{.function = "main"},
		{.module = "/lib/libc.so.6", .offset = 1},
		{.function = "__libc_start_main"},
		{.function = "_start"},
	};
	struct call_site site = {.frames = frames, .depth = 5};

	assert_int_equal(stack_text__depth(&site), 2);
	stack_text__line(&out, &site, 80);
	assert_string_equal(strbuf_str(&out), "f <- main");
	frames[1].function = "worker";
	frames[2].function = "start_thread";
	frames[3].function = "__clone3";
	site.depth = 4;
	assert_int_equal(stack_text__depth(&site), 2);
	/* Cut stacks, and those that are nothing else, stay what they are. */
	site.truncated = true;
	assert_int_equal(stack_text__depth(&site), 4);
	site = (struct call_site){.frames = frames + 3, .depth = 2};
	assert_int_equal(stack_text__depth(&site), 2);
	site.depth = 0;
	assert_int_equal(stack_text__depth(&site), 0);
}

static void long_names_lose_their_middle(void **state)
{
	fixture_span(&f, "a_very_long_namespace::and_a_class::with_a_method", 5000000000, SPAN_OK);
	summarise();
	has("a_very_long\xe2\x80\xa6"
	    "h_a_method ");
	no_line_is_wider_than(80);
	style.width = 120;
	summarise();
	has("a_very_long_namespace::and_a_class::with_a_method ");
	style.width = 3;
	summarise();
	has("NEXT");
}

static void losses_are_told_in_words(void **state)
{
	f.ledger.counters[COUNTER_RING_SPANS_LOST] = 12345;
	f.ledger.lost = 12345;
	f.ledger.balanced = false;
	f.ledger.spans.residual = -2;
	summarise();
	has("12 345 lost, books do not balance");
	has("        12 345 span records lost: the ring buffer was full (--ring)\n");
	has("        -2 spans unaccounted for: 13 starts, 11 ends\n");
	no_line_is_wider_than(80);
	has_not("\x1b");
	style.color = true;
	summarise();
	has("\x1b[31mbooks do not balance\x1b[0m");
}

static void unknown_is_not_zero(void **state)
{
	f.rss = (struct memory_growth){0};
	f.run.overhead.estimated_percent = NAN;
	f.run.overhead.tracer_rss_bytes = 0;
	f.run.note_count = 0;
	candidates__free(&f.candidates);
	heap_snapshot__free(&f.heap);
	summarise();
	has("MEMORY  RSS n/a (the target's memory could not be read)\n");
	has("COST    n/a of the target (24 000 hits), 0.4 % CPU and n/a here\n");
	has_not("LEAKS");
	has_not("NOTE");
	has("NEXT    perftrace spans -p 4242");
	report();
	has("the heap was not traced, so nothing is known about leaks\n");
	has("NEXT    perftrace probes -p 4242");
}

static void growth_within_the_error_is_none(void **state)
{
	f.rss.growth_bytes = 100000;
	f.rss.error_bytes = 262144;
	f.rss.slope_known = false;
	summarise();
	has("(unchanged within 256.0 KB)");
}

static void the_leak_report_answers_first(void **state)
{
	report();
	assert_int_equal(strncmp(strbuf_str(&out),
				 "1 call site holds 12.4 MB in 10 162 blocks after 60.0 s\n", 56),
			 0);
	has("\nOUTSTANDING  12.4 MB in 10 162 blocks of 1.2 KB, +743.9 MB/h  in api-server\n"
	    "  malloc                           libc.so.6+0x9a2f0\n"
	    "  Session::copy()                  session.cc:88\n"
	    "  handle_login(Request&)           auth.cc:41 (inlined)\n"
	    "  api-server+0x99\n"
	    "  because  10162 allocated, 0 freed\n"
	    "           grows 743.9 MB/hour (limit 10.0)\n");
	has("HEAP    12.4 MB live in 10 162 blocks, peak 28.6 MB; 11 000 allocations, 838 frees\n"
	    "        peak of 28.6 MB is 2.3 times the current 12.4 MB (limit 2.0)\n");
	has("NEXT    perftrace leaks -p 4242 -d 120 --older 30s");
}

static void nothing_held_is_good_news(void **state)
{
	candidates__free(&f.candidates);
	report();
	has("nothing that was allocated in 60.0 s is still held\n");
	f.candidates.hidden = 2;
	f.candidates.hidden_bytes = 2048;
	report();
	has("2 more hold 2.0 KB");
}

static void verdicts_have_their_colour(void **state)
{
	style.color = true;
	f.candidates.list.data[0].verdict = "definite";
	report();
	has("\x1b[31mDEFINITE\x1b[0m  12.4 MB");
}

static void hostile_symbols_are_escaped(void **state)
{
	f.heap.sites.data[0].frames[1].function = "evil\x1b[2J";
	f.heap.sites.data[0].frames[1].file = "/x/\x9b"
					      "31m";
	report();
	has("evil\\033[2J");
	has("\\23331m:88");
	summarise();
	has("evil\\033[2J (\\23331m:88)");
	has_not("\x1b");
}

static void notes_wrap_at_words(void **state)
{
	static const char *const notes[] = {
		"a sentence of many words that goes on and on until it no longer fits into the "
		"eighty columns that are there"};

	f.run.notes = notes;
	summarise();
	has("NOTE    a sentence of many words that goes on and on until it no longer fits\n"
	    "        into the eighty columns that are there\n");
}

static void cutting_counts_characters(void **state)
{
	text_cut_middle(&out, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc", 3);
	assert_string_equal(strbuf_str(&out), "\xc3\xa4\xe2\x80\xa6\xc3\xbc");
	strbuf_reset(&out);
	text_cut_middle(&out, "abc", 0);
	assert_string_equal(strbuf_str(&out), "");
	text_pad(&out, "\xc3\xa4", 3);
	assert_string_equal(strbuf_str(&out), "\xc3\xa4  ");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_summary_is_one_screen),
		CASE(long_names_lose_their_middle),
		CASE(frames_without_a_function),
		CASE(stacks_end_with_main),
		CASE(data_says_how_many_stacks_are_complete),
		CASE(losses_are_told_in_words),
		CASE(unknown_is_not_zero),
		CASE(growth_within_the_error_is_none),
		CASE(the_leak_report_answers_first),
		CASE(nothing_held_is_good_news),
		CASE(verdicts_have_their_colour),
		CASE(hostile_symbols_are_escaped),
		CASE(notes_wrap_at_words),
		CASE(cutting_counts_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
