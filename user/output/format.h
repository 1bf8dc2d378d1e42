/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers as people read them. Every function fills `buf` (FORMAT_LEN bytes) and returns it. All
 * round half up, and round before they choose a unit: 999.996 ms is "1.00s". MB is 2^20 bytes.
 * Integer arithmetic only, so the locale's decimal comma cannot get in.
 */
#ifndef PERFTRACE_OUTPUT_FORMAT_H
#define PERFTRACE_OUTPUT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define FORMAT_LEN 48

/* "1.23s" "234.56ms" "12.34us"; hours are still seconds. */
const char *format_duration(char *buf, uint64_t ns);
/* Three significant digits for tables: "14.8s" "1.21s" "71.2ms" "240ms" "0.12us". */
const char *format_duration_short(char *buf, uint64_t ns);
/* "60.0 s" */
const char *format_seconds(char *buf, uint64_t ns);

/* "245.3MB", the form of log lines. */
const char *format_mb(char *buf, uint64_t bytes);
/* "+646.8MB" "-3.0MB" */
const char *format_mb_growth(char *buf, int64_t bytes);
/* "0 B" "1.2 KB" "12.4 MB" "1.5 GB", the form of reports. */
const char *format_bytes(char *buf, uint64_t bytes);
/* The same with a sign: "+1.5 GB". Doubles beyond the integers are clamped. */
const char *format_bytes_growth(char *buf, double bytes);
/* "10 162": groups of three from five digits on. */
const char *format_count(char *buf, uint64_t count);
/* "0.7 %"; "n/a" for NAN. */
const char *format_percent(char *buf, double percent);

/* "14:23:45.123", cut to milliseconds so that no stamp lies in the future. */
const char *format_time(char *buf, uint64_t realtime_ns, bool utc);
/* "14:23:45" */
const char *format_clock(char *buf, uint64_t realtime_ns, bool utc);
/* "2026-11-20 14:23:44 +01:00" */
const char *format_date(char *buf, uint64_t realtime_ns, bool utc);
/* "2026-11-20T13:23:44.123456789Z" (RFC 3339) */
const char *format_rfc3339(char *buf, uint64_t realtime_ns);

#endif
