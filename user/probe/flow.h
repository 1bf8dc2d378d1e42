/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which instructions of a function can be reached, and what registers hold there: follows
 * branches from given starting points instead of reading bytes in a row, so that padding, data
 * and the code of others are not taken for instructions.
 *
 * A function may lie in several parts: compilers move unlikely blocks away ("name.cold"). Places
 * are counted in bytes through all parts in the order given: a "position".
 *
 * Calls are taken to return. One that does not (abort, a throw) shows where its supposed return
 * falls into a block whose stack pointer is known to be another; it is then left out.
 */
#ifndef PERFTRACE_PROBE_FLOW_H
#define PERFTRACE_PROBE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "probe/insn.h"
#include "probe/registers.h"

#define FLOW_PARTS_MAX 16
#define FLOW_BYTES_MAX (512 * 1024) /* of all parts */

struct flow_part {
	uint64_t vaddr;
	const uint8_t *code; /* borrowed */
	size_t len;
};

struct flow_place;

struct flow {
	const struct flow_part *parts; /* borrowed; the first one starts with the entry */
	size_t part_count;
	size_t size; /* positions */
	/* The rest is the walk's own. */
	size_t base[FLOW_PARTS_MAX + 1]; /* position of each part's first byte */
	uint32_t *place_of;		 /* per position, 1 + index into places; 0 = not reached */
	uint8_t *marks;			 /* per position */
	VEC(struct flow_place) places;
	VEC(uint32_t) queue;
	uint16_t rsp_copies; /* registers that rsp is copied to somewhere */
	const char *refused; /* constant phrase: why this code cannot be followed */
	bool contradiction;  /* a call turned out not to return: start again */
	size_t steps;
};

/* -EINVAL: no code; -E2BIG: more of it than is looked at; -ENOMEM. Frees nothing on an error. */
int flow__init(struct flow *flow, const struct flow_part *parts, size_t n);
void flow__free(struct flow *flow);

/* Another starting point; does nothing where the walk has been already. -ENOMEM. */
int flow__start(struct flow *flow, size_t position, const struct registers *registers);
/*
 * Follows all branches. 0; -ENOTSUP with the reason in `refused`; -EAGAIN: begin again with
 * flow__restart() and the same starting points, as a call was found not to return; -ENOMEM.
 */
int flow__run(struct flow *flow);
/* Forgets everything but which calls do not return. */
void flow__restart(struct flow *flow);

/* What registers hold before the instruction at `position`; NULL: no instruction reached there. */
const struct registers *flow__registers(const struct flow *flow, size_t position);
const uint8_t *flow__code(const struct flow *flow, size_t position);
/* Decodes there, wherever it is; no further than to the end of the part. */
int flow__decode(const struct flow *flow, size_t position, struct insn *insn);
/* Whether the byte belongs to an instruction reached. */
bool flow__covers(const struct flow *flow, size_t position);
uint64_t flow__vaddr(const struct flow *flow, size_t position);
/* Bytes from the entry, also backwards. */
int64_t flow__from_entry(const struct flow *flow, size_t position);
/* The position of an address in one of the parts; false: it is in none. */
bool flow__position(const struct flow *flow, uint64_t vaddr, size_t *position);
/* Where the part that contains `position` ends. */
size_t flow__part_end(const struct flow *flow, size_t position);

#endif
