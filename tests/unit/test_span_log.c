// SPDX-License-Identifier: BSD-2-Clause
/* Exact lines of the timing log (A2, A3, A6, A8). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "output/span_log.h"

#define MB (1024.0 * 1024.0)

/* Monotonic 0 is 2026-11-20T14:23:45.123Z. */
static struct run_info run = {
	.version = "1.0",
	.host = "db3",
	.target = {.pid = 4242, .comm = "api-server", .exe = "/usr/bin/api-server"},
	.begin_ns = 1795184624000000000ull,
	.offset = {.realtime_minus_monotonic_ns = 1795184625123000000},
	.utc = true,
};
static struct strbuf out;

static int clean(void **state)
{
	strbuf_free(&out);
	return 0;
}

static struct span span(const char *name, uint64_t ns, const char *context)
{
	return (struct span){
		.tid = 5123, .comm = "worker-1", .name = name, .end_ns = ns, .context = context};
}

static void prints_span(struct span s, const char *wanted)
{
	strbuf_reset(&out);
	span_log__span(&out, &run, &s, SPAN_ORDER_TREE);
	assert_string_equal(strbuf_str(&out), wanted);
}

static void prints_mark(struct mark m, const char *wanted)
{
	strbuf_reset(&out);
	span_log__mark(&out, &run, &m);
	assert_string_equal(strbuf_str(&out), wanted);
}

static void spans_as_in_the_seed(void **state)
{
	struct span child = span("ec2.describe_instances", 234560000, "us-east-1");

	prints_span(
		span("query_engine.phase1", 1230000000, "50 queries"),
		"[14:23:45.123] [ThreadId(5123)/worker-1] query_engine.phase1: 1.23s (50 queries)");
	prints_span(span("a", 12340, NULL), "[14:23:45.123] [ThreadId(5123)/worker-1] a: 12.34us");
	prints_span(span("a", 999996000, ""), "[14:23:45.123] [ThreadId(5123)/worker-1] a: 1.00s");
	child.depth = 1;
	prints_span(child, "[14:23:45.123] [ThreadId(5123)/worker-1]   ec2.describe_instances: "
			   "234.56ms (us-east-1)");
	child.depth = 3;
	prints_span(child, "[14:23:45.123] [ThreadId(5123)/worker-1]       "
			   "ec2.describe_instances: 234.56ms (us-east-1)");
	child.unscoped = true;
	prints_span(child, "[14:23:45.123] [ThreadId(5123)/worker-1] ec2.describe_instances: "
			   "234.56ms (us-east-1)");
}

static void irregular_ends_are_marked(void **state)
{
	struct span s = span("q", 1500000, "x");

	s.status = SPAN_WAS_UNWOUND;
	prints_span(s, "[14:23:45.123] [ThreadId(5123)/worker-1] q: 1.50ms (unwound) (x)");
	s.status = SPAN_UNFINISHED;
	prints_span(s, "[14:23:45.123] [ThreadId(5123)/worker-1] q: 1.50ms (unfinished) (x)");
	s.status = SPAN_OPEN;
	s.end_ns = 0;
	prints_span(s, "[14:23:45.123] [ThreadId(5123)/worker-1] q: (open) (x)");
}

static void order_end_stamps_the_end(void **state)
{
	struct span s = span("q", 1002000000, NULL);

	span_log__span(&out, &run, &s, SPAN_ORDER_END);
	assert_string_equal(strbuf_str(&out), "[14:23:46.125] [ThreadId(5123)/worker-1] q: 1.00s");
}

static void checkpoints_with_memory(void **state)
{
	struct mark m = {.tid = 5123,
			 .comm = "worker-1",
			 .kind = MARK_CHECKPOINT,
			 .name = "phase1_complete",
			 .context = "314 resources",
			 .rss_bytes = (uint64_t)(245.3 * MB)};

	prints_mark(m, "[14:23:45.123] [ThreadId(5123)/worker-1] [mem: 245.3MB] CHECKPOINT: "
		       "phase1_complete - 314 resources");
	m.name = "phase2_complete";
	m.rss_bytes = (uint64_t)(892.1 * MB);
	m.growth_known = true;
	m.growth_bytes = (int64_t)(646.8 * MB);
	m.growth_error_bytes = 262144;
	m.since = "phase1_complete";
	prints_mark(m, "[14:23:45.123] [ThreadId(5123)/worker-1] [mem: 892.1MB] CHECKPOINT: "
		       "phase2_complete - 314 resources (+646.8MB since phase1_complete)");
	m.growth_bytes = -262145;
	prints_mark(m, "[14:23:45.123] [ThreadId(5123)/worker-1] [mem: 892.1MB] CHECKPOINT: "
		       "phase2_complete - 314 resources (-0.3MB since phase1_complete)");
	m.growth_bytes = -262144; /* within the error */
	m.context = NULL;
	prints_mark(m, "[14:23:45.123] [ThreadId(5123)/worker-1] [mem: 892.1MB] CHECKPOINT: "
		       "phase2_complete");
	m.rss_bytes = 0;
	prints_mark(m, "[14:23:45.123] [ThreadId(5123)/worker-1] CHECKPOINT: phase2_complete");
}

static void events_carry_their_tag(void **state)
{
	struct mark m = {.tid = 7,
			 .comm = "w",
			 .kind = MARK_EVENT,
			 .name = "CACHE",
			 .context = "GET_HIT key"};

	prints_mark(m, "[14:23:45.123] [ThreadId(7)/w] [CACHE] GET_HIT key");
	m.context = NULL;
	prints_mark(m, "[14:23:45.123] [ThreadId(7)/w] [CACHE]");
}

static void hostile_text_stays_on_its_line(void **state)
{
	struct span s = span("a\nb", 1000000, "\x1b[2J\r");

	memcpy(s.comm,
	       "x]: \x1b"
	       "0123456789",
	       COMM_LEN - 1);
	s.comm[COMM_LEN - 1] = 'Z'; /* no NUL */
	prints_span(s, "[14:23:45.123] [ThreadId(5123)/x\\135\\072 \\0330123456789Z] a\\nb: 1.00ms "
		       "(\\033[2J\\r)");
	memset(s.comm, 0, COMM_LEN);
	prints_span(s, "[14:23:45.123] [ThreadId(5123)] a\\nb: 1.00ms (\\033[2J\\r)");
}

static void the_header_names_the_run(void **state)
{
	span_log__header(&out, &run);
	assert_string_equal(strbuf_str(&out), "# perftrace 1.0  2026-11-20 14:23:44 +00:00  "
					      "host db3  target 4242 /usr/bin/api-server");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(spans_as_in_the_seed, clean),
		cmocka_unit_test_teardown(irregular_ends_are_marked, clean),
		cmocka_unit_test_teardown(order_end_stamps_the_end, clean),
		cmocka_unit_test_teardown(checkpoints_with_memory, clean),
		cmocka_unit_test_teardown(events_carry_their_tag, clean),
		cmocka_unit_test_teardown(hostile_text_stays_on_its_line, clean),
		cmocka_unit_test_teardown(the_header_names_the_run, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
