// SPDX-License-Identifier: BSD-2-Clause
/* The list of probes, in both forms: prices, refusals, totals, and why a price is missing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "output/probes_report.h"

static struct strbuf out;
static struct probes_report report;
static const struct text_style plain;

static int start(void **state)
{
	static struct probe_row rows[] = {
		{"alloc", "/lib/libc.so.6", "malloc", 0x10, 0x10, "push %r12", "session", 859.6,
		 "first", NULL},
		{"alloc", "/lib/libc.so.6", "free", 0x20, 0x29, "test", "session", 18655, NULL,
		 NULL},
		{"span", "/bin/a", "p:q", 0x30, 0x30, "nop", NULL, NAN, NULL, "red zone"},
	};

	memset(&report, 0, sizeof(report));
	report.target = (struct run_target){.pid = 7, .comm = "a", .allocator = "glibc malloc"};
	report.command = "leaks -p";
	report.heap = report.spans = true;
	report.rows.data = rows;
	report.rows.len = 3;
	report.totals = (struct probe_totals){2, 1, 19514.6, 1000, 1040};
	return 0;
}

static int stop(void **state)
{
	strbuf_free(&out);
	return 0;
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

static void prices_in_text(void **state)
{
	assert_int_equal(probes_text(&out, &report, &plain), 0);
	has("malloc  libc.so.6+0x10 at push %r12  session  ≈ 860 ns  (first)\n");
	has("free  libc.so.6+0x20 +9 at test  session  ≈ 18 700 ns\n");
	has("p:q  a+0x30  REFUSED: red zone\n");
	has("TOTAL   2 probes (and 1 refused), malloc + free ≈ 19 500 ns, a span ≈ 1000 ns\n");
	has("NEXT    perftrace leaks -p 7\n");
	strbuf_reset(&out);
	report.totals.span_max_ns = 30000;
	assert_int_equal(probes_text(&out, &report, &plain), 0);
	has("a span ≈ 1000 ns to ≈ 30 000 ns\n");
}

static void prices_in_json(void **state)
{
	assert_int_equal(probes_json(&out, &report), 0);
	has("\"method\":\"session\",\"expected_ns\":859.6,\"why\":\"first\"");
	has("\"method\":null,\"expected_ns\":null,\"why\":null,\"refused\":\"red zone\"");
	has("\"totals\":{\"probes\":2,\"refused\":1,\"malloc_free_ns\":19514.6,");
	has("expected_ns: what the kernel takes");
}

static void a_missing_price_has_its_reason(void **state)
{
	for (size_t i = 0; i < report.rows.len; i++)
		report.rows.data[i].expected_ns = NAN;
	report.totals.malloc_free_ns = report.totals.span_min_ns = report.totals.span_max_ns = NAN;
	report.costs_missing = "not permitted";
	assert_int_equal(probes_json(&out, &report), 0);
	has("expected_ns, malloc_free_ns, span_min_ns, span_max_ns: n/a, not permitted");
	strbuf_reset(&out);
	assert_int_equal(probes_text(&out, &report, &plain), 0);
	has("costs n/a: not permitted\n");
	has_not("≈");
}

static void only_what_was_asked_for(void **state)
{
	report.heap = false;
	report.target.allocator = NULL;
	assert_int_equal(probes_text(&out, &report, &plain), 0);
	has_not("heap:");
	strbuf_reset(&out);
	assert_int_equal(probes_json(&out, &report), 0);
	has("allocator: n/a, the heap was not asked for");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(prices_in_text, start, stop),
		cmocka_unit_test_setup_teardown(prices_in_json, start, stop),
		cmocka_unit_test_setup_teardown(a_missing_price_has_its_reason, start, stop),
		cmocka_unit_test_setup_teardown(only_what_was_asked_for, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
