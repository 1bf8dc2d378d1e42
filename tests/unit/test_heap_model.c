// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "model/heap.h"

static struct call_site *add(struct heap_snapshot *heap, const char *module, uint64_t offset,
			     uint64_t live)
{
	struct heap_frame frames[2] = {
		{.function = "leaf", .module = module, .offset = offset},
		{.function = "main", .module = "/bin/app", .offset = 1},
	};
	struct call_site *site = heap_snapshot__add_site(heap, frames, 2);

	assert_non_null(site);
	site->allocs = 10;
	site->frees = 4;
	site->live_blocks = 6;
	site->live_bytes = live;
	site->first_ns = 100 + live;
	site->last_ns = 200 + live;
	site->largest = live;
	return site;
}

static void same_places_become_one_site(void **state)
{
	struct heap_snapshot heap = {0};
	char other_copy[] = "/lib/a.so";
	const struct call_site *site;

	add(&heap, "/lib/a.so", 0x10, 50);
	add(&heap, "/lib/b.so", 0x10, 7);
	add(&heap, other_copy, 0x10, 30);
	add(&heap, "/lib/a.so", 0x11, 9);
	heap_snapshot__merge_sites(&heap);
	heap_snapshot__sort_by_live(&heap);
	assert_int_equal(heap.sites.len, 3);
	site = &heap.sites.data[0];
	assert_int_equal(site->live_bytes, 80);
	assert_int_equal(site->allocs, 20);
	assert_int_equal(site->live_blocks, 12);
	assert_int_equal(site->first_ns, 130);
	assert_int_equal(site->last_ns, 250);
	assert_int_equal(site->largest, 50);
	assert_int_equal(heap.sites.data[1].live_bytes, 9);
	assert_int_equal(heap.sites.data[2].live_bytes, 7);
	heap_snapshot__free(&heap);
}

/* A copy of a library in a container is the same code; another version at the same path is not. */
static void build_ids_say_what_is_the_same(void **state)
{
	struct heap_snapshot heap = {0};

	add(&heap, "/lib/a.so", 0x10, 50)->frames[0].build_id = "c0ffee";
	add(&heap, "/overlay/lib/a.so", 0x10, 30)->frames[0].build_id = "c0ffee";
	add(&heap, "/lib/a.so", 0x10, 7)->frames[0].build_id = "decaf";
	add(&heap, "/lib/a.so", 0x10, 3);
	heap_snapshot__merge_sites(&heap);
	heap_snapshot__sort_by_live(&heap);
	assert_int_equal(heap.sites.len, 3);
	assert_int_equal(heap.sites.data[0].live_bytes, 80);
	assert_int_equal(heap.sites.data[1].live_bytes, 7);
	assert_int_equal(heap.sites.data[2].live_bytes, 3);
	heap_snapshot__free(&heap);
}

static void a_cut_stack_is_not_the_whole_one(void **state)
{
	struct heap_snapshot heap = {0};

	add(&heap, "/lib/a.so", 0x10, 50);
	add(&heap, "/lib/a.so", 0x10, 50)->truncated = true;
	add(&heap, "/lib/a.so", 0x10, 50)->depth = 1;
	heap_snapshot__merge_sites(&heap);
	assert_int_equal(heap.sites.len, 3);
	heap_snapshot__free(&heap);
}

static void unreadable_stacks_stay_apart(void **state)
{
	struct heap_snapshot heap = {0};

	heap_snapshot__merge_sites(&heap);
	heap_snapshot__sort_by_live(&heap);
	assert_non_null(heap_snapshot__add_site(&heap, NULL, 0));
	assert_non_null(heap_snapshot__add_site(&heap, NULL, 0));
	heap_snapshot__merge_sites(&heap);
	assert_int_equal(heap.sites.len, 2);
	heap_snapshot__free(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_places_become_one_site),
		cmocka_unit_test(build_ids_say_what_is_the_same),
		cmocka_unit_test(a_cut_stack_is_not_the_whole_one),
		cmocka_unit_test(unreadable_stacks_stay_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
