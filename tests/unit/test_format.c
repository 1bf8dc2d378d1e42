// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "output/format.h"

static char buf[FORMAT_LEN];

#define DURATION(ns, text) assert_string_equal(format_duration(buf, ns), text)
#define SHORT(ns, text)	   assert_string_equal(format_duration_short(buf, ns), text)
#define BYTES(n, text)	   assert_string_equal(format_bytes(buf, n), text)

static void durations_round_before_they_choose_a_unit(void **state)
{
	DURATION(1230000000, "1.23s");
	DURATION(234560000, "234.56ms");
	DURATION(12340, "12.34us");
	DURATION(999996000, "1.00s");
	DURATION(999994999, "999.99ms");
	DURATION(999996, "1.00ms");
	DURATION(999994, "999.99us");
	DURATION(120, "0.12us");
	DURATION(125, "0.13us");
	DURATION(0, "0.00us");
	DURATION(5, "0.01us");
	DURATION(75000000000, "75.00s");
	DURATION(UINT64_MAX, "18446744073.71s");
}

static void short_durations_keep_three_digits(void **state)
{
	SHORT(14800000000, "14.8s");
	SHORT(1214000000, "1.21s");
	SHORT(71200000, "71.2ms");
	SHORT(240020000, "240ms");
	SHORT(999600000, "1.00s");
	SHORT(9996000, "10.0ms");
	SHORT(120, "0.12us");
	SHORT(123456000000000, "123456s");
	assert_string_equal(format_seconds(buf, 60049000000), "60.0 s");
}

static void sizes(void **state)
{
	assert_string_equal(format_mb(buf, 257215693), "245.3MB");
	assert_string_equal(format_mb(buf, 0), "0.0MB");
	assert_string_equal(format_mb_growth(buf, 678219776), "+646.8MB");
	assert_string_equal(format_mb_growth(buf, -3 * 1048576), "-3.0MB");
	assert_string_equal(format_mb_growth(buf, INT64_MIN), "-8796093022208.0MB");
	BYTES(0, "0 B");
	BYTES(1023, "1023 B");
	BYTES(1024, "1.0 KB");
	BYTES(1234, "1.2 KB");
	BYTES(1048575, "1.0 MB");
	BYTES(13002342, "12.4 MB");
	BYTES(1610612736, "1.5 GB");
	BYTES(UINT64_MAX, "16.0 EB");
	assert_string_equal(format_bytes_growth(buf, 1610612736.0), "+1.5 GB");
	assert_string_equal(format_bytes_growth(buf, -10.0), "-10 B");
	assert_string_equal(format_bytes_growth(buf, 1e300), "+16.0 EB");
}

static void counts_and_shares(void **state)
{
	assert_string_equal(format_count(buf, 0), "0");
	assert_string_equal(format_count(buf, 1000), "1000");
	assert_string_equal(format_count(buf, 10162), "10 162");
	assert_string_equal(format_count(buf, 412331), "412 331");
	assert_string_equal(format_count(buf, 1204551), "1 204 551");
	assert_string_equal(format_count(buf, UINT64_MAX), "18 446 744 073 709 551 615");
	assert_string_equal(format_percent(buf, 0.7), "0.7 %");
	assert_string_equal(format_percent(buf, 0), "0.0 %");
	assert_string_equal(format_percent(buf, 0.01), "< 0.1 %");
	assert_string_equal(format_percent(buf, NAN), "n/a");
}

static void times_of_day(void **state)
{
	uint64_t ns = 1795184625123999999ull; /* 2026-11-20T14:23:45Z */

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	assert_string_equal(format_time(buf, ns, true), "14:23:45.123");
	assert_string_equal(format_clock(buf, ns, true), "14:23:45");
	assert_string_equal(format_rfc3339(buf, ns), "2026-11-20T14:23:45.123999999Z");
	assert_string_equal(format_date(buf, ns, true), "2026-11-20 14:23:45 +00:00");
	setenv("TZ", "<+0530>-5:30", 1);
	tzset();
	assert_string_equal(format_time(buf, ns, false), "19:53:45.123");
	assert_string_equal(format_date(buf, ns, false), "2026-11-20 19:53:45 +05:30");
	setenv("TZ", "<-0330>3:30", 1);
	tzset();
	assert_string_equal(format_date(buf, ns, false), "2026-11-20 10:53:45 -03:30");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_round_before_they_choose_a_unit),
		cmocka_unit_test(short_durations_keep_three_digits),
		cmocka_unit_test(sizes),
		cmocka_unit_test(counts_and_shares),
		cmocka_unit_test(times_of_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
