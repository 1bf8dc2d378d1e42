// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The walk up a stack. Most frames belong to code whose frame's size is known at every address: a
 * remembered rule, two words of a copied stack, and on. What is rare is in functions of its own.
 *
 * The layout of signal frames is the kernel's (arch/x86/include/asm/sigframe.h, struct rt_sigframe;
 * uapi/asm/sigcontext.h), the register numbers are those of the System V ABI, x86-64, figure 3.36.
 */
#include <asm-generic/errno-base.h>

#include "life.bpf.h"
#include "stack_window.bpf.h"
#include "unwind.bpf.h"
#include "unwind_rules.bpf.h"

#define FRAME_SPAN_MAX (1 << 20) /* a frame larger than this is taken for a stray rbp */
#define HOOKED_MAX     64 /* calls of a thread whose return is hooked, at most: the kernel's */
#define STRAY_RBP      1  /* in place of one that is not known: nothing lies there */

/* What a step answers, beside why there is none. */
#define UNWIND_ON UNWIND_STOPS

/* In place of `here`: of a frame that is not the innermost one. */
#define UNWIND_CALLER ~0ULL

/* ---- the layout ---- */

GLOBAL int unwind_look_at_layout(struct stack_scratch *s, __u64 layout)
{
	const struct unwind_layout *found;
	__u64 key = layout;

	if (!s)
		return 0;
	s->layout = layout;
	s->seed = 0;
	s->n = 0;
	s->seen = layouts_changed; /* before looking: a change from now on is seen the next time */
	barrier();
	found = bpf_map_lookup_elem(&unwind_layouts, &key);
	if (!found)
		return 0;
	s->first = found->first;
	s->n = found->n;
	/* The seed of a layout that is just being replaced must not meet the other's mappings. */
	s->seed = mix(found->seed, (__u64)s->first << 32 | s->n);
	return 0;
}

/* ---- reading ---- */

static __always_inline int copy_window(struct stack_scratch *s, __u64 start)
{
	s->window_at = start;
	return bpf_probe_read_user(s->window, sizeof(s->window), (void *)start);
}

/*
 * Near the upper end of the stack's mapping a copy has to end with it. One that fails costs as much
 * as ten others, so the end is remembered.
 */
static __always_inline int move_window(struct stack_scratch *s, __u64 address)
{
	__u64 start = address - STACK_WINDOW_BELOW;

	if (address >= s->window_end)
		s->window_end = ~0ULL;
	if (start > s->window_end - STACK_WINDOW)
		start = s->window_end - STACK_WINDOW;
	if (!copy_window(s, start))
		return 0;
	s->window_end = (address | (STACK_WINDOW - 1)) + 1;
	return copy_window(s, s->window_end - STACK_WINDOW);
}

GLOBAL int read_outside(struct stack_scratch *s, __u64 address)
{
	if (!s)
		return -EFAULT;
	/* Compilers keep stacks aligned; assembly need not. */
	if (address & 7)
		return bpf_probe_read_user(&s->word, sizeof(s->word), (void *)address);
	if (move_window(s, address)) {
		s->window_at = 0;
		return -EFAULT;
	}
	s->word = s->window[(address - s->window_at) / 8 & (STACK_WINDOW / 8 - 1)];
	return 0;
}

/*
 * Where registers are: 5 bits for each of the first eight of DWARF (rax rdx rcx rbx rsi rdi rbp
 * rsp), as words of struct pt_regs and of a ucontext.
 */
#define EIGHT(a, b, c, d, e, f, g, h)                                            \
	((a) | (b) << 5 | (c) << 10 | (d) << 15 | (e) << 20 | (__u64)(f) << 25 | \
	 (__u64)(g) << 30 | (__u64)(h) << 35)
#define PT_REGS_WORDS  EIGHT(10, 12, 11, 5, 13, 14, 4, 19)
#define UCONTEXT_WORDS EIGHT(18, 17, 19, 16, 14, 13, 15, 20)

static __always_inline __u64 word_of_pt_regs(__u32 n)
{
	__u64 high = n < 12 ? 17 - n : 15 - n; /* r8-r11, r12-r15 */

	return n < 8 ? PT_REGS_WORDS >> n * 5 & 31 : high;
}

static __always_inline __u64 word_of_ucontext(__u32 n)
{
	return n < 8 ? UCONTEXT_WORDS >> n * 5 & 31 : n - 3;
}

/*
 * A register by DWARF's number, of a frame that was interrupted: it is in the probe's registers or
 * in the signal's ucontext.
 */
static __always_inline int read_interrupted(struct stack_scratch *s, __u32 n, __u64 *value)
{
	n &= 15;
	if (s->registers)
		return bpf_probe_read_kernel(value, sizeof(*value),
					     (void *)(s->registers + word_of_pt_regs(n) * 8));
	if (s->signal_at && s->signal_sp == s->sp)
		return read_stack(s, s->signal_at + word_of_ucontext(n) * 8, value);
	return -ENOENT;
}

/* ---- rules ---- */

/* Does a call end at `ret`? Looking costs as much as many frames: it is remembered, too. */
static __always_inline int is_return_address(struct stack_scratch *s, struct unwind_cache *cache,
					     __u64 ret)
{
	__u64 key = unwind_key(~s->seed, ret), is_call;

	if (!recall(cache, key, &is_call))
		return is_call;
	is_call = is_call_before(ret);
	remember(cache, key, is_call);
	return is_call;
}

/* The rule for `address`, which is not remembered yet; if it may be, it is from now on. */
GLOBAL __u64 unwind_look_up(struct stack_scratch *s, __u64 address, __u32 flags)
{
	struct unwind_cache *cache = the_cache();
	__u64 rule;
	__u32 cfa;

	if (!s || !cache)
		return UNWIND_UNMAPPED;
	if (!s->n)
		return UNWIND_BY_RBP(UNWIND_NONE);
	rule = find_rule(s, address);
	cfa = UNWIND_CFA_OF(rule);
	if (cfa == UNWIND_UNMAPPED)
		return rule;
	if (cfa == UNWIND_NONE || cfa == UNWIND_CHAIN) {
		/* Of a place that was interrupted nothing is known but that it is code. */
		if (flags & UNWIND_EXACT)
			return UNWIND_BY_RBP(UNWIND_NONE);
		if (is_signal_return(address + 1))
			rule = UNWIND_PACK(UNWIND_SIGNAL, UNWIND_RBP_SAME, 0, 0);
		else if (cfa == UNWIND_CHAIN && !is_call_before(address + 1))
			return UNWIND_BY_RBP(UNWIND_NONE);
	}
	remember(cache, unwind_key(s->seed, address), rule);
	return rule;
}

static __always_inline __u64 rule_of(struct stack_scratch *s, struct unwind_cache *cache,
				     __u64 address, __u32 flags)
{
	__u64 rule;

	if (!recall(cache, unwind_key(s->seed, address), &rule))
		return rule;
	return unwind_look_up(s, address, flags);
}

/* ---- steps ---- */

/* Is there a frame record at rbp? Says why not, else UNWIND_ON. */
static __always_inline int check_chain(__u64 sp, __u64 bp)
{
	if (!bp) /* so the ABI marks the outermost frame */
		return UNWIND_STOP_END;
	return bp & 7 || bp - sp > FRAME_SPAN_MAX ? UNWIND_STOP_NO_RULE : UNWIND_ON;
}

/* On to the caller, whose frame ends at `cfa`: UNWIND_ON, or why there is none. */
static __always_inline int leave_frame(struct stack_scratch *s, __u64 rule, __u64 cfa)
{
	__u32 saved = UNWIND_RBP_OF(rule);

	if (cfa <= s->sp || read_stack(s, cfa - 8, &s->frame))
		return UNWIND_STOP_READ_FAULT;
	if (saved == UNWIND_RBP_AT_CFA || saved == UNWIND_RBP_AT_RBP) {
		__u64 from = saved == UNWIND_RBP_AT_CFA ? cfa : s->bp;

		if (read_stack(s, from + UNWIND_RBP_OFFSET_OF(rule), &s->bp))
			return UNWIND_STOP_READ_FAULT;
	} else if (saved != UNWIND_RBP_SAME) {
		s->bp = STRAY_RBP;
	}
	s->sp = cfa;
	return s->frame ? UNWIND_ON : UNWIND_STOP_END;
}

/*
 * The kernel makes functions return to a page of its own when somebody wants to know of that (our
 * own probes of returns, too), and keeps the real return address: that of the call whose return
 * address lies right below s->sp. Calls that return there are listed innermost first, also those
 * left without returning.
 */
static __always_inline int find_hooked_return(struct stack_scratch *s)
{
	struct uprobe_task *probes = bpf_get_current_task_btf()->utask;
	struct return_instance *call;

	if (!probes)
		return 0;
	call = BPF_CORE_READ(probes, return_instances);
	for (int i = 0; i < HOOKED_MAX && call; i++) {
		if (BPF_CORE_READ(call, stack) == s->sp - 8) {
			s->frame = BPF_CORE_READ(call, orig_ret_vaddr);
			return 1;
		}
		call = BPF_CORE_READ(call, next);
	}
	return 0;
}

/* Out of a signal handler: everything is as it was at the place that was interrupted. */
static __always_inline int leave_signal(struct stack_scratch *s)
{
	__u64 at = s->sp, ip;

	if (read_stack(s, at + 120, &s->bp) || read_stack(s, at + 160, &s->signal_sp) ||
	    read_stack(s, at + 168, &ip))
		return UNWIND_STOP_READ_FAULT;
	s->signal_at = at;
	s->sp = s->signal_sp; /* on another stack, perhaps: anywhere */
	s->frame = ip + 1;
	s->flags = UNWIND_EXACT;
	return UNWIND_ON;
}

/* The CFA by a rule of any kind but those that have none. */
static __always_inline int find_cfa(struct stack_scratch *s, __u64 rule, __u64 *cfa)
{
	__s64 offset = UNWIND_OFFSET_OF(rule);
	__u32 kind = UNWIND_CFA_OF(rule);

	switch (kind) {
	case UNWIND_RSP:
		*cfa = s->sp + offset;
		return 0;
	case UNWIND_RBP:
	case UNWIND_NONE:
	case UNWIND_CHAIN:
		*cfa = s->bp + offset;
		return 0;
	case UNWIND_DEREF_RSP:
	case UNWIND_DEREF_RBP:
		if (read_stack(s,
			       (kind == UNWIND_DEREF_RSP ? s->sp : s->bp) +
				       UNWIND_DEREF_OFFSET(offset),
			       cfa))
			return -EFAULT;
		*cfa += UNWIND_DEREF_ADD(offset);
		return 0;
	case UNWIND_PLT:
		*cfa = s->sp + (((s->frame - 1) & 15) >= (__u64)offset ? 16 : 8);
		return 0;
	default: /* UNWIND_REGISTER */
		if (read_interrupted(s, offset & 15, cfa))
			return -ENOENT;
		*cfa += offset >> 4;
		return 0;
	}
}

/* One step by a rule of any kind: s->frame, sp and bp become the caller's. */
static __always_inline int step(struct stack_scratch *s, __u64 rule)
{
	__u32 kind = UNWIND_CFA_OF(rule);
	__u64 cfa;
	int err;

	if (kind == UNWIND_END)
		return UNWIND_STOP_END;
	if (kind == UNWIND_UNMAPPED)
		return UNWIND_STOP_NO_MAPPING;
	if (kind == UNWIND_SIGNAL)
		return leave_signal(s);
	s->flags = 0;
	if (kind == UNWIND_NONE || kind == UNWIND_CHAIN) {
		int stop = check_chain(s->sp, s->bp);

		if (stop != UNWIND_ON)
			return stop;
		s->flags = UNWIND_BY_CHAIN;
	}
	err = find_cfa(s, rule, &cfa);
	if (err)
		return err == -EFAULT ? UNWIND_STOP_READ_FAULT : UNWIND_STOP_NO_RULE;
	return leave_frame(s, rule, cfa);
}

/* The rule for the innermost frame, where the probe or the sample is. */
static __always_inline __u64 innermost_rule(struct stack_scratch *s, struct unwind_cache *cache,
					    __u64 here)
{
	__u64 rule = rule_of(s, cache, s->frame - 1, UNWIND_EXACT);
	__u32 kind = UNWIND_CFA_OF(rule), bytes;

	/* A function's entry needs no table. */
	if (!here && (kind == UNWIND_NONE || kind == UNWIND_UNMAPPED))
		return UNWIND_AT_ENTRY;
	if (here && kind == UNWIND_NONE) {
		bytes = bytes_without_frame(s->frame - 1);
		if (bytes)
			return UNWIND_PACK(UNWIND_RSP, UNWIND_RBP_SAME, 0, bytes);
	}
	return rule;
}

/*
 * One frame of any kind, recorded and left: UNWIND_ON, or why the stack ends with it. `here` is
 * that of capture_stack() for the innermost frame, else UNWIND_CALLER.
 */
GLOBAL int unwind_frame(struct stack_scratch *s, struct stack_frames *frames, __u64 here)
{
	struct unwind_cache *cache = the_cache();
	__u64 rule, frame;
	__u32 kind;
	int stop;

	if (!s || !frames || !cache)
		return UNWIND_STOP_READ_FAULT;
	if (s->depth >= STACK_DEPTH_MAX)
		return UNWIND_STOP_DEPTH;
	if (here == UNWIND_CALLER) {
		rule = rule_of(s, cache, s->frame - 1, s->flags);
		if (UNWIND_CFA_OF(rule) == UNWIND_UNMAPPED && find_hooked_return(s))
			rule = rule_of(s, cache, s->frame - 1, s->flags);
		frame = s->frame;
		kind = UNWIND_CFA_OF(rule);
		if (s->flags & UNWIND_BY_CHAIN && kind != UNWIND_CHAIN && kind != UNWIND_SIGNAL &&
		    !is_return_address(s, cache, frame))
			return UNWIND_STOP_NO_RULE;
	} else {
		rule = innermost_rule(s, cache, here);
		frame = here;
	}
	stop = step(s, rule);
	s->registers = 0;
	if (frame) {
		frames->frame[s->depth++ & (STACK_DEPTH_MAX - 1)] = frame;
		s->hash = mix(s->hash, frame);
	}
	return stop;
}

/* The word at that offset in the window; *odd becomes not 0 if there is none. */
static __always_inline __u64 window_word(const struct stack_scratch *s, __u64 offset, __u64 *odd)
{
	*odd |= offset & ~(__u64)STACK_WINDOW_WORDS;
	barrier_var(offset);
	return s->window[(offset & STACK_WINDOW_WORDS) / 8];
}

/* The loop below computes with these numbers instead of branching. */
_Static_assert(UNWIND_RSP == 2 && UNWIND_RBP == 3 && UNWIND_CHAIN == 9 && UNWIND_BY_CHAIN == 1 &&
		       UNWIND_RBP_SAME == 0 && UNWIND_RBP_AT_CFA == 1,
	       "bits tell kinds apart");
/* The verifier goes through every round; few stacks are deeper. */
#define ORDINARY_AT_ONCE 48

#define ORDINARY_KINDS (1ULL << UNWIND_RSP | 1ULL << UNWIND_RBP)

/*
 * As many frames as are ordinary: the rule is remembered, the words are in the window. Everything
 * else is left to unwind_frame(). No function is called here, which leaves the registers to the
 * loop.
 */
GLOBAL int unwind_ordinary(struct stack_scratch *s, struct stack_frames *frames)
{
	struct unwind_cache *cache = the_cache();
	__u64 sp, bp, frame, hash, window_at, seed, n, depth, flags;

	if (!s || !frames || !cache || !s->n)
		return 0;
	sp = s->sp;
	bp = s->bp;
	frame = s->frame;
	hash = s->hash;
	flags = s->flags;
	window_at = s->window_at;
	seed = s->seed;
	depth = config.stack_depth;
	n = s->depth;
	for (__u32 i = 0; i < ORDINARY_AT_ONCE; i++) {
		__u64 key = unwind_key(seed, frame - 1), rule, cfa, at, saved, next, odd;

		if (n >= depth || n >= STACK_DEPTH_MAX)
			break;
		odd = recall(cache, key, &rule);
		if (UNWIND_CFA_OF(rule) == UNWIND_CHAIN) {
			/* Known before the rule is: what comes next need not wait for it. */
			cfa = bp + 16;
			saved = window_word(s, cfa - 16 - window_at, &odd);
		} else {
			odd |= flags | !(ORDINARY_KINDS >> (rule & 63) & 1) |
			       (UNWIND_RBP_OF(rule) & ~1);
			at = -(rule & 1); /* of UNWIND_RBP, not of UNWIND_RSP */
			barrier_var(at);
			cfa = sp + ((bp - sp) & at) + UNWIND_OFFSET_OF(rule);
			at = -(rule >> 8 & 1); /* of UNWIND_RBP_AT_CFA, not of UNWIND_RBP_SAME */
			barrier_var(at);
			saved = window_word(s, (cfa - window_at + UNWIND_RBP_OFFSET_OF(rule)) & at,
					    &odd);
			saved = bp + ((saved - bp) & at);
		}
		next = window_word(s, cfa - 8 - window_at, &odd);
		if (odd || cfa <= sp || !next)
			break;
		at = n++;
		barrier_var(at);
		frames->frame[at & (STACK_DEPTH_MAX - 1)] = frame;
		hash = mix(hash, frame);
		flags = rule >> 3 & 1;
		sp = cfa;
		bp = saved;
		frame = next;
	}
	s->sp = sp;
	s->bp = bp;
	s->frame = frame;
	s->hash = hash;
	s->flags = flags;
	s->depth = n;
	return 0;
}

GLOBAL int unwind_walk(struct stack_scratch *s, struct stack_frames *frames, __u64 here)
{
	int stop;

	if (!s || !frames)
		return 0;
	s->hash = mix(0, s->layout);
	s->stop = UNWIND_STOP_DEPTH;
	s->flags = UNWIND_EXACT;
	s->depth = 0;
	s->signal_at = 0;
	s->window_at = 0;
	stop = unwind_frame(s, frames, here);
	for (__u32 i = 0; i < STACK_DEPTH_MAX && stop == UNWIND_ON; i++) {
		unwind_ordinary(s, frames);
		stop = s->depth < config.stack_depth ? unwind_frame(s, frames, UNWIND_CALLER)
						     : UNWIND_STOP_DEPTH;
	}
	s->stop = stop == UNWIND_ON ? UNWIND_STOP_DEPTH : stop;
	return s->depth;
}

/* ---- asking for tables ---- */

#define ASK_FIRST_NS 20000000ULL
#define ASK_LAST_NS  (64 * ASK_FIRST_NS)

/* Asking again without an answer waits longer: there are addresses that nobody can explain. */
GLOBAL int unwind_ask(__u64 layout)
{
	__u64 now = bpf_ktime_get_ns(), wait;
	struct unwind_asked *last;
	__u32 key = layout & 63;

	last = bpf_map_lookup_elem(&unwind_asks, &key);
	if (!last)
		return 0;
	wait = last->seen == layouts_changed ? last->wait_ns : 0;
	if (now - last->ns < (wait ? wait : ASK_FIRST_NS))
		return 0;
	last->seen = layouts_changed;
	last->ns = now;
	last->wait_ns = !wait ? ASK_FIRST_NS : wait < ASK_LAST_NS ? 2 * wait : wait;
	tell(LIFE_CODE, current_tgid(), 0, 0);
	return 0;
}
