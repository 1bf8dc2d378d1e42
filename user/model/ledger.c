// SPDX-License-Identifier: BSD-2-Clause
#include "model/ledger.h"

#include <ctype.h>
#include <string.h>

static const struct {
	char name[40];
	enum counter_kind kind;
	const char *sentence;
} table[COUNTER_COUNT] = {
#define X(name, kind, sentence) [COUNTER_##name] = {#name, COUNTER_KIND_##kind, sentence},
	COUNTERS(X)
#undef X
};

const char *counter_name(enum counter counter)
{
	static char lower[COUNTER_COUNT][sizeof(table[0].name)];
	char *name = lower[counter];

	if (!name[0])
		for (int i = 0; table[counter].name[i]; i++)
			name[i] = (char)tolower((unsigned char)table[counter].name[i]);
	return name;
}

const char *counter_sentence(enum counter counter)
{
	return table[counter].sentence;
}

enum counter_kind counter_kind(enum counter counter)
{
	return table[counter].kind;
}

/* Byte counters and probe hits are not events of the target. */
static uint64_t events_seen(const uint64_t *c)
{
	return c[COUNTER_HEAP_ALLOCS] + c[COUNTER_HEAP_FREES] + c[COUNTER_HEAP_FAILED] +
	       c[COUNTER_HEAP_UNKNOWN_FREES] + c[COUNTER_SPAN_STARTS] + c[COUNTER_SPAN_ENDS] +
	       c[COUNTER_SPAN_ORPHAN_ENDS] + c[COUNTER_MARKS] + c[COUNTER_SAMPLES];
}

static void settle_spans(struct ledger *l, const struct ledger_input *in)
{
	const uint64_t *c = in->counters;

	l->spans.starts = c[COUNTER_SPAN_STARTS];
	l->spans.ends = c[COUNTER_SPAN_ENDS];
	l->spans.unwound = c[COUNTER_SPAN_UNWOUND];
	l->spans.unfinished = c[COUNTER_SPAN_UNFINISHED];
	l->spans.dropped = c[COUNTER_SPAN_TOO_DEEP];
	l->spans.open = in->open_spans;
	l->spans.orphan_ends = c[COUNTER_SPAN_ORPHAN_ENDS];
	l->spans.residual = (int64_t)(l->spans.starts -
				      (l->spans.ends + l->spans.unwound + l->spans.unfinished +
				       l->spans.dropped + l->spans.open));
}

static void settle_heap(struct ledger *l, const struct ledger_input *in)
{
	const uint64_t *c = in->counters;

	l->heap.traced = in->heap_traced;
	l->heap.allocs = c[COUNTER_HEAP_ALLOCS];
	l->heap.frees = c[COUNTER_HEAP_FREES];
	l->heap.live = in->live_blocks;
	l->heap.in_flight = in->in_flight_blocks;
	l->heap.gone = in->gone_blocks;
	/* The ways in which a counted block leaves the live set without a free. */
	l->heap.lost = c[COUNTER_HEAP_LIVE_FULL] + c[COUNTER_HEAP_CONFLICTS] +
		       c[COUNTER_HEAP_RESTORE_FAILED];
	l->heap.unknown_frees = c[COUNTER_HEAP_UNKNOWN_FREES];
	l->heap.missed_returns = c[COUNTER_HEAP_MISSED_RETURNS];
	l->heap.conflicts = c[COUNTER_HEAP_CONFLICTS];
	if (l->heap.traced)
		l->heap.residual = (int64_t)(l->heap.allocs -
					     (l->heap.frees + l->heap.live + l->heap.in_flight +
					      l->heap.gone + l->heap.lost));
}

_Static_assert(COUNTER_STACKS_NO_TABLES - COUNTER_STACKS_COMPLETE == UNWIND_STOP_NO_TABLES &&
		       UNWIND_STOP_NO_TABLES + 1 == UNWIND_STOPS,
	       "a counter for each reason, in their order");

enum counter unwind_stop_counter(enum unwind_stop stop)
{
	return (enum counter)(COUNTER_STACKS_COMPLETE + stop);
}

const char *unwind_stop_name(unsigned int stop)
{
	if (stop == UNWIND_STOP_END)
		return "end";
	return stop < UNWIND_STOPS ? counter_name(unwind_stop_counter(stop)) + strlen("stacks_")
				   : "unknown";
}

static void settle_stacks(struct ledger *l, const struct ledger_input *in)
{
	for (enum unwind_stop stop = 0; stop < UNWIND_STOPS; stop++) {
		l->stacks.ended[stop] = in->counters[unwind_stop_counter(stop)];
		l->stacks.captured += l->stacks.ended[stop];
	}
	l->stacks.complete = l->stacks.ended[UNWIND_STOP_END];
}

double ledger__complete_stacks(const struct ledger *l)
{
	return l->stacks.captured ? (double)l->stacks.complete / (double)l->stacks.captured : 1;
}

void ledger__settle(struct ledger *l, const struct ledger_input *in)
{
	memset(l, 0, sizeof(*l));
	memcpy(l->counters, in->counters, sizeof(l->counters));
	l->seen = events_seen(in->counters);
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (table[i].kind == COUNTER_KIND_LOST)
			l->lost += in->counters[i];
	l->unmatched =
		in->counters[COUNTER_HEAP_UNKNOWN_FREES] + in->counters[COUNTER_SPAN_ORPHAN_ENDS];
	settle_spans(l, in);
	settle_heap(l, in);
	settle_stacks(l, in);
	l->children.followed = in->children_followed;
	l->children.never_linked = in->children_never_linked;
	l->children.gap_ns_total = in->gap_ns_total;
	l->children.gap_ns_max = in->gap_ns_max;
	l->balanced = !l->spans.residual && !l->heap.residual;
}

bool ledger__is_complete(const struct ledger *l)
{
	return l->balanced && !l->lost && !l->children.never_linked && !l->children.gap_ns_total;
}
