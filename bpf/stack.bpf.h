/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Call stack at a function's entry. This version follows frame pointers; the callers know only
 * capture_stack(), so that another unwinder can take its place.
 */
#ifndef PERFTRACE_STACK_BPF_H
#define PERFTRACE_STACK_BPF_H

#include "common.bpf.h"

#define FRAME_SPAN_MAX (1 << 20) /* a frame larger than this is taken for a stray rbp */

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/* Does a call instruction end at `ret`? */
static __always_inline int is_call_before(__u64 ret)
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

/*
 * Is `ret` a return address? Code built without frame pointers leaves any value in rbp; one that
 * happens to point into the stack would otherwise give frames out of thin air. Looking at the code
 * costs as much as reading a frame, so what was found is remembered per thread.
 */
static __always_inline int is_return_address(struct stack_scratch *s, __u64 ret)
{
	__u64 *known = &s->calls[(ret ^ (ret >> 6)) & (STACK_CALLS - 1)];

	if (*known == ret && ret) /* an empty slot is 0 */
		return 1;
	if (!is_call_before(ret))
		return 0;
	*known = ret;
	return 1;
}

struct frame_record {
	__u64 caller_bp, ret;
};

/* The frame record at `bp`, from the copied window if it lies there. 0 if it can be had. */
static __always_inline int read_frame(const struct stack_scratch *s, __u64 window_start, __u64 bp,
				      struct frame_record *frame)
{
	__u64 word = (bp - window_start) / sizeof(__u64);

	if (word < STACK_WINDOW - 1) {
		barrier_var(word);
		frame->caller_bp = s->window[word & (STACK_WINDOW - 1)];
		frame->ret = s->window[(word + 1) & (STACK_WINDOW - 1)];
		return 0;
	}
	return bpf_probe_read_user(frame, sizeof(*frame), (void *)bp);
}

/*
 * Fills frames[] with return addresses, innermost first, of a call whose entry is `regs` (the
 * return address at [rsp], the caller's rbp still in rbp). `here` not 0: of any place in a function
 * instead, which comes first as if it had been called from there. Returns the number of frames;
 * *hash becomes the identity of (layout, frames).
 */
static __always_inline __u32 capture_stack(struct pt_regs *regs, __u64 here, __u64 layout,
					   struct stack_scratch *s, __u64 frames[STACK_DEPTH_MAX],
					   __u64 *hash)
{
	__u64 sp = regs->sp, bp = regs->bp, below = sp, window_start = sp, h = mix(0, layout);
	struct frame_record frame;
	__u32 n;

	if (!config.stack_depth) {
		*hash = h;
		return 0;
	}
	if (bpf_probe_read_user(s->window, sizeof(s->window), (void *)sp)) {
		/* Near the end of the stack: word by word, the window counts as far away. */
		window_start = 0;
		if (bpf_probe_read_user(s->window, sizeof(__u64), (void *)sp)) {
			*hash = h;
			return 0;
		}
	}
	frames[0] = here ? here : s->window[0];
	h = mix(h, frames[0]);
	for (n = 1; n < STACK_DEPTH_MAX; n++) {
		if (n >= config.stack_depth || bp <= below || bp - below > FRAME_SPAN_MAX || bp & 7)
			break;
		if (read_frame(s, window_start, bp, &frame) || !is_return_address(s, frame.ret))
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
