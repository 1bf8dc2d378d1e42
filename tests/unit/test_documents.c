// SPDX-License-Identifier: BSD-2-Clause
/* JSON records and documents, field by field where the contract names them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "output/leaks_json.h"
#include "output/span_json.h"
#include "report_fixture.h"

static struct fixture f;
static struct strbuf out;

static int start(void **state)
{
	fixture_start(&f);
	return 0;
}

static int stop(void **state)
{
	fixture_stop(&f);
	strbuf_free(&out);
	return 0;
}

static void has(const char *text)
{
	if (!strstr(strbuf_str(&out), text))
		fail_msg("missing: %s\nin:\n%s", text, strbuf_str(&out));
}

static void a_span_record(void **state)
{
	struct span span = {
		.pid = 1,
		.tid = 2,
		.comm = "w",
		.name = "q",
		.context = "a\"\n",
		.id = 1ull << 63,
		.parent = 5,
		.depth = 1,
		.start_ns = 1,
		.end_ns = 50,
		.rss_known = true,
		.rss_delta_bytes = -4096,
		.rss_error_bytes = 262144,
		.status = SPAN_WAS_UNWOUND,
	};

	assert_int_equal(span_json__span(&out, &f.run, &span), 0);
	assert_string_equal(
		strbuf_str(&out),
		"{\"type\":\"span\",\"start\":\"2026-11-20T14:23:44.000000001Z\",\"pid\":1,\"tid\":"
		"2,"
		"\"comm\":\"w\",\"name\":\"q\",\"context\":\"a\\\"\\n\",\"depth\":1,"
		"\"id\":\"9223372036854775808\",\"parent\":\"5\",\"dur_ns\":49,\"cpu_ns\":null,"
		"\"wait_ns\":null,\"wait_reason\":null,\"runq_ns\":null,\"switches\":null,"
		"\"faults\":null,\"alloc_count\":null,\"alloc_bytes\":null,\"retained_bytes\":null,"
		"\"rss_delta_bytes\":-4096,\"rss_error_bytes\":262144,\"status\":\"unwound\"}");
}

static void open_and_unscoped_spans(void **state)
{
	struct span span = {.id = 7,
			    .parent = 5,
			    .depth = 3,
			    .unscoped = true,
			    .name = "t",
			    .status = SPAN_OPEN,
			    .end_ns = 9};

	assert_int_equal(span_json__span(&out, &f.run, &span), 0);
	has("\"depth\":0,\"id\":\"7\",\"parent\":null,\"dur_ns\":null");
	has("\"rss_delta_bytes\":null,\"rss_error_bytes\":null,\"status\":\"open\"");
}

static void marks_and_samples(void **state)
{
	struct mark mark = {.pid = 1,
			    .tid = 2,
			    .comm = "w",
			    .kind = MARK_CHECKPOINT,
			    .name = "done",
			    .rss_bytes = 4096,
			    .growth_known = true,
			    .growth_bytes = -1,
			    .time_ns = 1};
	struct memory_sample sample = {.time_ns = 1};

	span_json__mark(&out, &f.run, &mark);
	assert_string_equal(strbuf_str(&out),
			    "{\"type\":\"checkpoint\",\"time\":\"2026-11-20T14:23:44.000000001Z\","
			    "\"pid\":1,\"tid\":2,\"comm\":\"w\",\"name\":\"done\",\"context\":null,"
			    "\"rss_bytes\":4096,\"growth_bytes\":-1}");
	strbuf_reset(&out);
	mark.kind = MARK_EVENT;
	mark.context = "GET_HIT";
	span_json__mark(&out, &f.run, &mark);
	assert_string_equal(strbuf_str(&out),
			    "{\"type\":\"event\",\"time\":\"2026-11-20T14:23:44.000000001Z\","
			    "\"pid\":1,\"tid\":2,\"tag\":\"done\",\"text\":\"GET_HIT\"}");
	strbuf_reset(&out);
	memory_sample__set(&sample, MEMORY_RSS, 123);
	span_json__sample(&out, &f.run, 9, &sample);
	assert_string_equal(
		strbuf_str(&out),
		"{\"type\":\"sample\",\"time\":\"2026-11-20T14:23:44.000000001Z\","
		"\"pid\":9,\"rss_bytes\":123,\"heap_bytes\":null,\"virtual_bytes\":null,"
		"\"resident_bytes\":null,\"shared_bytes\":null,\"text_bytes\":null,"
		"\"data_bytes\":null,\"stack_bytes\":null}");
}

static void the_summary_ends_a_stream(void **state)
{
	fixture_span(&f, "never", 5, SPAN_UNFINISHED);
	assert_int_equal(span_json__summary(&out, &f.run, f.stats, &f.rss, &f.ledger), 0);
	has("{\"type\":\"summary\",\"spans\":[{\"name\":\"query_engine.phase1\",\"count\":2,"
	    "\"unwound\":1,\"unfinished\":1,\"total_ns\":2650000000,\"self_ns\":1987500000,"
	    "\"min_ns\":1210000000,\"avg_ns\":1325000000,");
	has("{\"name\":\"never\",\"count\":0,\"unwound\":0,\"unfinished\":1,\"total_ns\":null,");
	/* Every null is explained by its name. */
	has("\"summary.spans: total_ns, self_ns, min_ns, avg_ns, p50_ns, p90_ns, p95_ns, p99_ns, "
	    "p999_ns and max_ns are null for names of which no span has ended\"");
	has("\"ledger\":{\"seen\":11869,\"lost\":0,\"unmatched\":7,\"balanced\":true,");
	has("\"incidents\":{\"heap_unknown_frees\":7}");
	has("\"notes\":[\"stacks end at code without frame pointers\",");
	assert_null(strchr(strbuf_str(&out), '\n'));
}

static void the_leaks_document(void **state)
{
	assert_int_equal(leaks_json(&out, &f.report), 0);
	has("{\"schema\":\"perftrace/leaks/1\",\"target\":{\"pid\":4242,\"comm\":\"api-server\","
	    "\"exe\":\"/usr/bin/api-server\",\"allocator\":\"glibc\","
	    "\"started\":\"2026-11-20T14:23:43.999999995Z\"},\"duration_s\":60,");
	has("\"candidates\":[{\"verdict\":null,\"component\":\"api-server\","
	    "\"live_bytes\":13000000,\"live_blocks\":10162,\"allocs\":10162,\"frees\":0,"
	    "\"average_bytes\":1279.2");
	has("{\"function\":\"Session::copy()\",\"module\":\"/usr/bin/api-server\","
	    "\"build_id\":null,\"offset\":4660,\"file\":\"/src/session.cc\",\"line\":88,"
	    "\"inlined\":false}");
	has("\"evidence\":[\"10162 allocated, 0 freed\",");
	has("outstanding is not leaked");
	assert_int_equal(out.data[out.len - 1], '\n');
}

static void unknown_values_are_null_with_a_note(void **state)
{
	f.rss = (struct memory_growth){0};
	f.heap.traced = false;
	f.run.target.allocator = NULL;
	f.run.target.started_ns = 0;
	f.run.overhead.estimated_percent = NAN;
	f.run.overhead.tracer_rss_bytes = 0;
	f.candidates.list.data[0].growth_known = false;
	f.heap.sites.data[0].truncated = true;
	assert_int_equal(leaks_json(&out, &f.report), 0);
	has("\"started\":null");
	has("\"rss\":{\"start_bytes\":null,\"end_bytes\":null,\"growth_bytes\":null,"
	    "\"slope_bytes_per_hour\":null},\"heap\":null");
	has("\"growth_bytes_per_hour\":null");
	has("\"truncated\":true");
	has("\"overhead\":{\"probe_hits\":24000,\"estimated_percent\":null,"
	    "\"tracer_cpu_percent\":0.4,\"tracer_rss_bytes\":null}");
	has("\"rss: the memory of the target could not be read\"");
	has("\"target.allocator: not known\"");
	has("\"heap: not traced\"");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_span_record),	  CASE(open_and_unscoped_spans),
		CASE(marks_and_samples),  CASE(the_summary_ends_a_stream),
		CASE(the_leaks_document), CASE(unknown_values_are_null_with_a_note),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
