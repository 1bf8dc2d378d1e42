/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reading a stack: in one go what lies above the stack pointer, word by word from that copy, and
 * another copy when a word lies outside. A copy costs little more than a word.
 */
#ifndef PERFTRACE_STACK_WINDOW_BPF_H
#define PERFTRACE_STACK_WINDOW_BPF_H

#include "common.bpf.h"

/* What lies closely below the address asked for comes along: a return address' saved registers. */
#define STACK_WINDOW_BELOW 64

/* Offsets of whole words inside a copy: none of the other bits is set. */
#define STACK_WINDOW_WORDS (STACK_WINDOW - 8)

/* Reads the word at `address` into s->word, and what lies around it into the copy. */
int read_outside(struct stack_scratch *s, __u64 address);

/* The word at `address`. 0; not 0: it cannot be read. */
static __always_inline int read_stack(struct stack_scratch *s, __u64 address, __u64 *value)
{
	__u64 offset = address - s->window_at;
	int err;

	if (offset & ~(__u64)STACK_WINDOW_WORDS) {
		err = read_outside(s, address);
		*value = s->word;
		return err;
	}
	offset &= STACK_WINDOW_WORDS;
	barrier_var(offset);
	*value = s->window[offset / 8];
	return 0;
}

#endif
