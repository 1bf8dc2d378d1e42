/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All the places where a function is left: its returns and its tail calls. Probes there see the
 * same as a probe on the return, without touching the return address, so that exceptions, panics
 * and moved stacks stay harmless. A function is refused as soon as one way out might be missed or
 * is not certain to be one.
 *
 * Where exactly a span ends: at a tail call the function is over when it jumps; what the callee
 * does is the callee's.
 */
#ifndef PERFTRACE_PROBE_EXITS_H
#define PERFTRACE_PROBE_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "probe/flow.h"

#define EXITS_MAX 256 /* per function */

enum exit_kind {
	EXIT_RET,
	EXIT_TAIL_JMP,
	EXIT_TAIL_JCC, /* leaves only if its condition holds; the probe is hit either way */
	EXIT_TAIL_INDIRECT,
};

struct exit_site {
	int64_t offset; /* from the entry; negative in a part that lies before it */
	enum exit_kind kind;
	uint8_t condition; /* of EXIT_TAIL_JCC: low half of the opcode (Intel SDM 2, appendix B) */
	bool emulated;	   /* cheap; false = single-stepped, as every ret is */
	bool proven;	   /* rsp is known to be what it was at the entry */
	uint64_t target;   /* vaddr where a direct tail call goes; 0 for others */
	char instruction[16];
};

struct exits_function {
	/* The function, and further parts that belong to it. */
	const struct flow_part *parts;
	size_t part_count;
	/* vaddrs in the parts where exceptions resume; those in no part are ignored. */
	const uint64_t *landing_pads;
	size_t landing_pad_count;
	/*
	 * Reads bytes of the image at a vaddr, for tables of labels; 0 or negative errno. Without
	 * it (NULL) more functions are refused.
	 */
	int (*read)(void *context, uint64_t vaddr, void *buf, size_t len);
	void *context;
};

/*
 * Code outside the parts that belongs to the function: asking again with it is worth while. Where
 * it jumps to with its frame in place is either a further part, or what compilers leave behind a
 * call that does not return (a jump that is never taken).
 */
struct exit_want {
	uint64_t vaddr;
	bool certain; /* a label in a jump table */
};

struct exits {
	VEC(struct exit_site) sites; /* by position: parts in their order, ascending in each */
	/*
	 * The entry is a jump target inside the function: a loop or a tail recursion passes it
	 * again with the same rsp before the function is left.
	 */
	bool reenters;
	const char *refused; /* constant phrase, or NULL; with it `sites` is empty */
	VEC(struct exit_want) wants;
};

/*
 * Fills `out` (zero-initialised by the caller, freed with exits__free() whatever is returned).
 * 0, also for a refusal; -EINVAL: no code; -ENOMEM.
 */
int exits__find(const struct exits_function *function, struct exits *out);
void exits__free(struct exits *exits);

#endif
