/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How failures travel: functions return 0 or a negative errno; where a user will have to read
 * about it, they also fill a struct error once, with a whole sentence and the exit code of the
 * contract. Only cli/ prints it. The first sentence stands: it names the cause, later ones would
 * name consequences.
 */
#ifndef PERFTRACE_BASE_ERROR_H
#define PERFTRACE_BASE_ERROR_H

#include <stdarg.h>

/* Exit codes, the contract with scripts. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,      /* failed at run time */
	EXIT_USAGE = 2,	      /* wrong usage */
	EXIT_UNSUPPORTED = 3, /* not permitted, or not supported by this kernel or target */
	EXIT_NO_TARGET = 4,   /* no such target, or it vanished before any data */
	EXIT_THRESHOLD = 5,   /* a threshold set by the user was exceeded */
	EXIT_INCOMPLETE = 6,  /* data incomplete and --strict given */
	EXIT_INTERRUPTED = 130,
};

struct error {
	int exit_code; /* 0 while nothing was reported */
	char text[768];
};

/*
 * Records "WHAT failed: WHY. WHAT TO DO." and the exit code, unless something was recorded
 * already. `err` may be NULL. Untrusted strings in the arguments are escaped when printed.
 * Returns `ret`, so that "return error_set(err, EXIT_FAILED, -EIO, ...)" reads as one thought.
 */
int error_set(struct error *err, enum exit_code exit_code, int ret, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
