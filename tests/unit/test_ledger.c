// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/ledger.h"

static struct ledger_input full_books(void)
{
	struct ledger_input in = {.heap_traced = true};

	in.counters[COUNTER_SPAN_STARTS] = 100;
	in.counters[COUNTER_SPAN_ENDS] = 80;
	in.counters[COUNTER_SPAN_UNWOUND] = 10;
	in.counters[COUNTER_SPAN_UNFINISHED] = 6;
	in.counters[COUNTER_SPAN_TOO_DEEP] = 3;
	in.open_spans = 1;
	in.counters[COUNTER_HEAP_ALLOCS] = 1000;
	in.counters[COUNTER_HEAP_FREES] = 700;
	in.counters[COUNTER_HEAP_LIVE_FULL] = 20;
	in.counters[COUNTER_HEAP_CONFLICTS] = 5;
	in.live_blocks = 264;
	in.in_flight_blocks = 1;
	in.gone_blocks = 10;
	return in;
}

static void accounted_books_balance(void **state)
{
	struct ledger_input in = full_books();
	struct ledger ledger;

	ledger__settle(&ledger, &in);
	assert_int_equal(ledger.spans.residual, 0);
	assert_int_equal(ledger.heap.residual, 0);
	assert_true(ledger.balanced);
	assert_int_equal(ledger.lost, 28);
	assert_false(ledger__is_complete(&ledger));
	assert_int_equal(ledger.seen, 1000 + 700 + 100 + 80);
}

static void residuals_have_a_sign(void **state)
{
	struct ledger_input in = full_books();
	struct ledger ledger;

	in.counters[COUNTER_SPAN_ENDS] += 2;
	in.live_blocks -= 3;
	ledger__settle(&ledger, &in);
	assert_int_equal(ledger.spans.residual, -2);
	assert_int_equal(ledger.heap.residual, 3);
	assert_false(ledger.balanced);
}

static void an_untraced_heap_has_no_residual(void **state)
{
	struct ledger_input in = {.live_blocks = 4};
	struct ledger ledger;

	ledger__settle(&ledger, &in);
	assert_true(ledger.balanced);
	assert_true(ledger__is_complete(&ledger));
}

static void halves_before_the_attach_are_unmatched(void **state)
{
	struct ledger_input in = {0};
	struct ledger ledger;

	in.counters[COUNTER_HEAP_UNKNOWN_FREES] = 3;
	in.counters[COUNTER_SPAN_ORPHAN_ENDS] = 2;
	ledger__settle(&ledger, &in);
	assert_int_equal(ledger.unmatched, 5);
	assert_int_equal(ledger.lost, 0);
	assert_true(ledger__is_complete(&ledger));
}

static void stacks_are_complete_or_have_a_reason(void **state)
{
	struct ledger_input in = {0};
	struct ledger ledger;

	ledger__settle(&ledger, &in);
	assert_int_equal(ledger.stacks.captured, 0);
	assert_true(ledger__complete_stacks(&ledger) == 1);
	in.counters[COUNTER_STACKS_COMPLETE] = 75;
	in.counters[COUNTER_STACKS_NO_RULE] = 20;
	in.counters[COUNTER_STACKS_NO_TABLES] = 5;
	ledger__settle(&ledger, &in);
	assert_int_equal(ledger.stacks.captured, 100);
	assert_int_equal(ledger.stacks.complete, 75);
	assert_int_equal(ledger.stacks.ended[UNWIND_STOP_NO_RULE], 20);
	assert_int_equal(ledger.stacks.ended[UNWIND_STOP_NO_TABLES], 5);
	assert_true(ledger__complete_stacks(&ledger) == 0.75);
	/* A cut stack is no loss. */
	assert_true(ledger__is_complete(&ledger));
	assert_string_equal(unwind_stop_name(UNWIND_STOP_END), "end");
	assert_string_equal(unwind_stop_name(UNWIND_STOP_NO_MAPPING), "no_mapping");
	assert_string_equal(unwind_stop_name(UNWIND_STOP_READ_FAULT), "read_fault");
	assert_string_equal(unwind_stop_name(UNWIND_STOP_DEPTH), "depth");
	assert_string_equal(unwind_stop_name(UNWIND_STOPS), "unknown");
}

static void counters_know_their_names(void **state)
{
	assert_string_equal(counter_name(COUNTER_HEAP_ALLOCS), "heap_allocs");
	assert_string_equal(counter_sentence(COUNTER_MARKS), "checkpoints and events");
	assert_int_equal(counter_kind(COUNTER_RING_SPANS_LOST), COUNTER_KIND_LOST);
	assert_int_equal(counter_kind(COUNTER_HEAP_UNKNOWN_FREES), COUNTER_KIND_ODD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accounted_books_balance),
		cmocka_unit_test(residuals_have_a_sign),
		cmocka_unit_test(an_untraced_heap_has_no_residual),
		cmocka_unit_test(halves_before_the_attach_are_unmatched),
		cmocka_unit_test(stacks_are_complete_or_have_a_reason),
		cmocka_unit_test(counters_know_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
