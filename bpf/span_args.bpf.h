/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fetching a probe's arguments as user space described them (struct arg_spec). */
#ifndef PERFTRACE_SPAN_ARGS_BPF_H
#define PERFTRACE_SPAN_ARGS_BPF_H

#include "common.bpf.h"

static __always_inline __u64 read_register(const struct span_thread *t, __u16 offset)
{
	return t->regs[(offset / sizeof(__u64)) & (SPAN_REGS - 1)];
}

static __always_inline __u64 narrow(__u64 value, const struct arg_spec *spec)
{
	__u8 shift = 64 - spec->size * 8;

	if (spec->size >= 8 || !spec->size)
		return value;
	return spec->is_signed ? (__u64)((__s64)(value << shift) >> shift)
			       : value << shift >> shift;
}

/* The argument's value, or 0 if it is absent or its memory cannot be read. */
GLOBAL __u64 fetch_arg(const struct span_thread *t, const struct arg_spec *spec)
{
	__u64 value = 0, address;

	if (!t || !spec)
		return 0;
	switch (spec->kind) {
	case ARG_CONST:
		value = spec->value;
		break;
	case ARG_REG:
		value = read_register(t, spec->reg_offset);
		break;
	case ARG_DEREF:
		address = read_register(t, spec->reg_offset) + spec->value;
		if (spec->scale)
			address += read_register(t, spec->index_offset) * spec->scale;
		if (bpf_probe_read_user(&value, sizeof(value), (void *)address))
			return 0;
		break;
	}
	return narrow(value, spec);
}

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
