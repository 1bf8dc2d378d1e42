/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The argument strings of stapsdt notes: "8@%rdi -4@16(%rbp,%rax,4) 4@$0", one operand per probe
 * argument, SIZE@OPERAND in AT&T syntax, a negative size meaning signed (SystemTap's
 * UserSpaceProbeImplementation wiki page).
 */
#ifndef PERFTRACE_PROBE_USDT_ARG_H
#define PERFTRACE_PROBE_USDT_ARG_H

#include <stddef.h>
#include <stdint.h>

#include "abi/spans.h"

#define USDT_ARGS_MAX 12 /* as SystemTap's macros allow */

/* Where the probe is, for operands that are relative to it: "NBuffers(%rip)". */
struct usdt_place {
	uint64_t location; /* vaddr of the probed instruction */
	/* The vaddr of a variable of the same file; 0 or a negative errno. */
	int (*variable)(void *arg, const char *name, uint64_t *vaddr);
	void *arg;
};

/*
 * Parses up to `max` arguments. An operand that cannot be fetched from registers and memory becomes
 * ARG_NONE and does not spoil the others; among them are those relative to the instruction pointer
 * if `place` is NULL, the variable is not known, or none is named: then the operand does not say
 * from which instruction its number counts. Returns their number.
 */
size_t usdt_arg__parse(const char *text, const struct usdt_place *place, struct arg_spec *args,
		       size_t max);

#endif
