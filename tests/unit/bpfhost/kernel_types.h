/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel types the BPF sources see on the host: those of the real vmlinux.h, but pt_regs with
 * all of its words. The committed one leaves out what we never name, and CO-RE finds the rest at
 * load; on the host nothing relocates, and span_probe() copies the registers as they lie.
 */
#ifndef PERFTRACE_BPFHOST_KERNEL_TYPES_H
#define PERFTRACE_BPFHOST_KERNEL_TYPES_H

#undef bool /* vmlinux.h defines the type of that name */
#define pt_regs pt_regs_with_gaps
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#include "../../../vmlinux/vmlinux.h"
#pragma GCC diagnostic pop
#undef pt_regs

struct pt_regs {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
	u64 ip, cs, flags, sp, ss;
};

#endif
