/* SPDX-License-Identifier: BSD-2-Clause */
/* Hand-made .eh_frame and .debug_frame: bytes are appended, lengths filled in behind them. */
#ifndef PERFTRACE_TESTS_CFI_FIXTURE_H
#define PERFTRACE_TESTS_CFI_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "elf/cfi.h"

#define FRAME_VADDR 0x400000
#define CODE	    0x10000 /* where functions lie, unless a test says otherwise */

struct frames {
	uint8_t data[65536];
	size_t len;
	size_t cie, open; /* where the last CIE and the entry being written begin */
	bool debug;	  /* .debug_frame */
	bool wide;	  /* lengths of 64 bits */
};

static inline void put_number(struct frames *f, uint64_t n, size_t bytes)
{
	if (bytes > sizeof(f->data) - f->len)
		return;
	memcpy(f->data + f->len, &n, bytes);
	f->len += bytes;
}

static inline void put_bytes(struct frames *f, const void *bytes, size_t n)
{
	if (n > sizeof(f->data) - f->len)
		return;
	memcpy(f->data + f->len, bytes, n);
	f->len += n;
}

#define PUT(f, ...)                                     \
	do {                                            \
		const uint8_t bytes_[] = {__VA_ARGS__}; \
		put_bytes(f, bytes_, sizeof(bytes_));   \
	} while (0)

static inline void begin_entry(struct frames *f)
{
	f->open = f->len;
	put_number(f, f->wide ? UINT32_MAX : 0, 4);
	if (f->wide)
		put_number(f, 0, 8);
}

static inline void end_entry(struct frames *f)
{
	size_t head = f->wide ? 12 : 4;
	uint64_t length = f->len - f->open - head;

	memcpy(f->data + f->open + (f->wide ? 4 : 0), &length, f->wide ? 8 : 4);
}

/* Up to its instructions. `augmentation` is data behind its size; letters as in the file. */
static inline void begin_cie(struct frames *f, uint8_t version, const char *letters,
			     const void *augmentation, size_t size)
{
	begin_entry(f);
	f->cie = f->open;
	put_number(f, f->debug ? UINT64_MAX : 0, f->debug && f->wide ? 8 : 4);
	PUT(f, version);
	put_bytes(f, letters, strlen(letters) + 1);
	if (!strcmp(letters, "eh"))
		put_number(f, 0x1234, 8);
	if (version == 4)
		PUT(f, 8, 0);
	PUT(f, 1, 0x78, 16); /* code alignment 1, data alignment -8, return address in 16 */
	if (*letters == 'z') {
		PUT(f, (uint8_t)size);
		put_bytes(f, augmentation, size);
	}
}

/* CFA = rsp + 8, return address at CFA - 8: what holds at every function's entry. */
static inline void put_entry_state(struct frames *f)
{
	PUT(f, 0x0c, 7, 8, 0x90, 1);
}

/* The one that GCC writes: "zR" with 4-byte relative addresses. */
static inline void plain_cie(struct frames *f)
{
	begin_cie(f, 1, "zR", "\x1b", 1);
	put_entry_state(f);
	PUT(f, 0, 0);
	end_entry(f);
}

/* A function's entry up to its address. */
static inline void begin_fde_head(struct frames *f)
{
	size_t id;

	begin_entry(f);
	id = f->len;
	put_number(f, f->debug ? f->cie : id - f->cie, f->debug && f->wide ? 8 : 4);
}

/* Up to its instructions, for a CIE as plain_cie() writes them. */
static inline void begin_fde(struct frames *f, uint64_t start, uint64_t size)
{
	begin_fde_head(f);
	put_number(f, start - (FRAME_VADDR + f->len), 4);
	put_number(f, size, 4);
	PUT(f, 0);
}

static inline struct cfi_section frames_section(struct frames *f)
{
	return (struct cfi_section){.data = f->data,
				    .size = f->len,
				    .vaddr = f->debug ? 0 : FRAME_VADDR,
				    .is_debug_frame = f->debug};
}

#endif
