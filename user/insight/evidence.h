/* SPDX-License-Identifier: BSD-2-Clause */
/* Why we say what we say: sentences with numbers, without a full stop. */
#ifndef PERFTRACE_INSIGHT_EVIDENCE_H
#define PERFTRACE_INSIGHT_EVIDENCE_H

#include "base/vec.h"

/* Zero-initialise; evidence__free() when done. */
struct evidence {
	VEC(char *) list; /* owned */
};

/* Adds a sentence. 0 or -ENOMEM. */
int evidence__say(struct evidence *evidence, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void evidence__free(struct evidence *evidence);

#endif
