// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Span starts and ends become finished spans, paired per thread in the kernel, so that user space
 * gets one record per span and a lost record loses one span, never the pairing of others.
 *
 * Three ways to pair:
 *   - our own macros: by name and thread;
 *   - scoped pairs (start and end fire in one stack frame): by stack pointer. A frame that is
 *     gone without its end (error, exception, longjmp) is recognised when an end or start comes
 *     from above it, and its span is closed as unwound;
 *   - unscoped pairs: by thread and pair; they neither nest nor heal.
 * Whether a pair is scoped is learned from its own ends; until the first, user space's hint
 * (both probes in one function) stands.
 */
#include "args.bpf.h"
#include "span_stack.bpf.h"

#define SEED 0x5bd1e9955bd1e995ULL

static __always_inline __u32 unscoped(const struct span_pair *pair)
{
	if (pair->by_name)
		return 0;
	if (pair->agree + pair->differ == 0)
		return !pair->scoped_hint;
	/* A few disagreements among many ends are starts we did not see, not another kind. */
	return pair->differ * 8 > pair->agree;
}

static __always_inline struct span_pair *pair_of(const struct span_site *site)
{
	__u32 index = site->pair;

	return bpf_map_lookup_elem(&span_pairs, &index);
}

/* The name given by the program: text into the name map, its hash as the answer; 0 = unknown. */
GLOBAL __u64 name_of(struct span_thread *t, struct span_site *site)
{
	__u64 hash = SEED, *word;
	__u32 len;

	if (!t || !site)
		return 0;
	word = (__u64 *)t->name.text;
	for (int i = 0; i < NAME_MAX_LEN / 8; i++)
		word[i] = 0;
	len = read_text(t->name.text, NAME_MAX_LEN, fetch_arg(&t->regs, &site->name));
	if (!len) {
		count(COUNTER_SPAN_NAME_FAULTS, 1);
		return 0;
	}
	for (int i = 0; i < NAME_MAX_LEN / 8; i++) {
		hash = (hash ^ word[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 31;
	}
	if (!hash)
		hash = 1;
	if (!bpf_map_lookup_elem(&span_names, &hash)) {
		/* Linux 6.1 takes no value from memory that is a function's argument. */
		struct span_name copy = t->name;

		if (bpf_map_update_elem(&span_names, &hash, &copy, BPF_ANY))
			count(COUNTER_SPAN_NAMES_FULL, 1);
	}
	return hash;
}

/* Our own header passes nothing but text; others may point anywhere. */
static __always_inline int is_text(const struct span_site *site, const char *s, __u32 len)
{
	return site->named ? len > 1 : looks_like_text(s, len);
}

struct context {
	char bytes[CONTEXT_LEN];
};

/*
 * The site's string arguments, one after the other, into `to`; returns how many bytes are used.
 * An argument that never was text is soon left alone.
 */
GLOBAL __u32 read_context(struct span_thread *t, struct span_site *site, struct context *to)
{
	__u32 used = 0;

	if (!t || !site || !to)
		return 0;
	for (int i = 0; i < SPAN_STRINGS_MAX; i++) {
		__u32 len, room = CONTEXT_LEN;

		barrier_var(used); /* Linux 6.1 loses its range on the way through the stack */
		if (i >= site->strings || used > CONTEXT_LEN * 3 / 4)
			break;
		/* The first of several leaves room for another; all bounds are constants. */
		if (i)
			room = CONTEXT_LEN / 4;
		else if (site->strings > 1)
			room = CONTEXT_LEN * 3 / 4;
		if (site->text_missed[i] >= 16 && !site->text_seen[i])
			continue;
		len = read_text(to->bytes + used, room, fetch_arg(&t->regs, &site->string[i]));
		if (len > room || !is_text(site, to->bytes + used, len)) {
			site->text_missed[i]++;
			continue;
		}
		site->text_seen[i]++;
		used += len;
	}
	return used;
}

/* Fills a fresh entry; depth and parent are the caller's. */
GLOBAL int begin(struct span_thread *t, struct open_span *span, struct span_site *site, __u64 sp,
		 __u64 name)
{
	struct span_record *r;
	__u64 ids = bpf_get_current_pid_tgid();

	if (!t || !span || !site)
		return 0;
	r = &span->record;
	span->sp = sp;
	span->start_rss = rss_bytes(bpf_get_current_task_btf());
	r->type = RECORD_SPAN;
	r->tgid = ids >> 32;
	r->tid = ids;
	r->flags = site->named ? SPAN_FLAG_NAMED : 0;
	r->depth = 0;
	r->id = (ids << 32) | (__u32)++t->serial;
	r->parent = 0;
	r->child_ns = 0;
	r->name_hash = name;
	r->pair = site->pair;
	/* Our own start probe has no strings beyond the name. */
	r->context_len = site->named ? 0 : read_context(t, site, (struct context *)r->context);
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	r->start_ns = bpf_ktime_get_ns();
	return 0;
}

GLOBAL int begin_unscoped(struct span_thread *t, struct span_site *site, __u64 sp)
{
	if (!t || !site)
		return 0;
	for (__u32 i = 0; i < SPAN_UNSCOPED_MAX; i++) {
		if (t->unscoped_used & (1U << i))
			continue;
		t->unscoped_used |= 1U << i;
		begin(t, &t->unscoped[i], site, sp, 0);
		t->unscoped[i].record.flags = SPAN_FLAG_UNSCOPED;
		return 0;
	}
	count(COUNTER_SPAN_TOO_DEEP, 1);
	return 0;
}

GLOBAL int on_start(struct span_thread *t, struct span_site *site, __u64 sp)
{
	struct span_pair *pair;
	struct open_span *span, *parent;
	__u64 name = 0;

	if (!t || !site)
		return 0;
	pair = pair_of(site);
	if (!pair)
		return 0;
	count(COUNTER_SPAN_STARTS, 1);
	if (unscoped(pair)) {
		/* It nests in nothing, but where it fires, the frames below are gone. */
		leave_frames(t, site->pair, sp);
		begin_unscoped(t, site, sp);
		return 0;
	}
	if (site->named)
		name = name_of(t, site);
	else
		leave_frames(t, site->pair, sp);
	span = t->overflow ? NULL : open_at(t, t->depth);
	if (!span) {
		t->overflow++;
		count(COUNTER_SPAN_TOO_DEEP, 1);
		return 0;
	}
	begin(t, span, site, sp, name);
	span->record.depth = t->depth;
	parent = t->depth ? open_at(t, t->depth - 1) : NULL;
	if (parent)
		span->record.parent = parent->record.id;
	t->depth++;
	return 0;
}

/* The end's own string arguments count only where the start had none. */
GLOBAL int complete_context(struct span_thread *t, struct open_span *span, struct span_site *site)
{
	if (!t || !span || !site)
		return 0;
	if (!span->record.context_len && site->strings)
		span->record.context_len =
			read_context(t, site, (struct context *)span->record.context);
	return 0;
}

/* 1 if an open unscoped span of this pair was ended: the newest. */
GLOBAL int end_unscoped(struct span_thread *t, struct span_site *site, struct span_pair *pair,
			__u64 sp, __u64 now)
{
	struct open_span *newest = NULL;
	__u32 bit = 0;

	if (!t || !site || !pair)
		return 0;
	for (__u32 i = 0; i < SPAN_UNSCOPED_MAX; i++) {
		struct open_span *span = &t->unscoped[i];

		if ((t->unscoped_used & (1U << i)) && span->record.pair == site->pair &&
		    (!newest || span->record.start_ns > newest->record.start_ns)) {
			newest = span;
			bit = 1U << i;
		}
	}
	if (!newest)
		return 0;
	t->unscoped_used &= ~bit;
	if (newest->sp == sp)
		pair->agree++;
	else
		pair->differ++;
	complete_context(t, newest, site);
	count(COUNTER_SPAN_ENDS, 1);
	send_span(newest, now, SPAN_OK);
	return 1;
}

/* 0: not the start of this end; 1: of this pair, but from another frame; 2: it is. */
GLOBAL __u32 match_start(struct open_span *span, struct span_site *site, __u64 name, __u64 sp)
{
	if (!span || !site)
		return 0;
	if (span->record.pair != site->pair || span->record.name_hash != name ||
	    span->record.flags & SPAN_FLAG_SENT)
		return 0;
	return site->named || span->sp == sp ? 2 : 1;
}

/*
 * Index + 1 of the innermost open span that matches `strictly` (2) or at least by its pair (1);
 * 0 if none does.
 */
GLOBAL __u32 find_start(struct span_thread *t, struct span_site *site, __u64 name, __u64 sp,
			__u32 wanted)
{
	if (!t || !site)
		return 0;
	for (__u32 n = 0; n < SPAN_DEPTH_MAX; n++) {
		if (n >= t->depth)
			break;
		if (match_start(open_at(t, t->depth - 1 - n), site, name, sp) >= wanted)
			return t->depth - n;
	}
	return 0;
}

/* 0 if the end does not fit the start: an end whose start was not seen. Learns the pair's kind. */
static __always_inline int judge_pair(struct open_span *span, struct span_pair *pair, __u64 sp)
{
	if (span->sp == sp) {
		__sync_fetch_and_add(&pair->agree, 1);
		return 1;
	}
	if (!unscoped(pair) && pair->agree)
		return 0;
	__sync_fetch_and_add(&pair->differ, 1);
	span->record.flags |= SPAN_FLAG_UNSCOPED;
	span->record.parent = 0;
	span->record.depth = 0;
	return 1;
}

GLOBAL int on_end(struct span_thread *t, struct span_site *site, __u64 sp)
{
	__u64 now = bpf_ktime_get_ns(), name = 0;
	struct span_pair *pair;
	struct open_span *span;
	__u32 found;

	if (!t || !site)
		return 0;
	pair = pair_of(site);
	if (!pair)
		return 0;
	if (!site->named)
		forget_overflow(t, site->pair, sp);
	if (t->overflow && !unscoped(pair)) {
		t->overflow--;
		return 0;
	}
	if (site->named)
		name = name_of(t, site);
	found = find_start(t, site, name, sp, 2);
	if (!found)
		found = find_start(t, site, name, sp, 1);
	span = found ? open_at(t, found - 1) : NULL;
	if (!span) {
		if (site->named || !end_unscoped(t, site, pair, sp, now))
			count(COUNTER_SPAN_ORPHAN_ENDS, 1);
		else
			leave_frames(t, site->pair, sp);
		return 0;
	}
	if (!site->named && !judge_pair(span, pair, sp)) {
		count(COUNTER_SPAN_ORPHAN_ENDS, 1);
		return 0;
	}
	complete_context(t, span, site);
	if (!(span->record.flags & SPAN_FLAG_UNSCOPED))
		close_above(t, found, sp, now, sp);
	if (t->depth == found)
		pop(t, now, SPAN_OK);
	else
		end_below(t, found, now);
	return 0;
}

/* A checkpoint or event of our own header. */
GLOBAL int on_mark(struct span_thread *t, struct span_site *site)
{
	__u64 ids = bpf_get_current_pid_tgid();
	struct mark_record *m;
	struct open_span *top;
	__u32 len;

	if (!t || !site)
		return 0;
	m = &t->mark;
	m->type = RECORD_MARK;
	m->tgid = ids >> 32;
	m->tid = ids;
	m->kind = site->role == SITE_CHECKPOINT ? MARK_CHECKPOINT : MARK_EVENT;
	m->time_ns = bpf_ktime_get_ns();
	top = t->depth ? open_at(t, t->depth - 1) : NULL;
	m->parent = top ? top->record.id : 0;
	m->rss_bytes = rss_bytes(bpf_get_current_task_btf());
	m->name_hash = name_of(t, site);
	bpf_get_current_comm(m->comm, sizeof(m->comm));
	len = read_context(t, site, (struct context *)m->context);
	if (len > CONTEXT_LEN)
		len = CONTEXT_LEN;
	m->context_len = len;
	count(COUNTER_MARKS, 1);
	if (bpf_ringbuf_output(&ring, m, RECORD_HEAD_LEN(struct mark_record) + len, ring_flags()))
		count(COUNTER_RING_MARKS_LOST, 1);
	return 0;
}

/*
 * Attached by uprobe_multi; the cookie is the index into span_sites. Sleepable: a name or context
 * may lie in a page that nobody has touched yet.
 */
SEC("uprobe.s")
int span_probe(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 index = bpf_get_attach_cookie(ctx);
	struct target *target;
	struct span_site *site;
	struct span_thread *t;
	__u64 sp = PT_REGS_SP(ctx);

	target = find_target(task->tgid);
	if (!gate || !target || !target->spans_ready)
		return 0;
	site = bpf_map_lookup_elem(&span_sites, &index);
	if (!site)
		return 0;
	count(COUNTER_PROBE_HITS, 1);
	t = bpf_task_storage_get(&span_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t) {
		count(COUNTER_SPAN_NO_STATE, 1);
		return 0;
	}
	bpf_probe_read_kernel(&t->regs, PROBE_REGS_BYTES, ctx);
	switch (site->role) {
	case SITE_START:
		on_start(t, site, sp);
		break;
	case SITE_END:
		on_end(t, site, sp);
		break;
	default:
		on_mark(t, site);
	}
	return 0;
}
