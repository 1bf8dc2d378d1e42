/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a room wants to tell the user beside its results: one line each, no newline in `fmt`.
 * The roof (cli/) decides where they go; without a sink they vanish, as in unit tests.
 */
#ifndef PERFTRACE_BASE_NOTICE_H
#define PERFTRACE_BASE_NOTICE_H

enum notice_level {
	NOTICE_WARNING, /* something is worth less than the user would expect */
	NOTICE_INFO,	/* what is happening and what it costs */
	NOTICE_DETAIL,	/* only with -v */
};

typedef void (*notice_sink_fn)(enum notice_level level, const char *line);

/* Sets the one sink of the process; NULL silences. */
void notice_set_sink(notice_sink_fn sink);
void notice(enum notice_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
