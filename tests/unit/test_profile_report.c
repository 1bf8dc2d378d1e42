// SPDX-License-Identifier: BSD-2-Clause
/* The CPU profile as text and as a JSON document. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "output/profile_json.h"
#include "output/profile_text.h"
#include "output/utf8.h"
#include "report_fixture.h"

static struct fixture f;
static struct profile p;
static struct profile_report report;
static struct strbuf out;
static struct text_style style;

static void add_stack(uint64_t count, uint32_t kernel_depth, const struct heap_frame *frames,
		      uint32_t depth)
{
	struct profile_stack *s = profile__add_stack(&p, frames, depth);

	assert_non_null(s);
	s->count = count;
	s->kernel_depth = kernel_depth;
	s->complete = true;
	s->pid = 4242;
	strcpy(s->comm, "worker \033[m");
}

/* 300 samples at 100 Hz in a minute: two thirds in parse(), the rest in the kernel for main(). */
static int start(void **state)
{
	static const struct heap_frame parse[] = {
		{.function = "parse(char const*)",
		 .module = "/opt/app/bin/server",
		 .build_id = "c0ffee",
		 .offset = 0x1234,
		 .file = "/src/parse.cc",
		 .line = 7},
		{.function = "main", .module = "/opt/app/bin/server", .offset = 0x1000}};
	static const struct heap_frame kernel[] = {
		{.function = "clear_page", .module = "[kernel]", .offset = 0x11},
		{.function = "main", .module = "/opt/app/bin/server", .offset = 0x1001}};

	fixture_start(&f);
	memset(&p, 0, sizeof(p));
	style = (struct text_style){0};
	p.sampled = true;
	p.hz = 100;
	p.cpus = 2;
	p.cpu_known = true;
	p.cpu_ns = 3010000000;
	p.cost_ns = 600000;
	add_stack(200, 0, parse, 2);
	add_stack(100, 1, kernel, 2);
	assert_int_equal(profile__settle(&p), 0);
	report = (struct profile_report){
		.run = &f.run, .profile = &p, .ledger = &f.ledger, .top = 10};
	return 0;
}

static int stop(void **state)
{
	profile__free(&p);
	fixture_stop(&f);
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

static void write_text(void)
{
	strbuf_reset(&out);
	assert_int_equal(profile_text(&out, &report, &style), 0);
}

static void the_table(void **state)
{
	write_text();
	has("3.00s of CPU time in 60.0 s (0.05 CPUs), 33.3 % of it in the kernel; 300 samples at "
	    "100 Hz\n");
	has("    flat   flat%    sum%     cum    cum%  function                  module\n");
	has("   2.00s  66.7 %  66.7 %   2.00s  66.7 %  parse(char const*)        server\n");
	has("   1.00s  33.3 % 100.0 %   1.00s  33.3 %  clear_page                [kernel]\n");
	has("      0s   0.0 % 100.0 %   3.00s 100.0 %  main                      server\n");
	has("300 samples, 301 expected of the 3.01s of CPU time that the kernel charged\n");
	has("COST    0.7 % of the target (2.00us a sample), 0.4 % CPU and 14.0 MB here\n");
	has("NEXT    perftrace cpu -p 4242 -d 60 --folded");
	has_not("more function");
}

/* The rest is told, and how much it is. */
static void no_more_than_asked_for(void **state)
{
	report.top = 1;
	write_text();
	has("parse(char");
	has_not("clear_page");
	has("2 more functions with 33.3 %; --top N lists more\n");
}

static void wide_and_narrow(void **state)
{
	static char name[3000];
	struct heap_frame frames[] = {{.function = name, .module = "/lib/\xe2\x82\xac;\n.so"}};

	memset(name, 'x', sizeof(name) - 1);
	add_stack(1, 0, frames, 1);
	profile__settle(&p);
	for (style.width = 1; style.width < 400; style.width += 57) {
		size_t width = style.width < 90 ? 90 : style.width;

		write_text();
		for (const char *line = strbuf_str(&out); *line; line = strchr(line, '\n') + 1) {
			char text[4000] = "";

			memcpy(text, line, strchr(line, '\n') - line);
			if (strstr(text, "\xe2\x80\xa6")) /* a row that was cut */
				assert_in_range(utf8_columns(text), 60, width);
		}
		has("\\n.so"); /* escaped */
	}
}

static void nothing_was_seen(void **state)
{
	profile__free(&p);
	p.sampled = true;
	p.hz = 99;
	profile__settle(&p);
	f.run.overhead.estimated_percent = NAN;
	write_text();
	has("no sample in 60.0 s at 99 Hz: ");
	has("it waits");
	has_not("flat");
	has("NEXT    perftrace spans -p 4242");
	has("COST    n/a of the target");
}

static void could_not_be_read(void **state)
{
	profile__free(&p);
	write_text();
	has("could not be read");
	has_not("no sample");
}

static void expectations_need_the_clock(void **state)
{
	p.cpu_known = false;
	p.lost = 5;
	write_text();
	has("305 samples\n");
	has_not("expected");
	f.run.target.gone = true;
	write_text();
	has("NEXT    perftrace -n api-server");
}

static void the_document(void **state)
{
	p.stacks.data[1].truncated = true;
	p.stacks.data[1].complete = false;
	assert_int_equal(profile_json(&out, &report), 0);
	has("{\"schema\":\"perftrace/cpu/1\",\"target\":{\"pid\":4242,\"comm\":\"api-server\",");
	has("\"duration_s\":60,\"hz\":100,\"cpus\":2,\"samples\":300,\"kernel_samples\":100,"
	    "\"complete_samples\":300,\"lost\":0,\"cpu_ns\":3010000000,\"stacks\":["
	    "{\"count\":200,\"comm\":\"worker \\u001b[m\",\"pid\":4242,\"kernel_frames\":0,"
	    "\"complete\":true,\"stack\":[{\"function\":\"parse(char const*)\","
	    "\"module\":\"/opt/app/bin/server\",\"build_id\":\"c0ffee\",\"offset\":4660,"
	    "\"file\":\"/src/parse.cc\",\"line\":7,\"inlined\":false},");
	has("\"count\":100,");
	has("\"truncated\":true}],\"functions\":[{\"function\":\"parse(char const*)\","
	    "\"module\":\"/opt/app/bin/"
	    "server\",\"function_start\":null,\"kernel\":false,\"inlined\":false,\"flat\":200,"
	    "\"cum\":200},{\"function\":\"clear_page\",\"module\":\"[kernel]\",\"function_start\":"
	    "null,\"kernel\":true,");
	has("\"flat\":0,\"cum\":300}],\"ledger\":{\"seen\":");
	has("\"overhead\":{");
	has("\"notes\":[\"stacks end at code");
	has_not("\"rss");
	assert_int_equal(out.data[out.len - 1], '\n');
}

static void nulls_have_notes(void **state)
{
	p.cpu_known = false;
	assert_int_equal(profile_json(&out, &report), 0);
	has("\"cpu_ns\":null");
	has("\"cpu_ns: not known");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_table),	 CASE(no_more_than_asked_for),
		CASE(wide_and_narrow),	 CASE(nothing_was_seen),
		CASE(could_not_be_read), CASE(expectations_need_the_clock),
		CASE(the_document),	 CASE(nulls_have_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
