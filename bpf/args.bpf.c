// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "args.bpf.h"

static __always_inline __u64 read_register(const struct probe_regs *regs, __u16 offset)
{
	return regs->word[(offset / sizeof(__u64)) & (PROBE_REGS - 1)];
}

static __always_inline __u64 narrow(__u64 value, const struct arg_spec *spec)
{
	__u8 shift = 64 - spec->size * 8;

	if (spec->size >= 8 || !spec->size)
		return value;
	return spec->is_signed ? (__u64)((__s64)(value << shift) >> shift)
			       : value << shift >> shift;
}

GLOBAL __u64 fetch_arg(const struct probe_regs *regs, const struct arg_spec *spec)
{
	__u64 value = 0, address;

	if (!regs || !spec)
		return 0;
	switch (spec->kind) {
	case ARG_CONST:
		value = spec->value;
		break;
	case ARG_REG:
		value = read_register(regs, spec->reg_offset);
		break;
	case ARG_DEREF:
		address = read_register(regs, spec->reg_offset) + spec->value;
		if (spec->scale)
			address += read_register(regs, spec->index_offset) * spec->scale;
		if (bpf_probe_read_user(&value, sizeof(value), (void *)address))
			return 0;
		break;
	}
	return narrow(value, spec);
}
