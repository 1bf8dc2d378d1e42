/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where functions start, for binaries without symbols: every function with unwind information is
 * listed in the binary search table of .eh_frame_hdr. Format: Linux Standard Base Core 5.0,
 * section 10.6.2. Cold parts that the compiler split off count as functions of their own.
 */
#ifndef PERFTRACE_ELF_FDE_INDEX_H
#define PERFTRACE_ELF_FDE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/image.h"

#define FDE_INDEX_MAX 2000000

struct fde_index;

/*
 * -ENOENT: no .eh_frame_hdr; -ENOTSUP: its table has another encoding than the one all linkers
 * write (DW_EH_PE_datarel | DW_EH_PE_sdata4); -E2BIG; -EINVAL; -ENOMEM.
 */
int fde_index__load(const struct elf_image *img, struct fde_index **out);
void fde_index__free(struct fde_index *idx);
size_t fde_index__count(const struct fde_index *idx);

/*
 * The nearest function start at or below `vaddr`, which may lie in the padding behind that
 * function: the table knows no ends. -ENOENT below the first function.
 */
int fde_index__function_start(const struct fde_index *idx, uint64_t vaddr, uint64_t *start);
/* The nearest function start above `vaddr`; -ENOENT behind the last one. */
int fde_index__next_start(const struct fde_index *idx, uint64_t vaddr, uint64_t *start);
/* vaddr of the unwind information of the function that starts at exactly `start`; -ENOENT. */
int fde_index__entry(const struct fde_index *idx, uint64_t start, uint64_t *fde);

#endif
