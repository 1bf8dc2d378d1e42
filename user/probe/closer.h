/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Closes probe links without holding up the caller: closing one waits for a grace period of the
 * kernel (tens of milliseconds), so several are closed side by side on threads of their own.
 */
#ifndef PERFTRACE_PROBE_CLOSER_H
#define PERFTRACE_PROBE_CLOSER_H

#include <stddef.h>

struct closer;

/* NULL when out of memory or threads. */
struct closer *closer__new(void);
/* Takes `fd`; it is closed soon. */
void closer__close(struct closer *c, int fd);
/* Returns when everything handed over is closed. */
void closer__wait(struct closer *c);
/* The same, for at most so long; returns how many are still to be closed. */
size_t closer__wait_ms(struct closer *c, unsigned int ms);
/* Waits, too. */
void closer__free(struct closer *c);

#endif
