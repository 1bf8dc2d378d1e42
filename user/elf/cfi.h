/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Call frame information: for every instruction of a function, how its caller's registers are
 * found. Formats: Linux Standard Base Core 5.0, section 10.6.1 (.eh_frame); DWARF 5, section 6.4
 * (.debug_frame). x86-64 only.
 *
 * The bytes may say anything. Work and memory are bounded by the size of the section; an entry
 * that makes no sense is counted, and its rows end where it stops making sense.
 */
#ifndef PERFTRACE_ELF_CFI_H
#define PERFTRACE_ELF_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/image.h"

/* DWARF's numbers of registers: System V ABI, AMD64 supplement, figure 3.36. */
#define CFI_RBX	      3
#define CFI_RBP	      6
#define CFI_RSP	      7
#define CFI_RA	      16
#define CFI_REGISTERS 17

/*
 * Bytes of a section that is read: the work for it is bounded by its size, at worst 13 ns a byte.
 * The largest browsers have some 30 MB.
 */
#define CFI_SECTION_MAX (64ULL << 20)

enum cfi_kind {
	CFI_UNSPECIFIED,   /* nothing was said: what the ABI says holds */
	CFI_UNDEFINED,	   /* not recoverable; of the return address: no caller */
	CFI_SAME,	   /* unchanged */
	CFI_AT_CFA,	   /* saved at CFA + offset */
	CFI_CFA_PLUS,	   /* is CFA + offset */
	CFI_REGISTER,	   /* is in register `reg`; of the CFA: is register `reg` + offset */
	CFI_AT_EXPRESSION, /* saved at the value of the expression; not of the CFA */
	CFI_IS_EXPRESSION, /* is the value of the expression */
};

struct cfi_rule {
	uint8_t kind; /* enum cfi_kind */
	uint8_t reg;  /* 255 stands for all registers above 254 */
	uint32_t length;
	union {
		int64_t offset;
		const uint8_t *expression; /* `length` bytes of the section */
	};
};

struct cfi_state {
	struct cfi_rule cfa;
	struct cfi_rule plain_cfa; /* the last that was register + offset */
	struct cfi_rule reg[CFI_REGISTERS];
};

/* From `start` up to `end` (not included) `state` holds. Valid during the call. */
struct cfi_row {
	uint64_t start, end; /* vaddrs, start < end */
	const struct cfi_state *state;
	bool is_signal; /* the frame of a signal handler's return */
};

/* Gets the functions in the order of the section, and the rows of each, ascending. */
struct cfi_visitor {
	/* The function [start, end) follows. 0: its rows are wanted; 1: not; negative: stop. */
	int (*function)(void *arg, uint64_t start, uint64_t end);
	int (*row)(void *arg, const struct cfi_row *row); /* negative: stop */
	void *arg;
};

struct cfi_section {
	uint8_t *data; /* not NULL */
	size_t size;
	uint64_t vaddr;	     /* of data[0]; 0 for .debug_frame */
	bool is_debug_frame; /* DWARF's own format instead of that of .eh_frame */
	bool has_end;	     /* its size is not known: the first entry of length 0 ends it */
};

struct cfi_counts {
	size_t entries; /* descriptions of functions */
	size_t bad;	/* those that make no sense, or not to their end */
};

/*
 * Loads .eh_frame: by its section header, or without one through PT_GNU_EH_FRAME. -ENOENT: the
 * image has none; -EFBIG: larger than CFI_SECTION_MAX; -EINVAL, -ENOMEM, -EIO.
 */
int cfi_section__load(const struct elf_image *img, struct cfi_section *out);
/* Loads .debug_frame; errors as above, and -ENOTSUP for an unknown compression. */
int cfi_section__load_debug(const struct elf_image *img, struct cfi_section *out);
void cfi_section__free(struct cfi_section *section);

/*
 * Visits all functions. 0, or what the visitor stopped with; -E2BIG: the work for entries exceeds
 * all measure.
 */
int cfi_section__walk(const struct cfi_section *section, const struct cfi_visitor *visitor,
		      struct cfi_counts *counts);

#endif
