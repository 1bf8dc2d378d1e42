// SPDX-License-Identifier: BSD-2-Clause
/*
 * Functions as spans in bpf/function.bpf.c, compiled as host C (bpfhost/host.h): alone, in each of
 * the three ways to see them end, and among the spans of bpf/span.bpf.c on the same thread.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "bpfhost/host.h"
#include "args.bpf.c"
#include "span_stack.bpf.c"
#include "span.bpf.c"
#include "function.bpf.c"
#include "life.bpf.c"

#define PID	 4000
#define DATA	 0x600000ULL /* names of the target */
#define STACK	 0x7ffe00000000ULL
#define UPTIME	 1000000000000ULL /* of the machine, when a test begins */
#define SPAN_LEN RECORD_HEAD_LEN(struct span_record)
/* rsp at the entry of functions, outer ones first: the stack grows down. */
#define SP(depth) (STACK + 0x100000 - 0x100 * (__u64)(depth))

/* Pairs of functions, of a USDT provider, and of our own macros. */
enum pair {
	PAIR_OWN,
	OUTER,
	INNER,
	LEAF,
	PAIR_QUERY, /* scoped */
	PAIR_TX,    /* not scoped */
	PAIRS,
};

/* Sites: of each pair the start is even and the end behind it. */
#define START_OF(pair) (2 * (pair))
#define END_OF(pair)   (2 * (pair) + 1)
enum {
	CONDITIONAL = 2 * PAIRS, /* an exit of LEAF that is taken or not */
	MOVED,			 /* an entry of LEAF behind `sub $0x38,%rsp` */
	SITES,
};

static struct task_struct task, second_task, stranger;
static struct mm_struct mm;
static struct signal_struct life;
static struct pt_regs regs;

static struct span_site *site_at(__u32 i)
{
	return bpf_map_lookup_elem(&span_sites, &i);
}

static void define_site(__u32 i, __u32 pair, enum site_role role)
{
	static const struct arg_spec rdi = {.kind = ARG_REG, .size = 8, .reg_offset = 14 * 8};
	struct span_site *site = site_at(i);

	assert_non_null(site);
	site->pair = pair;
	site->role = role;
	site->flags = SPAN_FLAG_BARE;
	site->named = pair == PAIR_OWN;
	site->name = rdi;
}

static void make_task(struct task_struct *t, int tgid, int tid, const char *comm)
{
	memset(t, 0, sizeof(*t));
	t->tgid = tgid;
	t->pid = tid;
	t->mm = &mm;
	t->signal = &life;
	strcpy(t->comm, comm);
}

static void make_target(__u32 pid, __u32 ready)
{
	const struct target target = {.space = 1, .layout = 1, .spans_ready = ready};

	assert_int_equal(bpf_map_update_elem(&targets, &pid, &target, BPF_ANY), 0);
}

static int set_up(void **state)
{
	__u32 query = PAIR_QUERY, own = PAIR_OWN;

	host__reset();
	memory__map(DATA, 0x1000);
	memset(&mm, 0, sizeof(mm));
	memset(&life, 0, sizeof(life));
	memset(&regs, 0, sizeof(regs));
	mm.rss_stat[1].count = 100;
	make_task(&task, PID, PID, "server");
	make_task(&second_task, PID, PID + 1, "worker");
	make_task(&stranger, 1, 1, "init");
	host.task = &task;
	host.now = UPTIME;
	host_config = (struct config){.page_size = 4096, .wakeup_bytes = 1 << 20, .self = 77};
	gate = 1;
	make_target(PID, 1);
	MAP_OF(&span_sites)->capacity = SITES;
	MAP_OF(&span_pairs)->capacity = PAIRS;
	((struct span_pair *)bpf_map_lookup_elem(&span_pairs, &own))->by_name = 1;
	((struct span_pair *)bpf_map_lookup_elem(&span_pairs, &query))->scoped_hint = 1;
	for (__u32 pair = 0; pair < PAIRS; pair++) {
		define_site(START_OF(pair), pair, SITE_START);
		define_site(END_OF(pair), pair, SITE_END);
	}
	define_site(CONDITIONAL, LEAF, SITE_END);
	define_site(MOVED, LEAF, SITE_START);
	site_at(MOVED)->stack_moved = 0x38;
	return 0;
}

static int tear_down(void **state)
{
	memory__check();
	host__reset();
	return 0;
}

/* ---- what the target does ---- */

static int fire(int (*program)(struct pt_regs *), __u64 cookie, __u64 sp)
{
	int answer;

	regs.sp = sp;
	host.cookie = cookie;
	answer = program(&regs);
	host.now++;
	return answer;
}

/* The ways to see a function, from rsp at its entry. `leave`: its end. */
struct way {
	int (*enter)(enum pair pair, __u64 sp);
	void (*leave)(enum pair pair, __u64 sp);
	bool end_is_a_hit; /* and not a part of the entry's */
};

static int session_enter(enum pair pair, __u64 sp)
{
	host.is_return = false;
	return fire(function_session, START_OF(pair), sp);
}

/* The kernel's cookie is that of the entry, and `ret` has popped the return address. */
static void session_leave(enum pair pair, __u64 sp)
{
	host.is_return = true;
	assert_int_equal(fire(function_session, START_OF(pair), sp + 8), 0);
}

static int site_enter(enum pair pair, __u64 sp)
{
	return fire(function_site, START_OF(pair), sp);
}

static void site_leave(enum pair pair, __u64 sp)
{
	assert_int_equal(fire(function_site, END_OF(pair), sp), 0);
}

static void return_leave(enum pair pair, __u64 sp)
{
	assert_int_equal(fire(function_return, START_OF(pair), sp + 8), 0);
}

static struct way by_session = {session_enter, session_leave, false};
static struct way by_sites = {site_enter, site_leave, true};
static struct way by_returns = {site_enter, return_leave, false};

/* The way of the test that runs; sessions where it does not matter. */
static const struct way *way;

static int use_way(void **state)
{
	way = *state;
	return set_up(state);
}

static int use_sessions(void **state)
{
	way = &by_session;
	return set_up(state);
}

static void enter(enum pair pair, __u64 sp)
{
	assert_int_equal(way->enter(pair, sp), 0);
}

static void enter_at(enum pair pair, __u64 sp, __u64 time)
{
	host.now = UPTIME + time;
	enter(pair, sp);
}

static void leave(enum pair pair, __u64 sp)
{
	way->leave(pair, sp);
}

static void leave_at(enum pair pair, __u64 sp, __u64 time)
{
	host.now = UPTIME + time;
	leave(pair, sp);
}

static void usdt_at(__u32 site, __u64 sp, __u64 time)
{
	host.now = UPTIME + time;
	fire(span_probe, site, sp);
}

static void macro_at(__u32 site, const char *name, __u64 sp, __u64 time)
{
	memory__put_text(DATA, name);
	regs.di = DATA;
	usdt_at(site, sp, time);
}

/* ---- what became of it ---- */

static const struct span_record *record(size_t i)
{
	const struct span_record *r = (const void *)host.records[i].bytes;

	assert_true(i < host.n_records && i < HOST_RECORDS_MAX);
	assert_int_equal(r->type, RECORD_SPAN);
	assert_int_equal(host.records[i].len, SPAN_LEN + r->context_len);
	assert_true(r->end_ns >= r->start_ns);
	assert_true(r->child_ns <= r->end_ns - r->start_ns);
	return r;
}

/* Times since the test began. */
static void assert_record(size_t i, enum pair pair, enum span_status status, __u64 start, __u64 end)
{
	const struct span_record *r = record(i);

	if (r->pair != pair || r->status != status || r->start_ns != UPTIME + start ||
	    r->end_ns != UPTIME + end)
		fail_msg("record %zu: pair %u status %u %llu..%llu", i, r->pair, r->status,
			 r->start_ns - UPTIME, r->end_ns - UPTIME);
}

static struct span_thread *thread_of(struct task_struct *t)
{
	return bpf_task_storage_get(&span_threads, t, 0, 0);
}

/* The counter with what the threads have not handed over yet. */
static __u64 counted_in_all(enum counter which)
{
	struct task_struct *all[] = {&task, &second_task};
	__u64 n = counted(which);

	for (size_t i = 0; i < 2; i++) {
		struct span_thread *t = thread_of(all[i]);

		if (t && (which == COUNTER_SPAN_STARTS || which == COUNTER_PROBE_HITS))
			n += t->starts;
		if (t && which == COUNTER_SPAN_ENDS)
			n += t->ends;
	}
	return n;
}

/* Every start is an end, left behind, lost, unfinished or still open (model/ledger.c). */
static void assert_balanced(__u64 open)
{
	__u64 starts = counted_in_all(COUNTER_SPAN_STARTS);
	__u64 ends = counted_in_all(COUNTER_SPAN_ENDS), unwound = counted(COUNTER_SPAN_UNWOUND);
	__u64 deep = counted(COUNTER_SPAN_TOO_DEEP), late = counted(COUNTER_SPAN_UNFINISHED);

	if (starts != ends + unwound + deep + late + open)
		fail_msg("%llu starts, %llu ends, %llu unwound, %llu too deep, %llu unfinished, "
			 "%llu open",
			 starts, ends, unwound, deep, late, open);
	assert_int_equal(ends + unwound + late, host.n_records + counted(COUNTER_RING_SPANS_LOST));
}

/* ---- one function, each way ---- */

static void a_function(void **state)
{
	const struct span_record *r;

	enter_at(OUTER, SP(1), 1000);
	assert_int_equal(host.n_records, 0);
	leave_at(OUTER, SP(1), 6000);
	assert_int_equal(host.n_records, 1);
	assert_record(0, OUTER, SPAN_OK, 1000, 6000);
	r = record(0);
	assert_int_equal(r->tgid, PID);
	assert_int_equal(r->tid, PID);
	assert_string_equal(r->comm, "server");
	assert_int_equal(r->depth, 0);
	assert_int_equal(r->parent, 0);
	assert_int_equal(r->flags, SPAN_FLAG_BARE);
	assert_true(r->id != 0);
	assert_int_equal(r->child_ns, 0);
	assert_int_equal(r->name_hash, 0);
	assert_int_equal(r->context_len, 0);
	assert_int_equal(r->rss_bytes, 0);
	assert_int_equal(r->rss_delta_bytes, 0);
	assert_int_equal(counted_in_all(COUNTER_SPAN_STARTS), 1);
	assert_int_equal(counted_in_all(COUNTER_SPAN_ENDS), 1);
	assert_int_equal(counted_in_all(COUNTER_PROBE_HITS), 1 + way->end_is_a_hit);
	assert_int_equal(memory.reads, 0); /* nothing is read from the target */
	assert_balanced(0);
}

static void nested_functions(void **state)
{
	enter_at(OUTER, SP(1), 100);
	enter_at(INNER, SP(2), 200);
	enter_at(LEAF, SP(3), 300);
	leave_at(LEAF, SP(3), 350);
	leave_at(INNER, SP(2), 400);
	enter_at(LEAF, SP(2), 500); /* where INNER was */
	leave_at(LEAF, SP(2), 600);
	leave_at(OUTER, SP(1), 1000);
	assert_int_equal(host.n_records, 4);
	assert_record(0, LEAF, SPAN_OK, 300, 350);
	assert_record(1, INNER, SPAN_OK, 200, 400);
	assert_record(2, LEAF, SPAN_OK, 500, 600);
	assert_record(3, OUTER, SPAN_OK, 100, 1000);
	assert_int_equal(record(0)->depth, 2);
	assert_int_equal(record(1)->depth, 1);
	assert_int_equal(record(2)->depth, 1);
	assert_int_equal(record(3)->depth, 0);
	assert_int_equal(record(0)->parent, record(1)->id);
	assert_int_equal(record(1)->parent, record(3)->id);
	assert_int_equal(record(2)->parent, record(3)->id);
	/* Direct children only. */
	assert_int_equal(record(1)->child_ns, 50);
	assert_int_equal(record(3)->child_ns, 200 + 100);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			assert_true(record(i)->id != record(j)->id);
	assert_balanced(0);
}

static void recursion(void **state)
{
	for (int i = 0; i < 10; i++)
		enter_at(INNER, SP(i), 100 * i);
	for (int i = 9; i >= 0; i--)
		leave_at(INNER, SP(i), 5000 - i);
	assert_int_equal(host.n_records, 10);
	for (int i = 0; i < 10; i++) {
		int level = 9 - i;

		assert_record(i, INNER, SPAN_OK, 100 * level, 5000 - level);
		assert_int_equal(record(i)->depth, level);
		assert_int_equal(record(i)->parent, level ? record(i + 1)->id : 0);
	}
	assert_balanced(0);
}

/* A frame that an exception or longjmp has taken away, seen by the next call from above it. */
static void left_by_an_exception(void **state)
{
	enter_at(OUTER, SP(1), 100);
	enter_at(INNER, SP(3), 200);
	enter_at(LEAF, SP(5), 300);
	enter_at(LEAF, SP(2), 400); /* the handler is in OUTER */
	assert_int_equal(host.n_records, 2);
	assert_record(0, LEAF, SPAN_WAS_UNWOUND, 300, 400);
	assert_record(1, INNER, SPAN_WAS_UNWOUND, 200, 400);
	leave_at(LEAF, SP(2), 450);
	leave_at(OUTER, SP(1), 500);
	assert_record(2, LEAF, SPAN_OK, 400, 450);
	assert_record(3, OUTER, SPAN_OK, 100, 500);
	assert_int_equal(record(2)->parent, record(3)->id);
	assert_int_equal(record(2)->depth, 1);
	assert_int_equal(record(1)->child_ns, 100);
	assert_int_equal(record(3)->child_ns, 200 + 50);
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), 2);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_balanced(0);
}

/* The same, seen by the end of the function that caught it. */
static void left_and_caught(void **state)
{
	enter_at(OUTER, SP(1), 100);
	enter_at(INNER, SP(3), 200);
	enter_at(LEAF, SP(5), 300);
	leave_at(OUTER, SP(1), 400);
	assert_int_equal(host.n_records, 3);
	assert_record(0, LEAF, SPAN_WAS_UNWOUND, 300, 400);
	assert_record(1, INNER, SPAN_WAS_UNWOUND, 200, 400);
	assert_record(2, OUTER, SPAN_OK, 100, 400);
	assert_int_equal(record(2)->child_ns, 200);
	assert_balanced(0);
}

/* A loop calls again what was left by an exception, from the very same place. */
static void left_and_called_again(void **state)
{
	for (int i = 0; i < 100; i++)
		enter_at(INNER, SP(1), 100 * i);
	leave_at(INNER, SP(1), 20000);
	assert_int_equal(host.n_records, 100);
	for (int i = 0; i < 99; i++) {
		assert_record(i, INNER, SPAN_WAS_UNWOUND, 100 * i, 100 * (i + 1));
		assert_int_equal(record(i)->parent, 0);
		assert_int_equal(record(i)->depth, 0);
	}
	assert_record(99, INNER, SPAN_OK, 9900, 20000);
	assert_balanced(0);
}

/* A recursion of which the innermost frames are gone: the end is that of its own frame. */
static void an_end_from_an_outer_frame(void **state)
{
	for (int i = 1; i <= 4; i++)
		enter_at(INNER, SP(i), 100 * i);
	leave_at(INNER, SP(2), 900);
	assert_int_equal(host.n_records, 3);
	assert_record(0, INNER, SPAN_WAS_UNWOUND, 400, 900);
	assert_record(1, INNER, SPAN_WAS_UNWOUND, 300, 900);
	assert_record(2, INNER, SPAN_OK, 200, 900);
	leave_at(INNER, SP(1), 1000);
	assert_record(3, INNER, SPAN_OK, 100, 1000);
	assert_int_equal(record(3)->child_ns, 700);
	assert_balanced(0);
}

static void ends_without_a_start(void **state)
{
	leave(INNER, SP(1)); /* begun before the attach: the thread is unknown as yet */
	assert_int_equal(host.n_records, 0);
	assert_null(thread_of(&task));
	enter_at(OUTER, SP(2), 100);
	leave(OUTER, SP(1)); /* another call of the same function */
	leave(INNER, SP(2)); /* another function at the same place */
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 2);
	assert_int_equal(host.n_records, 0);
	leave_at(OUTER, SP(2), 200);
	assert_record(0, OUTER, SPAN_OK, 100, 200);
	leave(OUTER, SP(2)); /* nothing is left to end */
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 3);
	assert_int_equal(host.n_records, 1);
	assert_balanced(0);
}

/* A function that jumps on to another: with its return hooked it lasts until that one returns. */
static void tail_calls(void **state)
{
	enter_at(OUTER, SP(1), 100);
	if (way == &by_sites)
		leave_at(OUTER, SP(1), 200); /* the jump is one of its exits */
	enter_at(INNER, SP(1), 200);
	leave_at(INNER, SP(1), 300);
	if (way != &by_sites)
		leave_at(OUTER, SP(1), 300);
	assert_int_equal(host.n_records, 2);
	if (way == &by_sites) {
		assert_record(0, OUTER, SPAN_OK, 100, 200);
		assert_record(1, INNER, SPAN_OK, 200, 300);
		assert_int_equal(record(1)->parent, 0);
	} else {
		assert_record(0, INNER, SPAN_OK, 200, 300);
		assert_record(1, OUTER, SPAN_OK, 100, 300);
		assert_int_equal(record(0)->parent, record(1)->id);
	}
	assert_balanced(0);
}

/* ---- deeper than is kept ---- */

static void too_deep_and_back(void **state)
{
	const int depth = SPAN_DEPTH_MAX + 36;

	for (int i = 0; i < depth; i++)
		enter_at(INNER, SP(i), 100 + i);
	assert_int_equal(counted(COUNTER_SPAN_TOO_DEEP), 36);
	assert_balanced(SPAN_DEPTH_MAX);
	for (int i = depth - 1; i >= 0; i--)
		leave_at(INNER, SP(i), 9000 - i);
	assert_int_equal(host.n_records, SPAN_DEPTH_MAX);
	for (int i = 0; i < SPAN_DEPTH_MAX; i++) {
		int level = SPAN_DEPTH_MAX - 1 - i;

		assert_record(i, INNER, SPAN_OK, 100 + level, 9000 - level);
		assert_int_equal(record(i)->depth, level);
	}
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_balanced(0);
	/* And nothing of it remains. */
	enter_at(OUTER, SP(50), 10000);
	leave_at(OUTER, SP(50), 10001);
	assert_record(SPAN_DEPTH_MAX, OUTER, SPAN_OK, 10000, 10001);
	assert_int_equal(record(SPAN_DEPTH_MAX)->depth, 0);
	assert_balanced(0);
}

/* Beyond 64 hooked returns of a thread the kernel hooks no more: those ends never come. */
static void too_deep_without_ends(void **state)
{
	for (int round = 0; round < 3; round++) {
		size_t before = host.n_records;

		for (int i = 0; i < SPAN_DEPTH_MAX + 10; i++)
			enter(INNER, SP(i));
		for (int i = SPAN_DEPTH_MAX - 1; i >= 0; i--)
			leave(INNER, SP(i));
		assert_int_equal(host.n_records - before, SPAN_DEPTH_MAX);
		for (size_t i = before; i < host.n_records; i++)
			assert_int_equal(record(i)->status, SPAN_OK);
		assert_balanced(0);
	}
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_int_equal(counted(COUNTER_SPAN_TOO_DEEP), 30);
}

/* The same recursion goes up and down at its deepest: only what was kept is told. */
static void too_deep_to_and_fro(void **state)
{
	for (int i = 0; i < SPAN_DEPTH_MAX + 4; i++)
		enter(INNER, SP(i));
	for (int n = 0; n < 20; n++) {
		for (int i = SPAN_DEPTH_MAX + 3; i > SPAN_DEPTH_MAX; i--)
			leave(INNER, SP(i));
		for (int i = SPAN_DEPTH_MAX + 1; i < SPAN_DEPTH_MAX + 4; i++)
			enter(INNER, SP(i));
	}
	assert_int_equal(host.n_records, 0);
	for (int i = SPAN_DEPTH_MAX + 3; i >= 0; i--)
		leave(INNER, SP(i));
	assert_int_equal(host.n_records, SPAN_DEPTH_MAX);
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), 0);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_balanced(0);
}

/* An exception out of the depth: the thread must not be blind from then on. */
static void too_deep_and_unwound(void **state)
{
	for (int i = 0; i < SPAN_DEPTH_MAX + 10; i++)
		enter(INNER, SP(i));
	enter_at(LEAF, SP(3) + 0x80, 60000); /* from the fourth, at index 3 */
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), SPAN_DEPTH_MAX - 3);
	leave_at(LEAF, SP(3) + 0x80, 70000);
	assert_record(SPAN_DEPTH_MAX - 3, LEAF, SPAN_OK, 60000, 70000);
	for (int i = 2; i >= 0; i--)
		leave(INNER, SP(i));
	assert_int_equal(counted_in_all(COUNTER_SPAN_ENDS), 4);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_balanced(0);
}

/* Caught by the caller of the deepest that is kept, who calls it again. */
static void the_deepest_is_called_again(void **state)
{
	const int deepest = SPAN_DEPTH_MAX - 1;

	for (int i = 0; i < SPAN_DEPTH_MAX + 10; i++)
		enter_at(INNER, SP(i), i);
	enter_at(INNER, SP(deepest), 1000);
	assert_int_equal(host.n_records, 1);
	assert_record(0, INNER, SPAN_WAS_UNWOUND, deepest, 1000);
	leave_at(INNER, SP(deepest), 1100);
	assert_record(1, INNER, SPAN_OK, 1000, 1100);
	assert_int_equal(counted(COUNTER_SPAN_TOO_DEEP), 10);
	assert_balanced(deepest);
}

/* A tail call of the deepest that is kept: two functions, one place. */
static void too_deep_in_one_frame(void **state)
{
	const __u64 deepest = SP(SPAN_DEPTH_MAX - 1);

	for (int i = 0; i < SPAN_DEPTH_MAX; i++)
		enter(INNER, SP(i));
	enter(LEAF, deepest);
	assert_int_equal(counted(COUNTER_SPAN_TOO_DEEP), 1);
	leave(LEAF, deepest);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_int_equal(host.n_records, 0);
	leave(INNER, deepest);
	assert_int_equal(host.n_records, 1);
	assert_int_equal(record(0)->depth, SPAN_DEPTH_MAX - 1);
	assert_balanced(SPAN_DEPTH_MAX - 1);
}

/* ---- whose calls they are ---- */

static void what_is_not_ours(void **state)
{
	host.task = &stranger;
	assert_int_equal(session_enter(OUTER, SP(1)), SKIP_RETURN);
	session_leave(OUTER, SP(1));
	site_enter(OUTER, SP(1));
	site_leave(OUTER, SP(1));
	assert_null(thread_of(&stranger));
	host.task = &task;
	gate = 0;
	assert_int_equal(session_enter(OUTER, SP(1)), SKIP_RETURN);
	assert_null(thread_of(&task));
	gate = 1;
	host.is_return = false;
	assert_int_equal(fire(function_session, SITES, SP(1)), SKIP_RETURN); /* no such site */
	assert_int_equal(fire(function_site, SITES, SP(1)), 0);
	fire(function_return, SITES, SP(1));
	assert_int_equal(host.n_records, 0);
	assert_int_equal(counted_in_all(COUNTER_PROBE_HITS), 0);
	assert_balanced(0);
}

/* A child whose probes are not all linked yet: no return must come without its entry. */
static void a_target_that_is_not_ready(void **state)
{
	make_target(PID, 0);
	assert_int_equal(session_enter(OUTER, SP(1)), SKIP_RETURN);
	assert_null(thread_of(&task));
	make_target(PID, 1);
	enter(OUTER, SP(1));
	leave(OUTER, SP(1));
	assert_int_equal(host.n_records, 1);
	assert_balanced(0);
}

/* What USDT probes remember of a thread does not say that functions may be traced. */
static void a_thread_known_otherwise(void **state)
{
	usdt_at(START_OF(PAIR_QUERY), SP(1), 100);
	assert_int_equal(thread_of(&task)->of_target, 0);
	make_target(PID, 0);
	assert_int_equal(session_enter(OUTER, SP(2)), SKIP_RETURN);
	make_target(PID, 1);
	enter(OUTER, SP(2));
	assert_int_equal(thread_of(&task)->of_target, 1);
}

static void no_memory_for_a_thread(void **state)
{
	host.no_memory = true;
	assert_int_equal(session_enter(OUTER, SP(1)), SKIP_RETURN);
	assert_int_equal(counted(COUNTER_SPAN_NO_STATE), 1);
	assert_int_equal(counted_in_all(COUNTER_SPAN_STARTS), 0);
	host.no_memory = false;
	enter(OUTER, SP(1));
	leave(OUTER, SP(1));
	assert_int_equal(host.n_records, 1);
	assert_balanced(0);
}

static void the_gate_closes(void **state)
{
	enter(OUTER, SP(1));
	enter(INNER, SP(2));
	gate = 0;
	leave(INNER, SP(2));
	assert_int_equal(session_enter(LEAF, SP(2)), SKIP_RETURN);
	leave(OUTER, SP(1));
	assert_int_equal(host.n_records, 0);
	assert_balanced(2); /* close_open_spans() makes records of them */
}

static void threads_are_kept_apart(void **state)
{
	enter_at(OUTER, SP(1), 100);
	host.task = &second_task;
	enter_at(OUTER, SP(1), 200);
	leave_at(OUTER, SP(1), 300);
	host.task = &task;
	leave_at(OUTER, SP(1), 400);
	assert_record(0, OUTER, SPAN_OK, 200, 300);
	assert_record(1, OUTER, SPAN_OK, 100, 400);
	assert_int_equal(record(0)->tid, PID + 1);
	assert_string_equal(record(0)->comm, "worker");
	assert_int_equal(record(0)->parent, 0);
	assert_int_equal(record(1)->child_ns, 0);
	assert_true(record(0)->id != record(1)->id);
	assert_balanced(0);
}

static void everybody(void **state)
{
	const struct life_record *r = (const void *)host.records[0].bytes;
	__u32 pid = 1;

	host_config.everybody = 1;
	last_space = 40;
	host.task = &stranger;
	assert_int_equal(session_enter(OUTER, SP(1)), 0);
	assert_int_equal(host.n_records, 1);
	assert_int_equal(r->type, RECORD_LIFE);
	assert_int_equal(r->kind, LIFE_ADOPTED);
	assert_int_equal(r->tgid, 1);
	assert_int_equal(r->space, 41);
	assert_int_equal(host.records[0].flags, BPF_RB_FORCE_WAKEUP);
	assert_int_equal(((struct target *)bpf_map_lookup_elem(&targets, &pid))->space, 41);
	session_leave(OUTER, SP(1));
	assert_int_equal(host.n_records, 2); /* told once */
	assert_int_equal(record(1)->tgid, 1);
	/* But never ourselves. */
	stranger.tgid = stranger.pid = 77;
	make_task(&second_task, 77, 77, "perftrace");
	host.task = &second_task;
	assert_int_equal(session_enter(OUTER, SP(1)), SKIP_RETURN);
	assert_int_equal(host.n_records, 2);
}

static void everybody_is_too_many(void **state)
{
	host_config.everybody = 1;
	MAP_OF(&targets)->failing_updates = 1;
	host.task = &stranger;
	assert_int_equal(session_enter(OUTER, SP(1)), SKIP_RETURN);
	assert_int_equal(counted(COUNTER_TARGETS_FULL), 1);
	assert_int_equal(host.n_records, 0);
	assert_null(thread_of(&stranger));
}

/* ---- sites ---- */

/* The processor's own answer: does setCC give 1 with these flags? */
static int holds_here(unsigned long flags, unsigned int cc)
{
	unsigned char set = 0;

/* pushf writes below rsp, where a leaf keeps its variables. */
#define TRY(n, name)                                                                            \
	case n:                                                                                 \
		__asm__("sub $128, %%rsp; push %1; popf; set" name " %0; lea 128(%%rsp), %%rsp" \
			: "=q"(set)                                                             \
			: "r"(flags)                                                            \
			: "cc", "memory");                                                      \
		break
	switch (cc) {
		TRY(0, "o");
		TRY(1, "no");
		TRY(2, "b");
		TRY(3, "ae");
		TRY(4, "e");
		TRY(5, "ne");
		TRY(6, "be");
		TRY(7, "a");
		TRY(8, "s");
		TRY(9, "ns");
		TRY(10, "p");
		TRY(11, "np");
		TRY(12, "l");
		TRY(13, "ge");
		TRY(14, "le");
		TRY(15, "g");
	}
	return set;
}

/* A conditional jump out of the function: an end if it is taken, nothing at all if it is not. */
static void conditional_exits(void **state)
{
	int taken = 0, stayed = 0;

	for (unsigned int f = 0; f < 32; f++) {
		unsigned long flags = 0x202 | (f & 1) | (f & 2) << 1 | (f & 4) << 4 | (f & 8) << 4 |
				      (f & 16) << 7;

		for (unsigned int cc = 0; cc < 16; cc++) {
			int holds = holds_here(flags, cc);
			__u64 hits;

			site_enter(LEAF, SP(1));
			hits = counted(COUNTER_PROBE_HITS);
			site_at(CONDITIONAL)->condition = 1 + cc;
			regs.flags = flags;
			host.n_records = 0;
			fire(function_site, CONDITIONAL, SP(1));
			if ((int)host.n_records != holds)
				fail_msg("condition %u with flags %#lx", cc, flags);
			assert_int_equal(counted(COUNTER_PROBE_HITS) - hits, holds);
			if (!holds) {
				site_leave(LEAF, SP(1)); /* it went on, and returned */
				assert_int_equal(record(0)->status, SPAN_OK);
			}
			taken += holds;
			stayed += !holds;
		}
	}
	assert_int_equal(taken, stayed); /* of each condition there is its opposite */
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), 0);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
}

/* The entry's probe may be behind `sub $n,%rsp`; the exits are where rsp is back. */
static void a_moved_entry(void **state)
{
	way = &by_sites;
	enter_at(OUTER, SP(1), 100);
	host.now = UPTIME + 200;
	fire(function_site, MOVED, SP(2) - 0x38);
	leave_at(LEAF, SP(2), 300);
	assert_record(0, LEAF, SPAN_OK, 200, 300);
	/* Left by an exception and entered again at the same place. */
	host.now = UPTIME + 400;
	fire(function_site, MOVED, SP(2) - 0x38);
	host.now = UPTIME + 500;
	fire(function_site, MOVED, SP(2) - 0x38);
	assert_record(1, LEAF, SPAN_WAS_UNWOUND, 400, 500);
	leave_at(LEAF, SP(2), 600);
	leave_at(OUTER, SP(1), 700);
	assert_record(3, OUTER, SPAN_OK, 100, 700);
	assert_int_equal(record(2)->parent, record(3)->id);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_balanced(0);
}

/* ---- what a thread keeps for itself ---- */

static void counts_are_handed_over(void **state)
{
	for (int i = 0; i < COUNTS_KEPT - 1; i++) {
		enter(LEAF, SP(1));
		leave(LEAF, SP(1));
	}
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 0);
	enter(LEAF, SP(1));
	assert_int_equal(counted(COUNTER_SPAN_STARTS), COUNTS_KEPT);
	assert_int_equal(counted(COUNTER_PROBE_HITS), COUNTS_KEPT);
	assert_int_equal(counted(COUNTER_SPAN_ENDS), COUNTS_KEPT - 1);
	leave(LEAF, SP(1));
	for (int i = 0; i < 10 * COUNTS_KEPT; i++) {
		enter(LEAF, SP(1));
		leave(LEAF, SP(1));
	}
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 11 * COUNTS_KEPT);
	assert_balanced(0);
}

static void a_thread_ends(void **state)
{
	const struct span_record *r;

	host.task = &second_task;
	usdt_at(START_OF(PAIR_QUERY), SP(1), 50);
	enter_at(OUTER, SP(2), 100);
	enter_at(INNER, SP(3), 200);
	leave_at(INNER, SP(3), 250);
	enter_at(LEAF, SP(3), 300);
	life.live.counter = 1;
	host.now = UPTIME + 400;
	life_exit(&second_task);
	assert_int_equal(host.n_records, 4);
	assert_record(1, LEAF, SPAN_UNFINISHED, 300, 400);
	assert_record(2, OUTER, SPAN_UNFINISHED, 100, 400);
	assert_record(3, PAIR_QUERY, SPAN_UNFINISHED, 50, 400);
	r = record(2);
	assert_int_equal(r->rss_bytes, 0);
	assert_int_equal(r->rss_delta_bytes, 0);
	assert_int_equal(record(3)->rss_bytes, 100 * 4096);
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 4);
	assert_int_equal(counted(COUNTER_SPAN_ENDS), 1);
	assert_int_equal(counted(COUNTER_SPAN_UNFINISHED), 3);
	assert_int_equal(thread_of(&second_task)->depth, 0);
	assert_balanced(0);
	/* What it counted is not lost when the trace is over already. */
	host.task = &task;
	enter(OUTER, SP(1));
	leave(OUTER, SP(1));
	gate = 0;
	life_exit(&task);
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 5);
	assert_int_equal(counted(COUNTER_SPAN_ENDS), 2);
}

static void the_trace_ends(void **state)
{
	struct bpf_iter__task ctx = {.task = &task};

	for (int i = 0; i < SPAN_DEPTH_MAX + 5; i++)
		enter(INNER, SP(i));
	gate = 0;
	assert_int_equal(close_open_spans(&ctx), 0);
	assert_int_equal(counted(COUNTER_SPAN_UNFINISHED), SPAN_DEPTH_MAX);
	assert_int_equal(counted(COUNTER_SPAN_STARTS), SPAN_DEPTH_MAX + 5);
	assert_int_equal(thread_of(&task)->overflow, 0);
	assert_balanced(0);
	close_open_spans(&ctx); /* again: there is nothing left */
	assert_int_equal(counted(COUNTER_SPAN_STARTS), SPAN_DEPTH_MAX + 5);
	assert_balanced(0);
}

static void an_exec(void **state)
{
	const struct life_record *r = (const void *)host.records[1].bytes;

	enter_at(OUTER, SP(1), 100);
	host.now = UPTIME + 200;
	life_exec(&task, PID);
	assert_record(0, OUTER, SPAN_UNFINISHED, 100, 200);
	assert_int_equal(r->kind, LIFE_EXEC);
	enter_at(INNER, SP(40), 300); /* its stack is another one, its thread the same */
	leave_at(INNER, SP(40), 400);
	assert_record(2, INNER, SPAN_OK, 300, 400);
	assert_int_equal(record(2)->depth, 0);
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 1);
}

/* prctl(PR_SET_NAME) is seen soon, without asking at each call. */
static void a_thread_is_renamed(void **state)
{
	enter_at(OUTER, SP(1), 0);
	strcpy(task.comm, "renamed");
	enter_at(INNER, SP(2), COMM_LASTS_NS / 2);
	leave(INNER, SP(2));
	enter_at(LEAF, SP(2), COMM_LASTS_NS + 1);
	leave(LEAF, SP(2));
	leave(OUTER, SP(1));
	assert_string_equal(record(0)->comm, "server");
	assert_string_equal(record(1)->comm, "renamed");
	assert_string_equal(record(2)->comm, "server"); /* as it began */
}

/* ---- the ring ---- */

static void a_full_ring(void **state)
{
	enter_at(OUTER, SP(1), 100);
	enter_at(INNER, SP(2), 200);
	host.ring_full = true;
	leave_at(INNER, SP(2), 300);
	assert_int_equal(counted(COUNTER_RING_SPANS_LOST), 1);
	host.ring_full = false;
	leave_at(OUTER, SP(1), 400); /* a lost record is one span, not the nesting of others */
	assert_int_equal(host.n_records, 1);
	assert_record(0, OUTER, SPAN_OK, 100, 400);
	assert_int_equal(record(0)->child_ns, 100);
	assert_balanced(0);
}

/*
 * The reader is woken as the ring passes the mark, though not every span looks at it, and for no
 * more than a few records. `chain` functions call one another, after `first` calls of one.
 */
static void reader_of(int first, int chain)
{
	const __u64 mark = 1 << 16, reserve = 1 << 16;
	int woken = 0, wakings = 0;
	__u64 waiting = 0;

	host_config.wakeup_bytes = mark;
	for (int i = 0; i < 20000; i++) {
		int deep = i < first ? 1 : chain;

		for (int d = 0; d < deep; d++)
			enter(INNER, SP(d));
		for (int d = deep - 1; d >= 0; d--) {
			host.n_records = 0;
			host.ring_waiting = waiting;
			leave(INNER, SP(d));
			waiting += SPAN_LEN + 8;
			wakings += host.records[0].flags == BPF_RB_FORCE_WAKEUP;
			if (host.records[0].flags != BPF_RB_FORCE_WAKEUP)
				assert_int_equal(host.records[0].flags, BPF_RB_NO_WAKEUP);
			else if (waiting < mark)
				fail_msg("woken with %llu bytes", waiting);
			if (waiting > mark + reserve)
				fail_msg("not woken, %d first, %d deep", first, chain);
			/* It comes a little later. */
			woken += wakings != 0;
			if (woken < 200)
				continue;
			assert_true(wakings <= 20);
			waiting = woken = wakings = 0;
		}
	}
}

static void the_reader_is_woken(void **state)
{
	for (int first = 0; first < 3; first++)
		for (int chain = 1; chain <= 32; chain = chain < 4 ? chain + 1 : chain * 2)
			reader_of(first, chain);
}

/* ---- among spans of other kinds ---- */

static void functions_and_probes(void **state)
{
	enter_at(OUTER, SP(1), 100);
	usdt_at(START_OF(PAIR_QUERY), SP(1) - 0x40, 200);
	enter_at(LEAF, SP(3), 300);
	leave_at(LEAF, SP(3), 400);
	usdt_at(END_OF(PAIR_QUERY), SP(1) - 0x40, 500);
	leave_at(OUTER, SP(1), 600);
	assert_record(0, LEAF, SPAN_OK, 300, 400);
	assert_record(1, PAIR_QUERY, SPAN_OK, 200, 500);
	assert_record(2, OUTER, SPAN_OK, 100, 600);
	assert_int_equal(record(0)->parent, record(1)->id);
	assert_int_equal(record(1)->parent, record(2)->id);
	assert_int_equal(record(1)->child_ns, 100);
	assert_int_equal(record(2)->child_ns, 300);
	assert_int_equal(record(0)->flags, SPAN_FLAG_BARE);
	assert_int_equal(record(1)->flags, 0);
	assert_int_equal(record(1)->rss_bytes, 100 * 4096);
	assert_balanced(0);
}

/* An error leaves frames of both kinds, whoever comes to see it. */
static void functions_and_probes_heal_each_other(void **state)
{
	usdt_at(START_OF(PAIR_QUERY), SP(1), 100);
	enter_at(OUTER, SP(2), 200);
	usdt_at(END_OF(PAIR_QUERY), SP(1), 300);
	assert_record(0, OUTER, SPAN_WAS_UNWOUND, 200, 300);
	assert_record(1, PAIR_QUERY, SPAN_OK, 100, 300);

	enter_at(OUTER, SP(2), 400);
	usdt_at(START_OF(PAIR_QUERY), SP(1), 500);
	assert_record(2, OUTER, SPAN_WAS_UNWOUND, 400, 500);
	enter_at(OUTER, SP(0), 600);
	assert_record(3, PAIR_QUERY, SPAN_WAS_UNWOUND, 500, 600);
	usdt_at(START_OF(PAIR_QUERY), SP(1), 700);
	leave_at(OUTER, SP(0), 800);
	assert_record(4, PAIR_QUERY, SPAN_WAS_UNWOUND, 700, 800);
	assert_record(5, OUTER, SPAN_OK, 600, 800);
	/* An unscoped probe above a function that was left. */
	enter_at(OUTER, SP(4), 900);
	usdt_at(START_OF(PAIR_TX), SP(3), 1000);
	assert_record(6, OUTER, SPAN_WAS_UNWOUND, 900, 1000);
	enter_at(OUTER, SP(4), 1100);
	leave_at(OUTER, SP(4), 1200);
	assert_int_equal(record(7)->parent, 0);
	usdt_at(END_OF(PAIR_TX), SP(5), 1300);
	assert_record(8, PAIR_TX, SPAN_OK, 1000, 1300);
	assert_int_equal(record(8)->child_ns, 0);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_balanced(0);
}

static void a_macro_in_a_function(void **state)
{
	enter_at(OUTER, SP(1), 100);
	macro_at(START_OF(PAIR_OWN), "work", SP(1) - 0x20, 200);
	enter_at(LEAF, SP(2), 300);
	leave_at(LEAF, SP(2), 400);
	macro_at(END_OF(PAIR_OWN), "work", SP(1) - 0x20, 500);
	leave_at(OUTER, SP(1), 600);
	assert_record(0, LEAF, SPAN_OK, 300, 400);
	assert_record(1, PAIR_OWN, SPAN_OK, 200, 500);
	assert_record(2, OUTER, SPAN_OK, 100, 600);
	assert_int_equal(record(0)->parent, record(1)->id);
	assert_int_equal(record(1)->parent, record(2)->id);
	assert_int_equal(record(2)->child_ns, 300);
	assert_balanced(0);
}

/*
 * begin_request() starts what end_request() ends: that one is traced as a function, too, must not
 * change what the program's own span is.
 */
static void a_macro_outlives_its_function(void **state)
{
	enter_at(OUTER, SP(1), 100);
	enter_at(INNER, SP(3), 200);
	macro_at(START_OF(PAIR_OWN), "request", SP(3) - 0x20, 250);
	leave_at(INNER, SP(3), 300);
	assert_int_equal(host.n_records, 1);
	assert_record(0, INNER, SPAN_OK, 200, 300);
	enter_at(LEAF, SP(2), 400);
	leave_at(LEAF, SP(2), 500);
	enter_at(INNER, SP(2), 600);
	macro_at(END_OF(PAIR_OWN), "request", SP(2) - 0x40, 650);
	leave_at(INNER, SP(2), 700);
	leave_at(OUTER, SP(1), 800);
	assert_int_equal(host.n_records, 5);
	assert_record(1, LEAF, SPAN_OK, 400, 500);
	assert_record(2, PAIR_OWN, SPAN_OK, 250, 650);
	assert_record(3, INNER, SPAN_OK, 600, 700);
	assert_record(4, OUTER, SPAN_OK, 100, 800);
	assert_int_equal(record(1)->parent, record(2)->id);
	assert_int_equal(record(3)->status, SPAN_OK);
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), 0);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_int_equal(thread_of(&task)->depth, 0);
	assert_balanced(0);
}

/* Ended below a span that goes on, it was its parent's child all the same. */
static void time_of_what_ended_below(void **state)
{
	enter_at(OUTER, SP(1), 100);
	enter_at(INNER, SP(3), 200);
	macro_at(START_OF(PAIR_OWN), "request", SP(3) - 0x20, 250);
	leave_at(INNER, SP(3), 300);
	macro_at(END_OF(PAIR_OWN), "request", SP(1) - 0x40, 650);
	leave_at(OUTER, SP(1), 800);
	assert_record(2, OUTER, SPAN_OK, 100, 800);
	assert_int_equal(record(2)->child_ns, 100);
	assert_balanced(0);
}

/* A macro whose end is forgotten, or left by an exception, each time: functions stay visible. */
static void macros_that_never_end(void **state)
{
	size_t seen = 0;

	enter_at(OUTER, SP(1), 100);
	for (int i = 0; i < 500; i++) {
		enter_at(INNER, SP(2), 1000 * i);
		macro_at(START_OF(PAIR_OWN), "forgotten", SP(2) - 0x20, 1000 * i + 1);
		leave_at(INNER, SP(2), 1000 * i + 2);
		for (; seen < host.n_records - 1; seen++)
			assert_int_equal(record(seen)->pair, PAIR_OWN);
		assert_record(seen, INNER, SPAN_OK, 1000 * i, 1000 * i + 2);
		host.n_records = seen = 0;
	}
	leave_at(OUTER, SP(1), 1000000);
	assert_record(host.n_records - 1, OUTER, SPAN_OK, 100, 1000000);
	assert_int_equal(counted(COUNTER_SPAN_TOO_DEEP), 0);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
}

/* ---- a long random run ---- */

static __u64 random_state = 88172645463325252ULL;

static __u32 random_below(__u32 n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

static void one_random_event(void)
{
	static const struct way *const ways[] = {&by_session, &by_sites, &by_returns};
	enum pair pair = random_below(PAIRS);
	__u64 sp = SP(random_below(90));
	bool starts = random_below(2);

	way = ways[random_below(3)];
	if (pair == PAIR_OWN)
		macro_at(starts ? START_OF(pair) : END_OF(pair), random_below(2) ? "a" : "b", sp,
			 host.now - UPTIME);
	else if (pair == PAIR_QUERY || pair == PAIR_TX)
		fire(span_probe, starts ? START_OF(pair) : END_OF(pair), sp);
	else if (starts)
		enter(pair, sp);
	else
		leave(pair, sp);
}

/* Whatever comes, in whatever order: nothing is lost from the books, and no record is nonsense. */
static void a_long_run(void **state)
{
	struct bpf_iter__task ctx = {.task = &task};
	struct span_thread *t;

	for (int i = 0; i < 200000; i++) {
		size_t before = host.n_records;

		host.n_records = 0;
		host.now += random_below(100);
		one_random_event();
		for (size_t r = 0; r < host.n_records; r++) {
			assert_true(record(r)->depth < SPAN_DEPTH_MAX);
			assert_true(record(r)->id != record(r)->parent);
		}
		t = thread_of(&task);
		assert_true(!t || t->depth <= SPAN_DEPTH_MAX);
		host.n_records += before;
	}
	close_open_spans(&ctx);
	assert_balanced(0);
}

/* Recursions of any depth, with exceptions: each record is of a call that was made. */
static void a_long_recursion(void **state)
{
	__u64 began[200];
	int depth = 0;

	for (int i = 0; i < 200000; i++) {
		host.n_records = 0;
		host.now += 2;
		if (depth == 0 || (depth < 200 && random_below(2))) {
			began[depth] = host.now - UPTIME;
			enter(depth % 2 ? INNER : OUTER, SP(depth));
			depth++;
		} else {
			/* Of those that exceptions leave, no end is seen. */
			depth -= random_below(50) ? 1 : 1 + random_below(depth);
			leave(depth % 2 ? INNER : OUTER, SP(depth));
			if (depth >= SPAN_DEPTH_MAX) {
				assert_int_equal(host.n_records, 0);
				continue;
			}
			assert_true(host.n_records >= 1);
			assert_record(host.n_records - 1, depth % 2 ? INNER : OUTER, SPAN_OK,
				      began[depth], host.now - 1 - UPTIME);
			assert_int_equal(record(host.n_records - 1)->depth, depth);
		}
	}
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, use_sessions, tear_down)
#define IN_WAY(name, which)                                         \
	{                                                           \
#name ", " #which, name, use_way, tear_down, &which \
	}
#define EACH_WAY(name) IN_WAY(name, by_session), IN_WAY(name, by_sites), IN_WAY(name, by_returns)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(a_function),
		EACH_WAY(nested_functions),
		EACH_WAY(recursion),
		EACH_WAY(left_by_an_exception),
		EACH_WAY(left_and_caught),
		EACH_WAY(left_and_called_again),
		EACH_WAY(an_end_from_an_outer_frame),
		EACH_WAY(ends_without_a_start),
		EACH_WAY(tail_calls),
		EACH_WAY(too_deep_and_back),
		EACH_WAY(too_deep_without_ends),
		EACH_WAY(too_deep_to_and_fro),
		EACH_WAY(too_deep_and_unwound),
		EACH_WAY(the_deepest_is_called_again),
		EACH_WAY(too_deep_in_one_frame),
		EACH_WAY(a_long_recursion),
		TEST(what_is_not_ours),
		TEST(a_target_that_is_not_ready),
		TEST(a_thread_known_otherwise),
		TEST(no_memory_for_a_thread),
		TEST(the_gate_closes),
		TEST(threads_are_kept_apart),
		TEST(everybody),
		TEST(everybody_is_too_many),
		TEST(conditional_exits),
		TEST(a_moved_entry),
		TEST(counts_are_handed_over),
		TEST(a_thread_ends),
		TEST(the_trace_ends),
		TEST(an_exec),
		TEST(a_thread_is_renamed),
		TEST(a_full_ring),
		TEST(the_reader_is_woken),
		TEST(functions_and_probes),
		TEST(functions_and_probes_heal_each_other),
		TEST(a_macro_in_a_function),
		TEST(a_macro_outlives_its_function),
		TEST(time_of_what_ended_below),
		TEST(macros_that_never_end),
		TEST(a_long_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
