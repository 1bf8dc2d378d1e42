// SPDX-License-Identifier: BSD-2-Clause
/* Pairing in bpf/span.bpf.c, compiled as host C (bpfhost/host.h). */
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

#define PID   4000
#define DATA  0x600000ULL /* strings of the target */
#define STACK 0x7ffe00000000ULL
/* Stack pointers of functions, outer ones first: the stack grows down. */
#define SP(depth) (STACK + 0x100000 - 0x100 * (__u64)(depth))

enum pair {
	PAIR_OWN,
	PAIR_QUERY, /* scoped by its hint */
	PAIR_SORT,  /* likewise */
	PAIR_TX,    /* start and end in different functions */
	PAIRS,
};

/* Sites; of each pair the start is even and the end behind it. */
enum site {
	OWN_START,
	OWN_END,
	QUERY_START,
	QUERY_END,
	SORT_START,
	SORT_END,
	TX_START,
	TX_END,
	CHECKPOINT,
	EVENT,
	SITES,
};

static struct task_struct task, second_task;
static struct mm_struct mm;
/* Registers that the probe sees besides rsp: rdi and rsi are the arguments of our own sites. */
static struct pt_regs regs;

static struct span_site *site_at(__u32 i)
{
	return bpf_map_lookup_elem(&span_sites, &i);
}

static struct span_pair *pair_at(__u32 i)
{
	return bpf_map_lookup_elem(&span_pairs, &i);
}

static void define_site(enum site i, enum pair pair, enum site_role role, int strings)
{
	static const struct arg_spec rdi = {.kind = ARG_REG, .size = 8, .reg_offset = 14 * 8},
				     rsi = {.kind = ARG_REG, .size = 8, .reg_offset = 13 * 8};
	struct span_site *site = site_at(i);

	assert_non_null(site);
	site->pair = pair;
	site->role = role;
	site->named = pair == PAIR_OWN;
	site->strings = strings;
	site->name = rdi;
	site->string[0] = pair == PAIR_OWN ? rsi : rdi;
	site->string[1] = rsi;
}

static void make_task(struct task_struct *t, int tid, const char *comm)
{
	memset(t, 0, sizeof(*t));
	t->tgid = PID;
	t->pid = tid;
	t->mm = &mm;
	strcpy(t->comm, comm);
}

static int set_up(void **state)
{
	static const struct target target = {.space = 1, .layout = 1, .spans_ready = 1};
	__u32 pid = PID;

	host__reset();
	memory__map(DATA, 0x10000);
	memset(&mm, 0, sizeof(mm));
	memset(&regs, 0, sizeof(regs));
	mm.rss_stat[1].count = 100;
	make_task(&task, PID, "server");
	make_task(&second_task, PID + 1, "worker");
	host.task = &task;
	host.now = 1000;
	host_config.page_size = 4096;
	host_config.wakeup_bytes = 1 << 20;
	gate = 1;
	assert_int_equal(bpf_map_update_elem(&targets, &pid, &target, BPF_ANY), 0);
	MAP_OF(&span_sites)->capacity = SITES;
	MAP_OF(&span_pairs)->capacity = PAIRS;
	pair_at(PAIR_OWN)->by_name = 1;
	pair_at(PAIR_QUERY)->scoped_hint = 1;
	pair_at(PAIR_SORT)->scoped_hint = 1;
	define_site(OWN_START, PAIR_OWN, SITE_START, 0);
	define_site(OWN_END, PAIR_OWN, SITE_END, 1);
	define_site(QUERY_START, PAIR_QUERY, SITE_START, 2);
	define_site(QUERY_END, PAIR_QUERY, SITE_END, 1);
	define_site(SORT_START, PAIR_SORT, SITE_START, 0);
	define_site(SORT_END, PAIR_SORT, SITE_END, 0);
	define_site(TX_START, PAIR_TX, SITE_START, 0);
	define_site(TX_END, PAIR_TX, SITE_END, 0);
	define_site(CHECKPOINT, PAIR_OWN, SITE_CHECKPOINT, 1);
	define_site(EVENT, PAIR_OWN, SITE_EVENT, 1);
	return 0;
}

static int tear_down(void **state)
{
	memory__check();
	host__reset();
	return 0;
}

/* ---- what the target does ---- */

/* A probe fires; a nanosecond later nothing happens. */
static void fire(enum site site, __u64 sp)
{
	regs.sp = sp;
	host.cookie = site;
	span_probe(&regs);
	host.now++;
}

static void fire_at(enum site site, __u64 sp, __u64 time)
{
	host.now = time;
	fire(site, sp);
}

/* Text at a place of its own for each `slot`; its address. */
static __u64 text_at(unsigned int slot, const char *text)
{
	memory__put_text(DATA + slot * 0x400, text);
	return DATA + slot * 0x400;
}

static void fire_named(enum site site, const char *name, __u64 sp)
{
	regs.di = text_at(0, name);
	fire(site, sp);
}

static void start(const char *name, __u64 sp)
{
	fire_named(OWN_START, name, sp);
}

static void end(const char *name, __u64 sp)
{
	fire_named(OWN_END, name, sp);
}

/* ---- what became of it ---- */

static const struct span_record *record(size_t i)
{
	const struct span_record *r = (const void *)host.records[i].bytes;

	assert_true(i < host.n_records);
	assert_int_equal(r->type, RECORD_SPAN);
	assert_int_equal(host.records[i].len, RECORD_HEAD_LEN(struct span_record) + r->context_len);
	assert_true(r->end_ns >= r->start_ns);
	return r;
}

static void assert_record(size_t i, enum pair pair, enum span_status status, __u64 start_ns,
			  __u64 end_ns)
{
	const struct span_record *r = record(i);

	if (r->pair != pair || r->status != status || r->start_ns != start_ns ||
	    r->end_ns != end_ns)
		fail_msg("record %zu: pair %u status %u %llu..%llu", i, r->pair, r->status,
			 r->start_ns, r->end_ns);
}

/* The name a record's hash stands for. */
static const char *name_of_record(size_t i)
{
	__u64 hash = record(i)->name_hash;
	struct span_name *name = bpf_map_lookup_elem(&span_names, &hash);

	return name ? name->text : "?";
}

static struct span_thread *thread(void)
{
	return bpf_task_storage_get(&span_threads, host.task, 0, 0);
}

/* Every start is an end, left behind, lost, or still open (model/ledger.c). */
static void assert_balanced(__u64 open)
{
	__u64 starts = counted(COUNTER_SPAN_STARTS);
	__u64 done = counted(COUNTER_SPAN_ENDS) + counted(COUNTER_SPAN_UNWOUND) +
		     counted(COUNTER_SPAN_TOO_DEEP);

	if (starts != done + open)
		fail_msg("%llu starts, %llu ends, %llu unwound, %llu too deep, %llu open", starts,
			 counted(COUNTER_SPAN_ENDS), counted(COUNTER_SPAN_UNWOUND),
			 counted(COUNTER_SPAN_TOO_DEEP), open);
	assert_int_equal(counted(COUNTER_SPAN_ENDS) + counted(COUNTER_SPAN_UNWOUND),
			 host.n_records + counted(COUNTER_RING_SPANS_LOST));
}

/* ---- scoped pairs ---- */

static void a_span(void **state)
{
	const struct span_record *r;

	regs.di = text_at(0, "SELECT 1");
	mm.rss_stat[0].count = 50;
	mm.rss_stat[3].count = 7;
	fire_at(QUERY_START, SP(1), 1000);
	assert_int_equal(host.n_records, 0);
	mm.rss_stat[1].count = 90;
	fire_at(QUERY_END, SP(1), 6000);
	assert_int_equal(host.n_records, 1);
	assert_record(0, PAIR_QUERY, SPAN_OK, 1000, 6000);
	r = record(0);
	assert_int_equal(r->tgid, PID);
	assert_int_equal(r->tid, PID);
	assert_string_equal(r->comm, "server");
	assert_int_equal(r->depth, 0);
	assert_int_equal(r->parent, 0);
	assert_int_equal(r->flags, 0);
	assert_true(r->id != 0);
	assert_int_equal(r->child_ns, 0);
	assert_int_equal(r->name_hash, 0);
	assert_int_equal(r->rss_bytes, (50 + 90 + 7) * 4096);
	assert_int_equal(r->rss_delta_bytes, -10 * 4096);
	assert_string_equal(r->context, "SELECT 1");
	assert_int_equal(host.records[0].flags, BPF_RB_NO_WAKEUP);
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 1);
	assert_int_equal(counted(COUNTER_SPAN_ENDS), 1);
	assert_int_equal(counted(COUNTER_PROBE_HITS), 2);
	assert_balanced(0);
	assert_int_equal(pair_at(PAIR_QUERY)->agree, 1);
}

static void nested_spans(void **state)
{
	fire_at(QUERY_START, SP(1), 100);
	fire_at(SORT_START, SP(2), 200);
	fire_at(QUERY_START, SP(3), 300); /* the same pair, deeper */
	fire_at(QUERY_END, SP(3), 350);
	fire_at(SORT_END, SP(2), 400);
	fire_at(SORT_START, SP(2), 500);
	fire_at(SORT_END, SP(2), 600);
	fire_at(QUERY_END, SP(1), 1000);
	assert_int_equal(host.n_records, 4);
	assert_record(0, PAIR_QUERY, SPAN_OK, 300, 350);
	assert_record(1, PAIR_SORT, SPAN_OK, 200, 400);
	assert_record(2, PAIR_SORT, SPAN_OK, 500, 600);
	assert_record(3, PAIR_QUERY, SPAN_OK, 100, 1000);
	assert_int_equal(record(0)->depth, 2);
	assert_int_equal(record(1)->depth, 1);
	assert_int_equal(record(3)->depth, 0);
	assert_int_equal(record(0)->parent, record(1)->id);
	assert_int_equal(record(1)->parent, record(3)->id);
	assert_int_equal(record(2)->parent, record(3)->id);
	assert_int_equal(record(3)->parent, 0);
	/* Direct children only. */
	assert_int_equal(record(0)->child_ns, 0);
	assert_int_equal(record(1)->child_ns, 50);
	assert_int_equal(record(3)->child_ns, 200 + 100);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			assert_true(record(i)->id != record(j)->id);
	assert_balanced(0);
}

/* Two pairs in one frame nest as well: a function that is query and sort. */
static void spans_of_one_frame(void **state)
{
	fire_at(QUERY_START, SP(1), 100);
	fire_at(SORT_START, SP(1), 200);
	fire_at(SORT_END, SP(1), 300);
	fire_at(QUERY_END, SP(1), 400);
	assert_int_equal(host.n_records, 2);
	assert_record(0, PAIR_SORT, SPAN_OK, 200, 300);
	assert_record(1, PAIR_QUERY, SPAN_OK, 100, 400);
	assert_int_equal(record(0)->parent, record(1)->id);
	assert_balanced(0);
}

/* The inner span's end never comes; the outer one's shows that its frame is gone. */
static void healed_by_an_end(void **state)
{
	fire_at(QUERY_START, SP(1), 100);
	fire_at(SORT_START, SP(2), 200);
	fire_at(SORT_START, SP(3), 250);
	fire_at(QUERY_END, SP(1), 400);
	assert_int_equal(host.n_records, 3);
	assert_record(0, PAIR_SORT, SPAN_WAS_UNWOUND, 250, 400);
	assert_record(1, PAIR_SORT, SPAN_WAS_UNWOUND, 200, 400);
	assert_record(2, PAIR_QUERY, SPAN_OK, 100, 400);
	assert_int_equal(record(2)->child_ns, 200);
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), 2);
	assert_balanced(0);
}

static void healed_by_a_start(void **state)
{
	fire_at(QUERY_START, SP(1), 100);
	fire_at(SORT_START, SP(5), 200);
	/* From above the sort: an error took it away. The query's frame is still there. */
	fire_at(SORT_START, SP(2), 300);
	assert_int_equal(host.n_records, 1);
	assert_record(0, PAIR_SORT, SPAN_WAS_UNWOUND, 200, 300);
	fire_at(SORT_END, SP(2), 350);
	fire_at(QUERY_END, SP(1), 400);
	assert_record(1, PAIR_SORT, SPAN_OK, 300, 350);
	assert_record(2, PAIR_QUERY, SPAN_OK, 100, 400);
	assert_int_equal(record(1)->parent, record(2)->id);
	assert_int_equal(record(2)->child_ns, 100 + 50);
	assert_balanced(0);
}

/* PostgreSQL's loop: query__start, an error, query__start from the very same frame. */
static void healed_by_a_restart(void **state)
{
	for (int i = 0; i < 100; i++)
		fire_at(QUERY_START, SP(1), 100 * (i + 1));
	fire_at(QUERY_END, SP(1), 20000);
	assert_int_equal(host.n_records, 100);
	for (int i = 0; i < 99; i++) {
		assert_record(i, PAIR_QUERY, SPAN_WAS_UNWOUND, 100 * (i + 1), 100 * (i + 2));
		assert_int_equal(record(i)->parent, 0);
		assert_int_equal(record(i)->depth, 0);
	}
	assert_record(99, PAIR_QUERY, SPAN_OK, 10000, 20000);
	assert_balanced(0);
}

static void orphan_ends(void **state)
{
	fire(QUERY_END, SP(1)); /* begun before the attach */
	assert_int_equal(host.n_records, 0);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 1);
	fire(SORT_START, SP(1));
	fire(QUERY_END, SP(1)); /* of another pair */
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 2);
	fire(SORT_END, SP(1));
	assert_int_equal(host.n_records, 1);
	/* A pair known to be scoped: an end from another frame is not that start's. */
	fire(SORT_START, SP(3));
	fire(SORT_END, SP(1));
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 3);
	assert_int_equal(host.n_records, 1);
	fire(SORT_END, SP(3));
	assert_int_equal(host.n_records, 2);
	assert_int_equal(pair_at(PAIR_SORT)->differ, 0);
	assert_balanced(0);
}

/* The end belongs to the start of its own frame, not to the innermost of its pair. */
static void an_end_from_an_outer_frame(void **state)
{
	fire_at(QUERY_START, SP(1), 100);
	fire_at(QUERY_START, SP(2), 200); /* left by an error */
	fire_at(QUERY_END, SP(1), 300);
	assert_record(0, PAIR_QUERY, SPAN_WAS_UNWOUND, 200, 300);
	assert_record(1, PAIR_QUERY, SPAN_OK, 100, 300);
	assert_balanced(0);
}

/* ---- unscoped pairs ---- */

static void unscoped_spans(void **state)
{
	const struct span_record *r;

	fire_at(QUERY_START, SP(1), 50);
	fire_at(TX_START, SP(5), 100);
	fire_at(QUERY_END, SP(1), 200); /* the transaction straddles it */
	fire_at(QUERY_START, SP(1), 300);
	fire_at(TX_END, SP(3), 400);
	fire_at(QUERY_END, SP(1), 500);
	assert_int_equal(host.n_records, 3);
	assert_record(0, PAIR_QUERY, SPAN_OK, 50, 200);
	assert_record(1, PAIR_TX, SPAN_OK, 100, 400);
	assert_record(2, PAIR_QUERY, SPAN_OK, 300, 500);
	r = record(1);
	assert_int_equal(r->flags, SPAN_FLAG_UNSCOPED);
	assert_int_equal(r->parent, 0);
	assert_int_equal(r->depth, 0);
	/* Neither a child nor a parent of anything. */
	assert_int_equal(record(0)->child_ns, 0);
	assert_int_equal(record(2)->child_ns, 0);
	assert_int_equal(record(2)->parent, 0);
	assert_int_equal(record(2)->depth, 0);
	assert_int_equal(pair_at(PAIR_TX)->differ, 1);
	assert_balanced(0);
}

/* They nest in nothing, but where they fire, the frames below are gone; those above are not. */
static void unscoped_probes_heal(void **state)
{
	fire_at(QUERY_START, SP(1), 100);
	fire_at(TX_START, SP(5), 200);
	fire_at(SORT_START, SP(6), 250);
	fire_at(TX_END, SP(4), 300); /* the sort was left without its end */
	fire_at(QUERY_END, SP(1), 400);
	assert_record(0, PAIR_TX, SPAN_OK, 200, 300);
	assert_record(1, PAIR_SORT, SPAN_WAS_UNWOUND, 250, 300);
	assert_record(2, PAIR_QUERY, SPAN_OK, 100, 400);
	fire_at(QUERY_START, SP(5), 500);
	fire_at(TX_START, SP(1), 600);
	assert_record(3, PAIR_QUERY, SPAN_WAS_UNWOUND, 500, 600);
	fire_at(TX_END, SP(2), 700);
	assert_record(4, PAIR_TX, SPAN_OK, 600, 700);
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), 2);
	assert_balanced(0);
}

/* Of several that are open the newest is ended. */
static void several_unscoped_spans(void **state)
{
	pair_at(PAIR_TX)->differ = 1;
	for (int i = 0; i < SPAN_UNSCOPED_MAX; i++)
		fire_at(TX_START, SP(2), 100 * (i + 1));
	fire(TX_START, SP(2)); /* one too many */
	assert_int_equal(counted(COUNTER_SPAN_TOO_DEEP), 1);
	assert_balanced(SPAN_UNSCOPED_MAX);
	for (int i = SPAN_UNSCOPED_MAX - 1; i >= 0; i--) {
		fire_at(TX_END, SP(3), 5000 - i);
		assert_record(host.n_records - 1, PAIR_TX, SPAN_OK, 100 * (i + 1), 5000 - i);
	}
	fire(TX_END, SP(3));
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 1);
	assert_int_equal(host.n_records, SPAN_UNSCOPED_MAX);
	assert_balanced(0);
	fire(TX_START, SP(2)); /* there is room again */
	assert_balanced(1);
}

/* ---- learning which is which ---- */

/* The hint says scoped; its first end comes from another frame. */
static void found_to_be_unscoped(void **state)
{
	fire_at(SORT_START, SP(5), 100);
	fire_at(SORT_END, SP(3), 200);
	assert_int_equal(host.n_records, 1);
	assert_record(0, PAIR_SORT, SPAN_OK, 100, 200);
	assert_int_equal(record(0)->flags, SPAN_FLAG_UNSCOPED);
	assert_int_equal(pair_at(PAIR_SORT)->differ, 1);
	/* From now on it takes no part in nesting. */
	fire_at(SORT_START, SP(5), 300);
	fire_at(QUERY_START, SP(6), 400);
	fire_at(QUERY_END, SP(6), 500);
	assert_int_equal(record(1)->parent, 0);
	fire_at(SORT_END, SP(3), 600);
	assert_record(2, PAIR_SORT, SPAN_OK, 300, 600);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_balanced(0);
}

/* The hint says unscoped; its ends agree, so that it may nest. */
static void found_to_be_scoped(void **state)
{
	fire(TX_START, SP(2));
	fire(TX_END, SP(2));
	assert_int_equal(record(0)->flags, SPAN_FLAG_UNSCOPED);
	assert_int_equal(pair_at(PAIR_TX)->agree, 1);
	fire(QUERY_START, SP(1));
	fire(TX_START, SP(2));
	fire(TX_END, SP(2));
	fire(QUERY_END, SP(1));
	assert_int_equal(record(1)->flags, 0);
	assert_int_equal(record(1)->depth, 1);
	assert_int_equal(record(1)->parent, record(2)->id);
	assert_balanced(0);
}

/* What was begun as one kind is ended, although the pair has become the other meanwhile. */
static void a_pair_changes_kind_in_between(void **state)
{
	fire(TX_START, SP(2)); /* unscoped yet */
	pair_at(PAIR_TX)->agree = 100;
	fire(TX_END, SP(2));
	assert_int_equal(host.n_records, 1);
	assert_int_equal(record(0)->flags, SPAN_FLAG_UNSCOPED);

	fire(SORT_START, SP(2)); /* scoped yet */
	pair_at(PAIR_SORT)->differ = 100;
	fire(SORT_END, SP(1));
	assert_int_equal(host.n_records, 2);
	assert_int_equal(record(1)->flags, SPAN_FLAG_UNSCOPED);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_balanced(0);
}

/* A few disagreements among many ends are starts that were not seen. */
static void a_few_disagreements(void **state)
{
	pair_at(PAIR_SORT)->agree = 100;
	pair_at(PAIR_SORT)->differ = 12;
	fire(QUERY_START, SP(1));
	fire(SORT_START, SP(2));
	fire(SORT_END, SP(2));
	assert_int_equal(record(0)->flags, 0);
	assert_int_equal(record(0)->depth, 1);
	pair_at(PAIR_SORT)->differ = 13;
	fire(SORT_START, SP(2));
	fire(SORT_END, SP(2));
	assert_int_equal(record(1)->flags, SPAN_FLAG_UNSCOPED);
	assert_balanced(1);
}

/* sort__done after exec__done: an end below others leaves those alone. */
static void an_end_in_the_middle(void **state)
{
	fire_at(SORT_START, SP(5), 100);
	fire_at(QUERY_START, SP(6), 200);
	fire_at(SORT_END, SP(4), 300);
	assert_int_equal(host.n_records, 1);
	assert_record(0, PAIR_SORT, SPAN_OK, 100, 300);
	assert_int_equal(record(0)->flags & SPAN_FLAG_UNSCOPED, SPAN_FLAG_UNSCOPED);
	assert_balanced(1);
	fire_at(QUERY_END, SP(6), 400);
	assert_record(1, PAIR_QUERY, SPAN_OK, 200, 400);
	assert_int_equal(host.n_records, 2);  /* and the first is not sent again */
	assert_int_equal(thread()->depth, 0); /* nothing of it is left */
	assert_balanced(0);
}

/* ---- our own macros ---- */

static void named_spans(void **state)
{
	start("checkout", SP(1));
	start("pay", SP(2));
	regs.si = text_at(1, "card");
	end("pay", SP(4)); /* from any frame */
	regs.si = 0;
	end("checkout", SP(3));
	assert_int_equal(host.n_records, 2);
	assert_string_equal(name_of_record(0), "pay");
	assert_string_equal(name_of_record(1), "checkout");
	assert_string_equal(record(0)->context, "card"); /* of the end, as a start has none */
	assert_int_equal(record(1)->context_len, 0);
	assert_int_equal(record(0)->flags, SPAN_FLAG_NAMED);
	assert_int_equal(record(0)->parent, record(1)->id);
	assert_int_equal(record(0)->depth, 1);
	assert_int_equal(record(0)->status, SPAN_OK);
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), 0);
	assert_balanced(0);
}

static void named_spans_of_one_name(void **state)
{
	for (int i = 0; i < 5; i++)
		start("walk", SP(i + 1));
	for (int i = 4; i >= 0; i--) {
		end("walk", SP(i + 1));
		assert_int_equal(record(host.n_records - 1)->depth, i);
	}
	end("walk", SP(1));
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 1);
	assert_balanced(0);
}

/* A and B overlap: A ends while B goes on. */
static void named_spans_that_overlap(void **state)
{
	start("A", SP(2));
	start("B", SP(2));
	end("A", SP(2));
	assert_int_equal(host.n_records, 1);
	assert_string_equal(name_of_record(0), "A");
	assert_int_equal(record(0)->status, SPAN_OK);
	assert_balanced(1);
	end("A", SP(2)); /* it has ended */
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 1);
	end("B", SP(2));
	assert_string_equal(name_of_record(1), "B");
	assert_int_equal(record(1)->status, SPAN_OK);
	assert_int_equal(record(1)->parent, record(0)->id);
	assert_int_equal(thread()->depth, 0);
	assert_balanced(0);
}

/* A span of a frame below the one that ends is gone, ours included. */
static void named_spans_are_unwound(void **state)
{
	start("outer", SP(1));
	start("inner", SP(5));
	end("outer", SP(1));
	assert_int_equal(host.n_records, 2);
	assert_string_equal(name_of_record(0), "inner");
	assert_int_equal(record(0)->status, SPAN_WAS_UNWOUND);
	assert_int_equal(record(1)->status, SPAN_OK);
	assert_balanced(0);
}

/* Started in a function that has returned: whoever starts from above does not end it. */
static void named_spans_outlive_their_frame(void **state)
{
	start("request", SP(5));
	fire(QUERY_START, SP(1));
	fire(QUERY_END, SP(1));
	start("part", SP(2));
	end("part", SP(2));
	end("request", SP(3));
	assert_int_equal(host.n_records, 3);
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), 0);
	assert_int_equal(record(0)->parent, record(2)->id);
	assert_int_equal(record(2)->status, SPAN_OK);
	assert_balanced(0);
}

static void names(void **state)
{
	static const char long_name[] =
		"0123456789012345678901234567890123456789012345678901234567890123456789";

	start(long_name, SP(1));
	end(long_name, SP(1));
	assert_int_equal(strlen(name_of_record(0)), NAME_MAX_LEN - 1);
	assert_memory_equal(name_of_record(0), long_name, NAME_MAX_LEN - 1);
	/* One text, one hash, wherever it lies and whatever was there before. */
	start("a", SP(1));
	regs.di = text_at(7, "a");
	fire(OWN_END, SP(1));
	assert_string_equal(name_of_record(1), "a");
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	start("a", SP(1));
	end("b", SP(1));
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 1);
	end("a", SP(1));
	assert_int_equal(record(1)->name_hash, record(2)->name_hash);
	/* Nothing of a longer name before it clings to a shorter one. */
	start("a", SP(1));
	start("a longer name", SP(2));
	end("a longer name", SP(2));
	end("a", SP(1));
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 1);
	assert_int_equal(record(4)->name_hash, record(1)->name_hash);
	start("", SP(1)); /* an empty name is one */
	end("", SP(1));
	assert_string_equal(name_of_record(5), "");
	assert_true(record(5)->name_hash != 0);
	assert_balanced(0);
}

static void names_that_cannot_be_read(void **state)
{
	regs.di = text_at(0, "lost");
	memory__fault(regs.di + 2, FAULT_HARD);
	fire(OWN_START, SP(1));
	fire(OWN_END, SP(1));
	assert_int_equal(counted(COUNTER_SPAN_NAME_FAULTS), 2);
	/* Still a span, of unknown name. */
	assert_int_equal(host.n_records, 1);
	assert_int_equal(record(0)->name_hash, 0);
	regs.di = 0;
	fire(OWN_START, SP(1));
	assert_int_equal(counted(COUNTER_SPAN_NAME_FAULTS), 3);
	regs.di = 0xdead0000;
	fire(OWN_END, SP(1));
	assert_int_equal(counted(COUNTER_SPAN_NAME_FAULTS), 4);
	assert_balanced(0);
}

/* A literal in a page that nobody has touched yet is brought in. */
static void a_name_that_is_not_in_memory(void **state)
{
	regs.di = text_at(3, "cold");
	memory__fault(regs.di, FAULT_ABSENT);
	fire(OWN_START, SP(1));
	fire(OWN_END, SP(1));
	assert_int_equal(counted(COUNTER_SPAN_NAME_FAULTS), 0);
	assert_string_equal(name_of_record(0), "cold");
}

static void a_full_name_map(void **state)
{
	MAP_OF(&span_names)->capacity = 1;
	start("one", SP(1));
	start("two", SP(1));
	end("two", SP(1));
	end("one", SP(1));
	assert_int_equal(counted(COUNTER_SPAN_NAMES_FULL), 2); /* at two's start and end */
	assert_string_equal(name_of_record(0), "?");
	assert_string_equal(name_of_record(1), "one");
	assert_balanced(0);
}

/* ---- the limits ---- */

static void too_deep(void **state)
{
	const int depth = SPAN_DEPTH_MAX + 6;

	for (int i = 0; i < depth; i++)
		fire_at(QUERY_START, SP(i), 1000 + i);
	assert_int_equal(counted(COUNTER_SPAN_TOO_DEEP), 6);
	assert_balanced(SPAN_DEPTH_MAX);
	for (int i = depth - 1; i >= 0; i--)
		fire_at(QUERY_END, SP(i), 9000 - i);
	/* The six innermost are lost, and all others are ended by their own ends. */
	assert_int_equal(host.n_records, SPAN_DEPTH_MAX);
	for (int i = 0; i < SPAN_DEPTH_MAX; i++) {
		int level = SPAN_DEPTH_MAX - 1 - i;

		assert_record(i, PAIR_QUERY, SPAN_OK, 1000 + level, 9000 - level);
		assert_int_equal(record(i)->depth, level);
	}
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_balanced(0);
	fire(QUERY_START, SP(1));
	fire(QUERY_END, SP(1));
	assert_int_equal(host.n_records, SPAN_DEPTH_MAX + 1);
}

static void named_spans_too_deep(void **state)
{
	char name[32];

	for (int i = 0; i < SPAN_DEPTH_MAX + 3; i++) {
		snprintf(name, sizeof(name), "level %d", i);
		start(name, SP(i));
	}
	for (int i = SPAN_DEPTH_MAX + 2; i >= 0; i--) {
		snprintf(name, sizeof(name), "level %d", i);
		end(name, SP(i));
		if (i < SPAN_DEPTH_MAX)
			assert_string_equal(name_of_record(host.n_records - 1), name);
	}
	assert_int_equal(host.n_records, SPAN_DEPTH_MAX);
	assert_balanced(0);
}

/* An unscoped pair has its own room: its ends are not those that were too deep. */
static void unscoped_while_too_deep(void **state)
{
	fire(TX_START, SP(0));
	for (int i = 0; i < SPAN_DEPTH_MAX + 1; i++)
		fire(QUERY_START, SP(i));
	fire(TX_END, SP(SPAN_DEPTH_MAX + 2));
	assert_int_equal(host.n_records, 1);
	assert_record(0, PAIR_TX, SPAN_OK, 1000, host.now - 1);
	fire(QUERY_END, SP(SPAN_DEPTH_MAX));
	assert_int_equal(host.n_records, 1);
	fire(QUERY_END, SP(SPAN_DEPTH_MAX - 1));
	assert_int_equal(host.n_records, 2);
	assert_balanced(SPAN_DEPTH_MAX - 1);
}

/*
 * A recursion deeper than the stack of open spans is left by an exception: the ends of the
 * innermost never come. The thread must not be blind from then on.
 */
static void too_deep_and_unwound(void **state)
{
	for (int i = 0; i < SPAN_DEPTH_MAX + 10; i++)
		fire(QUERY_START, SP(i));
	fire_at(QUERY_START, SP(0), 60000); /* the next one, from the same loop */
	fire_at(QUERY_END, SP(0), 70000);
	for (int i = 0; i < 20; i++) {
		fire(QUERY_START, SP(0));
		fire(QUERY_END, SP(0));
	}
	assert_int_equal(counted(COUNTER_SPAN_TOO_DEEP), 10);
	assert_int_equal(counted(COUNTER_SPAN_ENDS), 21);
	assert_int_equal(counted(COUNTER_SPAN_UNWOUND), SPAN_DEPTH_MAX);
	assert_balanced(0);
}

/* The deepest kept and one too deep share a frame: each end still is its own start's. */
static void too_deep_in_one_frame(void **state)
{
	const __u64 deepest = SP(SPAN_DEPTH_MAX - 1);

	for (int i = 0; i < SPAN_DEPTH_MAX; i++)
		fire(QUERY_START, SP(i));
	fire(SORT_START, deepest);
	assert_int_equal(counted(COUNTER_SPAN_TOO_DEEP), 1);
	fire(SORT_END, deepest);
	assert_int_equal(counted(COUNTER_SPAN_ORPHAN_ENDS), 0);
	assert_int_equal(host.n_records, 0);
	fire(QUERY_END, deepest);
	assert_int_equal(host.n_records, 1);
	assert_int_equal(record(0)->depth, SPAN_DEPTH_MAX - 1);
	assert_balanced(SPAN_DEPTH_MAX - 1);
}

static void threads_are_kept_apart(void **state)
{
	fire_at(QUERY_START, SP(1), 100);
	host.task = &second_task;
	fire_at(QUERY_START, SP(1), 200);
	fire_at(QUERY_END, SP(1), 300);
	host.task = &task;
	fire_at(QUERY_END, SP(1), 400);
	assert_record(0, PAIR_QUERY, SPAN_OK, 200, 300);
	assert_record(1, PAIR_QUERY, SPAN_OK, 100, 400);
	assert_int_equal(record(0)->tid, PID + 1);
	assert_string_equal(record(0)->comm, "worker");
	assert_int_equal(record(0)->parent, 0);
	assert_true(record(0)->id != record(1)->id);
	assert_balanced(0);
}

static void a_full_ring(void **state)
{
	regs.di = text_at(0, "name");
	fire(QUERY_START, SP(1));
	fire(SORT_START, SP(2));
	host.ring_full = true;
	fire(SORT_END, SP(2));
	fire(CHECKPOINT, SP(2));
	assert_int_equal(counted(COUNTER_RING_SPANS_LOST), 1);
	assert_int_equal(counted(COUNTER_RING_MARKS_LOST), 1);
	host.ring_full = false;
	fire(QUERY_END, SP(1)); /* a lost record is one span, not the pairing of others */
	assert_int_equal(host.n_records, 1);
	assert_int_equal(record(0)->status, SPAN_OK);
	assert_true(record(0)->child_ns > 0);
	assert_int_equal(counted(COUNTER_SPAN_ENDS), 2);
	assert_balanced(0);
}

static void the_reader_is_woken(void **state)
{
	fire(QUERY_START, SP(1));
	host.ring_waiting = host_config.wakeup_bytes;
	fire(QUERY_END, SP(1));
	assert_int_equal(host.records[0].flags, BPF_RB_FORCE_WAKEUP);
}

static void what_is_not_ours(void **state)
{
	struct task_struct stranger = {.tgid = 1, .pid = 1, .mm = &mm};

	host.task = &stranger;
	fire(QUERY_START, SP(1));
	host.task = &task;
	fire(SITES, SP(1)); /* no such site */
	gate = 0;
	fire(QUERY_START, SP(1));
	assert_int_equal(counted(COUNTER_PROBE_HITS), 0);
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 0);
	assert_null(thread());
	gate = 1;
	site_at(QUERY_START)->pair = PAIRS; /* no such pair */
	fire(QUERY_START, SP(1));
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 0);
	host.task = &second_task;
	host.no_memory = true;
	fire(SORT_START, SP(1));
	assert_int_equal(counted(COUNTER_SPAN_NO_STATE), 1);
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 0);
}

/* ---- contexts, arguments, marks ---- */

/* The record's strings one after the other, separated by '|'. */
static const char *context_of(size_t i)
{
	static char text[CONTEXT_LEN + 1];
	const struct span_record *r = record(i);

	memcpy(text, r->context, r->context_len);
	text[r->context_len] = '\0';
	for (__u32 c = 0; c + 1 < r->context_len; c++)
		if (!text[c])
			text[c] = '|';
	return text;
}

static void a_query(__u64 first, __u64 second)
{
	regs.di = first;
	regs.si = second;
	fire(QUERY_START, SP(1));
	fire(QUERY_END, SP(1));
}

static void contexts(void **state)
{
	char text[512];

	a_query(text_at(0, "SELECT 1"), text_at(1, "bench"));
	assert_string_equal(context_of(0), "SELECT 1|bench");
	a_query(0, text_at(1, "bench"));
	assert_string_equal(context_of(1), "bench");
	a_query(text_at(0, "gr\xc3\xbc\xc3\x9f dich\n"), 12345);
	assert_string_equal(context_of(2), "gr\xc3\xbc\xc3\x9f dich\n");
	/* No text, though it can be read. */
	a_query(text_at(0, "\001\002\003"), text_at(1, ""));
	assert_int_equal(record(3)->context_len, 0);
	/* Cut, and yet with its NUL; both together fit. */
	memset(text, 'x', sizeof(text));
	text[511] = '\0';
	a_query(text_at(0, text), text_at(1, text));
	assert_true(record(4)->context_len <= CONTEXT_LEN);
	assert_true(strnlen(record(4)->context, CONTEXT_LEN) > CONTEXT_LEN / 2);
	assert_int_equal(record(4)->context[record(4)->context_len - 1], '\0');
	assert_balanced(0);
}

static void contexts_that_fault(void **state)
{
	memory__fault(text_at(0, "SELECT") + 3, FAULT_HARD);
	a_query(DATA, text_at(1, "bench"));
	assert_string_equal(context_of(0), "bench");
	memory__fault(text_at(2, "cold"), FAULT_ABSENT);
	a_query(text_at(2, "cold"), 0);
	assert_string_equal(context_of(1), "cold");
	assert_balanced(0);
}

/* An argument that never was text is left alone; one that was once is not. */
static void arguments_that_are_no_text(void **state)
{
	for (int i = 0; i < 40; i++)
		a_query(i == 3 ? text_at(0, "text") : 0x9999, 0x9999);
	memory.reads = 0;
	regs.di = text_at(0, "text");
	regs.si = text_at(1, "ignored by now");
	fire(QUERY_START, SP(1));
	fire(QUERY_END, SP(1));
	assert_string_equal(context_of(40), "text");
	assert_int_equal(memory.reads, 1);
	assert_int_equal(site_at(QUERY_START)->text_missed[1], 16);
}

/* The end's string counts only where the start had none. */
static void the_ends_context(void **state)
{
	regs.di = text_at(0, "of the start");
	fire(QUERY_START, SP(1));
	regs.di = text_at(1, "of the end");
	fire(QUERY_END, SP(1));
	assert_string_equal(context_of(0), "of the start");
	regs.di = 0;
	fire(QUERY_START, SP(1));
	regs.di = text_at(1, "of the end");
	fire(QUERY_END, SP(1));
	assert_string_equal(context_of(1), "of the end");
}

static void marks(void **state)
{
	const struct mark_record *m = (const void *)host.records[0].bytes;

	start("request", SP(1));
	regs.si = text_at(1, "cart 5");
	host.now = 7777;
	fire_named(CHECKPOINT, "half", SP(3));
	assert_int_equal(host.n_records, 1);
	assert_int_equal(m->type, RECORD_MARK);
	assert_int_equal(m->kind, MARK_CHECKPOINT);
	assert_int_equal(m->tgid, PID);
	assert_int_equal(m->tid, PID);
	assert_int_equal(m->time_ns, 7777);
	assert_int_equal(m->rss_bytes, 100 * 4096);
	assert_string_equal(m->comm, "server");
	assert_string_equal(m->context, "cart 5");
	assert_int_equal(m->context_len, 7);
	assert_int_equal(host.records[0].len, RECORD_HEAD_LEN(struct mark_record) + 7);
	assert_int_equal(m->parent, thread()->open[0].record.id);
	regs.si = 0;
	fire_named(EVENT, "TAG", SP(3));
	m = (const void *)host.records[1].bytes;
	assert_int_equal(m->kind, MARK_EVENT);
	assert_int_equal(m->context_len, 0);
	assert_true(m->name_hash != 0);
	assert_int_equal(counted(COUNTER_MARKS), 2);
	assert_int_equal(counted(COUNTER_SPAN_STARTS), 1);
	end("request", SP(1));
	fire_named(EVENT, "TAG", SP(3));
	m = (const void *)host.records[3].bytes;
	assert_int_equal(m->parent, 0);
}

static void arguments(void **state)
{
	static struct span_thread t;
	struct arg_spec a = {.kind = ARG_REG, .size = 8, .reg_offset = 19 * 8};

	for (int i = 0; i < 21; i++)
		t.regs.word[i] = 0xfedcba9876543200ULL + i;
	assert_int_equal(fetch_arg(&t.regs, &a), 0xfedcba9876543213ULL); /* rsp */
	a.size = 4;
	assert_int_equal(fetch_arg(&t.regs, &a), 0x76543213);
	a.size = 1;
	assert_int_equal(fetch_arg(&t.regs, &a), 0x13);
	t.regs.word[19] = 0x80f0;
	a.is_signed = 1;
	assert_int_equal(fetch_arg(&t.regs, &a), -16);
	a.size = 2;
	assert_int_equal(fetch_arg(&t.regs, &a), -32528);
	a = (struct arg_spec){.kind = ARG_CONST, .size = 4, .is_signed = 1, .value = -7};
	assert_int_equal(fetch_arg(&t.regs, &a), -7);
	a.is_signed = 0;
	assert_int_equal(fetch_arg(&t.regs, &a), 0xfffffff9);
	a.kind = ARG_NONE;
	assert_int_equal(fetch_arg(&t.regs, &a), 0);
	t.regs.word[4] = DATA + 0x100;
	t.regs.word[10] = 5;
	memory__put(DATA + 0x110, 0x1122334455667788ULL);
	memory__put(DATA + 0x138, 42);
	a = (struct arg_spec){.kind = ARG_DEREF, .size = 8, .reg_offset = 4 * 8, .value = 16};
	assert_int_equal(fetch_arg(&t.regs, &a), 0x1122334455667788ULL);
	a.size = 2;
	assert_int_equal(fetch_arg(&t.regs, &a), 0x7788);
	a.scale = 8;
	a.index_offset = 10 * 8;
	assert_int_equal(fetch_arg(&t.regs, &a), 42);
	memory__fault(DATA + 0x138, FAULT_HARD);
	assert_int_equal(fetch_arg(&t.regs, &a), 0);
	a.reg_offset = 0xffff; /* of no register: any word, but none outside */
	a.index_offset = 0xffff;
	fetch_arg(&t.regs, &a);
	assert_int_equal(fetch_arg(NULL, &a), 0);
	assert_int_equal(fetch_arg(&t.regs, NULL), 0);
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

/* Whatever comes, in whatever order: nothing is lost from the books, and no record is nonsense. */
static void a_long_run(void **state)
{
	static const char *const some_names[] = {"a", "b", "c"};
	__u64 open = 0;
	struct span_thread *t;

	for (int i = 0; i < 100000; i++) {
		enum site site = random_below(TX_END + 1);
		size_t before = host.n_records;

		host.n_records = 0;
		host.now += random_below(100);
		regs.di = site <= OWN_END ? text_at(0, some_names[random_below(3)]) : 0;
		fire(site, SP(random_below(80)));
		for (size_t r = 0; r < host.n_records; r++) {
			assert_true(record(r)->start_ns <= record(r)->end_ns);
			assert_true(record(r)->depth < SPAN_DEPTH_MAX);
			assert_true(record(r)->child_ns <= record(r)->end_ns - record(r)->start_ns);
			assert_true(record(r)->id != record(r)->parent);
		}
		host.n_records += before;
	}
	t = thread();
	assert_true(t->depth <= SPAN_DEPTH_MAX);
	for (__u32 i = 0; i < t->depth; i++)
		open += !(t->open[i].record.flags & SPAN_FLAG_SENT);
	open += __builtin_popcount(t->unscoped_used);
	assert_balanced(open);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_span),
		TEST(nested_spans),
		TEST(spans_of_one_frame),
		TEST(healed_by_an_end),
		TEST(healed_by_a_start),
		TEST(healed_by_a_restart),
		TEST(orphan_ends),
		TEST(an_end_from_an_outer_frame),
		TEST(unscoped_spans),
		TEST(unscoped_probes_heal),
		TEST(several_unscoped_spans),
		TEST(found_to_be_unscoped),
		TEST(found_to_be_scoped),
		TEST(a_pair_changes_kind_in_between),
		TEST(a_few_disagreements),
		TEST(an_end_in_the_middle),
		TEST(named_spans),
		TEST(named_spans_of_one_name),
		TEST(named_spans_that_overlap),
		TEST(named_spans_are_unwound),
		TEST(named_spans_outlive_their_frame),
		TEST(names),
		TEST(names_that_cannot_be_read),
		TEST(a_name_that_is_not_in_memory),
		TEST(a_full_name_map),
		TEST(too_deep),
		TEST(named_spans_too_deep),
		TEST(unscoped_while_too_deep),
		TEST(too_deep_and_unwound),
		TEST(too_deep_in_one_frame),
		TEST(threads_are_kept_apart),
		TEST(a_full_ring),
		TEST(the_reader_is_woken),
		TEST(what_is_not_ours),
		TEST(contexts),
		TEST(contexts_that_fault),
		TEST(arguments_that_are_no_text),
		TEST(the_ends_context),
		TEST(marks),
		TEST(arguments),
		TEST(a_long_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
