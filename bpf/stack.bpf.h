/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Call stack at a function's entry. This version follows frame pointers; the callers know only
 * capture_stack(), so that another unwinder can take its place.
 */
#ifndef PERFTRACE_STACK_BPF_H
#define PERFTRACE_STACK_BPF_H

#include "common.bpf.h"

#define FRAME_SPAN_MAX (1 << 20) /* a frame larger than this is taken for a stray rbp */

/*
 * Does a call instruction end at `ret`? Code built without frame pointers leaves any value in
 * rbp; one that happens to point into the stack would otherwise give frames out of thin air.
 */
static __always_inline int follows_call(__u64 ret)
{
	__u8 code[8];

	if (bpf_probe_read_user(code, sizeof(code), (void *)(ret - sizeof(code))))
		return 0;
	return code[3] == 0xe8 ||				/* call rel32 */
	       (code[6] == 0xff && (code[7] & 0x38) == 0x10) || /* call *reg, *(reg) */
	       (code[5] == 0xff && (code[6] & 0x38) == 0x10) || /* call *disp8(reg) */
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) || /* call *disp8(reg,index) */
	       (code[2] == 0xff && (code[3] & 0x38) == 0x10) || /* call *disp32(reg) */
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10);	/* call *disp32(reg,index) */
}

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/*
 * Fills frames[] with return addresses, innermost first, of a call whose entry is `regs` (the
 * return address at [rsp], the caller's rbp still in rbp). Returns the number of frames; *hash
 * becomes the identity of (layout, frames).
 */
static __always_inline __u32 capture_stack(struct pt_regs *regs, __u64 layout,
					   __u64 frames[STACK_DEPTH_MAX], __u64 *hash)
{
	struct {
		__u64 caller_bp, ret;
	} frame;
	__u64 bp = regs->bp, below = regs->sp, ret = 0, h = mix(0, layout);
	__u32 n;

	if (bpf_probe_read_user(&ret, sizeof(ret), (void *)below)) {
		*hash = h;
		return 0;
	}
	frames[0] = ret;
	h = mix(h, ret);
	for (n = 1; n < STACK_DEPTH_MAX; n++) {
		if (n >= config.stack_depth || bp <= below || bp - below > FRAME_SPAN_MAX || bp & 7)
			break;
		if (bpf_probe_read_user(&frame, sizeof(frame), (void *)bp))
			break;
		if (!follows_call(frame.ret))
			break;
		frames[n] = frame.ret;
		h = mix(h, frame.ret);
		below = bp;
		bp = frame.caller_bp;
	}
	*hash = h;
	return n;
}

#endif
