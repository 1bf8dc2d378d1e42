/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the unwind information of one function says about its code: where it ends, and where
 * exceptions resume in it. Formats: Linux Standard Base Core 5.0, section 10.6 (.eh_frame), and
 * for the language-specific data area the C++ ABI for Itanium, "Exception Handling Tables", as
 * GCC and LLVM write it for C++ and Rust.
 */
#ifndef PERFTRACE_ELF_FDE_H
#define PERFTRACE_ELF_FDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "elf/image.h"

#define LANDING_PADS_MAX 65536

struct fde {
	uint64_t start, end;  /* vaddrs, [start, end) */
	uint64_t lsda;	      /* vaddr of its language-specific data; 0 = none */
	bool has_personality; /* exceptions do something here, if only clean up */
	/* Its first instruction has a stack frame: a part that was split off, no function. */
	bool starts_with_frame;
};

typedef VEC(uint64_t) vaddr_list;

/*
 * Reads the frame description entry at `vaddr` (of .eh_frame). -ENOTSUP: an encoding or version
 * that no compiler writes for x86-64; -EINVAL: it makes no sense.
 */
int fde__read(const struct elf_image *img, uint64_t vaddr, struct fde *out);

/*
 * Appends the landing pads of a function to `out`, in the order of the table, repeats included. 0
 * also for a function without any; -ENOTSUP, -EINVAL as above (then `out` may have some of them);
 * -E2BIG: more than LANDING_PADS_MAX; -ENOMEM.
 */
int fde__landing_pads(const struct elf_image *img, const struct fde *fde, vaddr_list *out);

#endif
