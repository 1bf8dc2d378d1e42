/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fetching a probe's arguments as user space described them (struct arg_spec). */
#ifndef PERFTRACE_ARGS_BPF_H
#define PERFTRACE_ARGS_BPF_H

#include "common.bpf.h"

/* The argument's value, or 0 if it is absent or its memory cannot be read. */
__u64 fetch_arg(const struct probe_regs *regs, const struct arg_spec *spec);

/*
 * Text at `address` into `to` (at most `size` bytes with its NUL). The page may never have been
 * touched (a name literal in .rodata): then the sleepable copy faults it in. Returns the length
 * with NUL, or 0.
 */
static __always_inline __u32 read_text(char *to, __u32 size, __u64 address)
{
	long n;

	if (!address)
		return 0;
	n = bpf_probe_read_user_str(to, size, (void *)address);
	if (n < 0) {
		if (bpf_copy_from_user(to, 1, (void *)address))
			return 0;
		n = bpf_probe_read_user_str(to, size, (void *)address);
	}
	return n > 0 ? n : 0;
}

/*
 * USDT notes tell an argument's size, not its type: a pointer is taken for text when what it
 * points at begins like text. Bytes from 0x80 up are allowed: UTF-8.
 */
static __always_inline int looks_like_text(const char *s, __u32 len)
{
	if (len < 2) /* the NUL alone */
		return 0;
	for (int i = 0; i < 4; i++) {
		__u8 c = s[i];

		if (!c)
			return i > 0;
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
			return 0;
	}
	return 1;
}

#endif
