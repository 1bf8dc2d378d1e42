/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a result goes: standard output or a file.
 *
 * A log is appended to in whole lines, so that `tail -f` and several writers see no halves. A
 * document replaces the old file when it is complete: it is written beside it and renamed, and
 * until then the old one stands. Character devices and FIFOs are written to directly.
 *
 * Refused are symbolic links, directories, block devices and directories that everybody may
 * write without the sticky bit: in them a file can be exchanged under our hands. New files have
 * mode 0600 and belong to the invoking user under sudo.
 *
 * Errors are negative errno and stick: after the first one nothing more is written. -EPIPE means
 * that the reader went away; a caller stops quietly then (SIGPIPE must be ignored).
 */
#ifndef PERFTRACE_OUTPUT_SINK_H
#define PERFTRACE_OUTPUT_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

enum sink_kind {
	SINK_LOG,
	SINK_DOCUMENT,
};

struct sink;

/*
 * Opens `path`; NULL, "-" and "/dev/stdout" are standard output. On failure NULL, and `err` says
 * what to do. `*ret` (may be NULL) takes the negative errno.
 */
struct sink *sink__open(const char *path, enum sink_kind kind, struct error *err, int *ret);
/* The same, with the rights of the invoking user: for paths that they did not type. */
struct sink *sink__open_as_invoker(const char *path, enum sink_kind kind, struct error *err,
				   int *ret);

/*
 * Adds one line; `text` has no newline, it is added. Lines are kept until sink__flush(), or until
 * there are many, and then written several at a time, always whole.
 */
int sink__line(struct sink *sink, const char *text, size_t len);
/* Writes the lines that are kept. Returns the first error, or 0. */
int sink__flush(struct sink *sink);
/* Writes bytes as they are. */
int sink__write(struct sink *sink, const char *bytes, size_t len);
/* The first error, or 0. */
int sink__error(const struct sink *sink);
/* The path as opened, "standard output" for that. */
const char *sink__name(const struct sink *sink);
bool sink__is_stdout(const struct sink *sink);

/*
 * Completes the output and frees the sink. A document takes the old file's place now, unless an
 * error has stuck. Returns that error or the one of completing, and reports it in `err`, except
 * -EPIPE, which is nobody's fault. NULL is allowed.
 */
int sink__close(struct sink *sink, struct error *err);
/* Frees the sink; a document is thrown away. */
void sink__discard(struct sink *sink);

/* "cannot write PATH: WHY. WHAT TO DO." with EXIT_FAILED; returns `ret` (negative errno). */
int sink__report(const char *path, int ret, struct error *err);

#endif
