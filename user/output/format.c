// SPDX-License-Identifier: BSD-2-Clause
#include "output/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NSEC 1000000000ull

static uint64_t divide_rounded(uint64_t value, uint64_t by)
{
	return value / by + (value % by >= by - value % by);
}

/* hundredths "123" -> "1.23" + unit */
static const char *hundredths(char *buf, uint64_t value, const char *unit)
{
	snprintf(buf, FORMAT_LEN, "%" PRIu64 ".%02u%s", value / 100, (unsigned)(value % 100), unit);
	return buf;
}

static const char *tenths(char *buf, uint64_t value, const char *unit)
{
	snprintf(buf, FORMAT_LEN, "%" PRIu64 ".%u%s", value / 10, (unsigned)(value % 10), unit);
	return buf;
}

static const char *whole(char *buf, uint64_t value, const char *unit)
{
	snprintf(buf, FORMAT_LEN, "%" PRIu64 "%s", value, unit);
	return buf;
}

const char *format_duration(char *buf, uint64_t ns)
{
	if (divide_rounded(ns, 10) < 100000)
		return hundredths(buf, divide_rounded(ns, 10), "us");
	if (divide_rounded(ns, 10000) < 100000)
		return hundredths(buf, divide_rounded(ns, 10000), "ms");
	return hundredths(buf, divide_rounded(ns, 10000000), "s");
}

/* Three significant digits of `ns` in a unit of `unit_ns`; NULL when it reaches `limit` units. */
static const char *significant(char *buf, uint64_t ns, uint64_t unit_ns, uint64_t limit,
			       const char *unit)
{
	if (divide_rounded(ns, unit_ns / 100) < 1000)
		return hundredths(buf, divide_rounded(ns, unit_ns / 100), unit);
	if (divide_rounded(ns, unit_ns / 10) < 1000)
		return tenths(buf, divide_rounded(ns, unit_ns / 10), unit);
	if (divide_rounded(ns, unit_ns) < limit)
		return whole(buf, divide_rounded(ns, unit_ns), unit);
	return NULL;
}

const char *format_duration_short(char *buf, uint64_t ns)
{
	if (!significant(buf, ns, 1000, 1000, "us") && !significant(buf, ns, 1000000, 1000, "ms"))
		significant(buf, ns, NSEC, UINT64_MAX, "s");
	return buf;
}

const char *format_seconds(char *buf, uint64_t ns)
{
	return tenths(buf, divide_rounded(ns, NSEC / 10), " s");
}

/* bytes / 2^shift in tenths, without overflow */
static uint64_t tenths_of_unit(uint64_t bytes, unsigned shift)
{
	uint64_t unit = 1ull << shift;

	return (bytes >> shift) * 10 + (((bytes & (unit - 1)) * 10 + unit / 2) >> shift);
}

const char *format_mb(char *buf, uint64_t bytes)
{
	return tenths(buf, tenths_of_unit(bytes, 20), "MB");
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

const char *format_mb_growth(char *buf, int64_t bytes)
{
	char size[FORMAT_LEN - 1];
	uint64_t value = tenths_of_unit(magnitude(bytes), 20);

	snprintf(size, sizeof(size), "%" PRIu64 ".%uMB", value / 10, (unsigned)(value % 10));
	snprintf(buf, FORMAT_LEN, "%c%s", bytes < 0 ? '-' : '+', size);
	return buf;
}

const char *format_bytes(char *buf, uint64_t bytes)
{
	static const char *const units[] = {" KB", " MB", " GB", " TB", " PB", " EB"};

	if (bytes < 1024)
		return whole(buf, bytes, " B");
	for (unsigned i = 0; i < 5; i++)
		if (tenths_of_unit(bytes, 10 * (i + 1)) < 10240)
			return tenths(buf, tenths_of_unit(bytes, 10 * (i + 1)), units[i]);
	/* Tenths of an exabyte from petabytes: the shift would not leave room for them. */
	return tenths(buf, divide_rounded(tenths_of_unit(bytes, 50), 1024), units[5]);
}

const char *format_bytes_growth(char *buf, double bytes)
{
	char size[FORMAT_LEN];
	double value = fabs(bytes);

	format_bytes(size, value < 1.8e19 ? (uint64_t)(value + 0.5) : UINT64_MAX);
	snprintf(buf, FORMAT_LEN, "%c%.46s", bytes < 0 ? '-' : '+', size);
	return buf;
}

const char *format_count(char *buf, uint64_t count)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, count), out = 0;

	for (int i = 0; i < len; i++) {
		if (i && len > 4 && (len - i) % 3 == 0)
			buf[out++] = ' ';
		buf[out++] = digits[i];
	}
	buf[out] = '\0';
	return buf;
}

const char *format_percent(char *buf, double percent)
{
	if (!isfinite(percent)) {
		snprintf(buf, FORMAT_LEN, "n/a");
		return buf;
	}
	/* Below the last digit it says so, instead of a zero that was not measured. */
	if (percent > 0 && percent < 0.05) {
		snprintf(buf, FORMAT_LEN, "< 0.1 %%");
		return buf;
	}
	return tenths(buf, (uint64_t)(fabs(percent) * 10 + 0.5), " %");
}

static void break_down(uint64_t realtime_ns, bool utc, struct tm *tm)
{
	time_t seconds = (time_t)(realtime_ns / NSEC);

	memset(tm, 0, sizeof(*tm));
	if (utc)
		gmtime_r(&seconds, tm);
	else
		localtime_r(&seconds, tm);
}

const char *format_clock(char *buf, uint64_t realtime_ns, bool utc)
{
	struct tm tm;

	break_down(realtime_ns, utc, &tm);
	strftime(buf, FORMAT_LEN, "%H:%M:%S", &tm);
	return buf;
}

const char *format_time(char *buf, uint64_t realtime_ns, bool utc)
{
	size_t len = strlen(format_clock(buf, realtime_ns, utc));

	snprintf(buf + len, FORMAT_LEN - len, ".%03u", (unsigned)(realtime_ns % NSEC / 1000000));
	return buf;
}

const char *format_date(char *buf, uint64_t realtime_ns, bool utc)
{
	struct tm tm;
	size_t len;
	long minutes;

	break_down(realtime_ns, utc, &tm);
	minutes = tm.tm_gmtoff / 60;
	len = strftime(buf, FORMAT_LEN, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(buf + len, FORMAT_LEN - len, " %c%02ld:%02ld", minutes < 0 ? '-' : '+',
		 (minutes < 0 ? -minutes : minutes) / 60, (minutes < 0 ? -minutes : minutes) % 60);
	return buf;
}

const char *format_rfc3339(char *buf, uint64_t realtime_ns)
{
	struct tm tm;
	size_t len;

	break_down(realtime_ns, true, &tm);
	len = strftime(buf, FORMAT_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, FORMAT_LEN - len, ".%09uZ", (unsigned)(realtime_ns % NSEC));
	return buf;
}
