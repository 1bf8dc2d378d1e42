/* SPDX-License-Identifier: BSD-2-Clause */
/* A page's rows as they lie in its piece of a table: see struct unwind_page in bpf/abi/unwind.h. */
#ifndef PERFTRACE_STACK_UNWIND_PIECE_H
#define PERFTRACE_STACK_UNWIND_PIECE_H

#include <stdint.h>

#include "abi/unwind.h"

/* Length of the piece, in halfwords. */
static inline uint32_t unwind_piece__halves(struct unwind_page page)
{
	return page.rules ? UNWIND_PAGE_NUMBERS(page.rows) + page.rules : 2 * page.rows;
}

/* The number of row i's rule; the piece must be sound. Its start is piece[i]. */
static inline uint16_t unwind_piece__number(const uint16_t *piece, struct unwind_page page,
					    uint32_t i)
{
	const uint8_t *which = (const uint8_t *)(piece + page.rows);

	return page.rules ? piece[UNWIND_PAGE_NUMBERS(page.rows) + which[i]] : piece[page.rows + i];
}

#endif
