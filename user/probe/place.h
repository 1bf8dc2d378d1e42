/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chooses the instruction of a function that carries its probe. At the entry itself a uprobe
 * often has to be single-stepped; a few bytes further there may be a push or a jump, which the
 * kernel emulates 3 to 33 times as fast. The site may be moved there as long as every call passes
 * it exactly once, the argument registers still hold the arguments and, where the return is
 * hooked, the return address is still at [rsp].
 */
#ifndef PERFTRACE_PROBE_PLACE_H
#define PERFTRACE_PROBE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/insn.h"

/* Integer and pointer arguments of the System V AMD64 ABI, as register masks. */
#define PLACE_ARG1     GPR_BIT(GPR_RDI)
#define PLACE_ARG2     GPR_BIT(GPR_RSI)
#define PLACE_ARG3     GPR_BIT(GPR_RDX)
#define PLACE_ARG4     GPR_BIT(GPR_RCX)
#define PLACE_ARG5     GPR_BIT(GPR_R8)
#define PLACE_ARG6     GPR_BIT(GPR_R9)
#define PLACE_ALL_ARGS (PLACE_ARG1 | PLACE_ARG2 | PLACE_ARG3 | PLACE_ARG4 | PLACE_ARG5 | PLACE_ARG6)

#define PLACE_ARGUMENTS 6

enum place_need {
	/* The program reads arguments only; rsp may have moved by `stack_moved` bytes. */
	PLACE_ENTRY,
	/* The same for a function that ignores NULL as free() does: such calls may be missed. */
	PLACE_ENTRY_SKIPS_NULL,
	/* The return is hooked as well, or the program reads [rsp]: rsp has not moved. */
	PLACE_RETURN,
};

struct placement {
	uint32_t site_offset; /* bytes from the function's entry */
	char instruction[16]; /* what is there: "push %rbp", "je", or bytes in hex */
	const char *why;      /* a constant phrase, for people */
	bool emulated;	      /* cheap; false = single-stepped */
	bool null_filtered;   /* calls with a NULL first argument do not reach the site */
	bool reentered;	      /* a jump of the function leads to its entry: one call passes twice */
	uint32_t stack_moved; /* how far rsp is below its value at the entry */
	/*
	 * place_probe_following(): which argument's register holds argument N now, by number;
	 * mostly N itself. 0 = argument N was not asked for.
	 */
	uint8_t argument_now[PLACE_ARGUMENTS + 1];
};

/*
 * `code` holds the `len` bytes of the function at `entry_vaddr`; it should be all of the function,
 * since a branch back before the site makes the site unusable. `arg_regs_needed_mask`: PLACE_ARG*.
 * Whatever is not understood leaves the probe at the entry, with the reason in `out->why`.
 * 0; -ENOTSUP: uprobes refuse this function's entry and no other site was found; -EINVAL: no code.
 */
int place_probe(const uint8_t *code, size_t len, uint64_t entry_vaddr, enum place_need need,
		uint32_t arg_regs_needed_mask, struct placement *out);
/*
 * The same for a program that is told where each argument is (argument_now): an argument may have
 * been copied to another argument's register before its own is overwritten.
 */
int place_probe_following(const uint8_t *code, size_t len, uint64_t entry_vaddr,
			  enum place_need need, uint32_t arg_regs_needed_mask,
			  struct placement *out);

#endif
