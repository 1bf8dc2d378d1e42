/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the result of a function can be read without hooking its return. A return probe replaces
 * the return address, and an exception that passes such a frame ends the program: functions that
 * may throw (operator new) are probed at places inside instead, where it is certain what the
 * function will return.
 *
 * The plain place is `ret`, but that is single-stepped. Going back from each `ret` there is often
 * a jump, which the kernel emulates, from which on every path leads to that `ret`, and the value
 * already lies in a register: mostly the branch that tells the allocator's fast path from its slow
 * one. Jumps out of the function (tail calls, its cold part) are followed.
 */
#ifndef PERFTRACE_PROBE_RESULTS_H
#define PERFTRACE_PROBE_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "elf/fde_index.h"
#include "elf/image.h"
#include "elf/imports.h"
#include "elf/symbols.h"

struct result_site {
	uint64_t vaddr;
	uint32_t description; /* HEAP_RESULT_IN() of bpf/abi/heap.h */
	bool emulated;	      /* false: a `ret`, single-stepped */
	char instruction[16];
};

typedef VEC(struct result_site) result_site_list;

/* What the search reads. */
struct result_code {
	const struct elf_image *image;
	const struct elf_symbols *symbols;
	const struct elf_imports *imports;
	const struct fde_index *functions; /* may be NULL */
};

/*
 * Adds the places that together see every result of the function at `vaddr`. -ENOTSUP with a
 * constant phrase in *why: its code is not understood; -ENOENT: it never returns; -ENOMEM.
 */
int results__find(const struct result_code *code, uint64_t vaddr, result_site_list *out,
		  const char **why);

#endif
