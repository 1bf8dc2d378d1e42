// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "code_file.h"
#include "stack/unwind_piece.h"
#include "stack/unwind_store.h"

#define SHARDS	    2
#define PAGES	    512
#define MAPPINGS    8192
#define LAYOUTS	    16
#define CODE_START  0x7f0000000000ULL
#define PAGE_BYTES  (1ULL << UNWIND_PAGE_BITS)
#define VADDR	    0x401000ULL
#define TIME	    (100 * NSEC_PER_SEC)
#define NOT_MAPPED  -1
#define FRAME_CHAIN -2
#define NO_RULE	    -3

/* ---- tables that say who made them ---- */

static struct {
	uint32_t rows_per_page;
	int calls, fails; /* `fails`: the error of the next ones */
} maker;

/* As many pages as the segment has; every row's rule is 100 + the number of the call. */
static int make_table(const struct elf_image *img, struct unwind_rules *rules,
		      struct unwind_table *out)
{
	const Elf64_Phdr *code = elf_image__segment_at(img, 0);
	uint64_t first = code->p_vaddr & ~(PAGE_BYTES - 1);

	maker.calls++;
	if (maker.fails)
		return maker.fails;
	out->vaddr = first;
	out->n_pages = (code->p_vaddr + code->p_filesz - first + PAGE_BYTES - 1) / PAGE_BYTES;
	out->n_rows = out->n_pages * maker.rows_per_page;
	out->pages = calloc(out->n_pages, sizeof(*out->pages));
	out->halves = calloc(out->n_rows, 2 * sizeof(*out->halves));
	assert_non_null(out->pages);
	assert_non_null(out->halves);
	for (size_t i = 0; i < out->n_pages; i++) {
		struct unwind_page *page = &out->pages[i];
		uint16_t *piece = out->halves + out->n_halves;

		/* One kind of page and the other. */
		*page = (struct unwind_page){out->n_halves, maker.rows_per_page, i % 2};
		for (uint32_t row = 0; row < page->rows; row++) {
			piece[row] = row;
			if (!page->rules)
				piece[page->rows + row] = 100 + maker.calls;
		}
		if (page->rules)
			piece[UNWIND_PAGE_NUMBERS(page->rows)] = 100 + maker.calls;
		out->n_halves += unwind_piece__halves(*page);
	}
	return 0;
}

/* ---- the arrays, and who reads them ---- */

static struct {
	struct unwind_memory memory;
	struct {
		uint64_t number;
		struct unwind_layout value;
	} shown[LAYOUTS];
	size_t n_shown, published;
} kernel;

static int publish(void *arg, uint64_t number, const struct unwind_layout *value)
{
	size_t i = 0;

	kernel.published++;
	while (i < kernel.n_shown && kernel.shown[i].number != number)
		i++;
	if (!value) {
		if (i == kernel.n_shown)
			return -ENOENT;
		kernel.shown[i] = kernel.shown[--kernel.n_shown];
		return 0;
	}
	if (i == LAYOUTS)
		return -E2BIG;
	kernel.n_shown += i == kernel.n_shown;
	kernel.shown[i].number = number;
	kernel.shown[i].value = *value;
	return 0;
}

static const struct unwind_layout *shown(uint64_t number)
{
	for (size_t i = 0; i < kernel.n_shown; i++)
		if (kernel.shown[i].number == number)
			return &kernel.shown[i].value;
	return NULL;
}

/* What the abi promises of every list of mappings. */
static void check_layout(uint64_t number)
{
	const struct unwind_layout *layout = shown(number);
	uint64_t last = 0;

	assert_non_null(layout);
	assert_true(layout->n <= UNWIND_LAYOUT_MAX);
	assert_true(layout->first + layout->n <= kernel.memory.n_mappings);
	for (uint32_t i = 0; i < layout->n; i++) {
		const struct unwind_mapping *m = &kernel.memory.mappings[layout->first + i];

		assert_true(m->start >= last && m->start < m->end);
		last = m->end;
		if (m->kind != UNWIND_BY_RULES)
			continue;
		assert_true(m->first_page + ((m->start - m->base) >> UNWIND_PAGE_BITS) <
			    kernel.memory.n_pages);
		assert_true(m->first_page + ((m->end - 1 - m->base) >> UNWIND_PAGE_BITS) <
			    kernel.memory.n_pages);
	}
}

/* The rule's number for `pc` as the kernel side finds it, or why there is none. */
static int find(uint64_t number, uint64_t pc)
{
	const struct unwind_layout *layout = shown(number);

	check_layout(number);
	for (uint32_t i = 0; i < layout->n; i++) {
		const struct unwind_mapping *m = &kernel.memory.mappings[layout->first + i];
		const uint16_t *piece;
		struct unwind_page page;
		uint64_t end;
		int rule = NO_RULE;

		if (pc < m->start || pc >= m->end)
			continue;
		if (m->kind == UNWIND_BY_FRAME_POINTER)
			return FRAME_CHAIN;
		page = kernel.memory.pages[m->first_page + ((pc - m->base) >> UNWIND_PAGE_BITS)];
		end = page.first + unwind_piece__halves(page);
		assert_true(end <= kernel.memory.n_halves);
		if (page.rows)
			assert_int_equal(page.first >> UNWIND_SHARD_BITS,
					 (end - 1) >> UNWIND_SHARD_BITS);
		piece = kernel.memory.halves + page.first;
		for (uint32_t r = 0; r < page.rows; r++)
			if (piece[r] <= ((pc - m->base) & (PAGE_BYTES - 1)))
				rule = unwind_piece__number(piece, page, r);
		return rule;
	}
	return NOT_MAPPED;
}

static struct unwind_store *begin_with(size_t n_mappings, unwind_build_fn build)
{
	struct unwind_store *store = unwind_store__new(build);

	assert_non_null(store);
	memset(&maker, 0, sizeof(maker));
	maker.rows_per_page = 10;
	kernel.n_shown = kernel.published = 0;
	kernel.memory = (struct unwind_memory){
		.halves = calloc(SHARDS, sizeof(struct unwind_shard)),
		.n_halves = SHARDS * UNWIND_SHARD_HALVES,
		.pages = calloc(PAGES, sizeof(struct unwind_page)),
		.n_pages = PAGES,
		.rules = calloc(UNWIND_RULES_MAX, sizeof(struct unwind_rule)),
		.mappings = calloc(n_mappings, sizeof(struct unwind_mapping)),
		.n_mappings = n_mappings,
		.publish = publish,
	};
	assert_int_equal(unwind_store__bind(store, &kernel.memory, TIME), 0);
	return store;
}

static struct unwind_store *begin(void)
{
	return begin_with(MAPPINGS, make_table);
}

static void end(struct unwind_store *store)
{
	unwind_store__free(store);
	free(kernel.memory.halves);
	free(kernel.memory.pages);
	free(kernel.memory.rules);
	free(kernel.memory.mappings);
}

/* One file mapped at CODE_START is all that the layout has. */
static int set_one(struct unwind_store *store, uint64_t number, const struct code_file *f,
		   uint64_t now_ns)
{
	struct maps maps = {0};
	int ret;

	code_file__add(&maps, f, CODE_START, f->st.st_size - CODE_OFFSET);
	ret = unwind_store__set_layout(store, number, getpid(), &maps, now_ns);
	maps__free(&maps);
	return ret;
}

/* ---- cases ---- */

/* The segment begins in the middle of a page, as VADDR does. */
static void rows_are_found_where_the_code_is(void **state)
{
	struct unwind_store *store = begin();
	struct code_file f;

	code_file__write(&f, code_dir, "one", 1, VADDR, 3 * PAGE_BYTES);
	assert_int_equal(set_one(store, 1, &f, TIME), 0);
	assert_int_equal(find(1, CODE_START), 101);
	assert_int_equal(find(1, CODE_START + 3 * PAGE_BYTES - 1), 101);
	assert_int_equal(find(1, CODE_START + 3 * PAGE_BYTES), NOT_MAPPED);
	assert_int_equal(find(1, CODE_START - 1), NOT_MAPPED);
	/* Page 0 lies below the mapping, by as much as the segment's vaddr is above its page. */
	assert_int_equal(kernel.memory.mappings[shown(1)->first].base,
			 CODE_START - (VADDR & (PAGE_BYTES - 1)));
	end(store);
}

static void one_build_id_is_one_table(void **state)
{
	struct unwind_store *store = begin();
	struct code_file a, b, other, plain, plain2;
	struct unwind_store_facts facts;

	code_file__write(&a, code_dir, "a", 1, VADDR, PAGE_BYTES);
	code_file__write(&b, code_dir, "b", 1, VADDR, PAGE_BYTES);
	code_file__write(&other, code_dir, "other", 2, VADDR, PAGE_BYTES);
	code_file__write(&plain, code_dir, "plain", 0, VADDR, PAGE_BYTES);
	code_file__write(&plain2, code_dir, "plain2", 0, VADDR, PAGE_BYTES);
	assert_int_equal(set_one(store, 1, &a, TIME), 0);
	assert_int_equal(set_one(store, 2, &b, TIME), 0);
	assert_int_equal(maker.calls, 1);
	assert_int_equal(find(1, CODE_START), 101);
	assert_int_equal(find(2, CODE_START), 101);
	assert_int_equal(set_one(store, 3, &other, TIME), 0);
	assert_int_equal(find(3, CODE_START), 102);
	/* Without one it is the file that counts. */
	assert_int_equal(set_one(store, 4, &plain, TIME), 0);
	assert_int_equal(set_one(store, 5, &plain, TIME), 0);
	assert_int_equal(set_one(store, 6, &plain2, TIME), 0);
	assert_int_equal(find(4, CODE_START), find(5, CODE_START));
	assert_int_equal(find(6, CODE_START), 104);
	assert_int_equal(maker.calls, 4);
	unwind_store__facts(store, &facts);
	assert_int_equal(facts.tables, 4);
	end(store);
}

/* Another version of a library under the same name, and one written over in place. */
static void changed_files_get_new_tables(void **state)
{
	struct unwind_store *store = begin();
	struct code_file f;
	int fd;

	code_file__write(&f, code_dir, "lib", 0, VADDR, PAGE_BYTES);
	assert_int_equal(set_one(store, 1, &f, TIME), 0);
	code_file__write(&f, code_dir, "lib", 0, VADDR, 2 * PAGE_BYTES);
	assert_int_equal(set_one(store, 2, &f, TIME), 0);
	assert_int_equal(find(1, CODE_START), 101);
	assert_int_equal(find(2, CODE_START), 102);
	fd = open(f.path, O_WRONLY);
	assert_int_equal(pwrite(fd, "changed", 7, CODE_OFFSET), 7);
	assert_int_equal(futimens(fd, (struct timespec[]){{1, 0}, {1, 0}}), 0);
	close(fd);
	assert_int_equal(set_one(store, 2, &f, TIME), 0);
	assert_int_equal(find(2, CODE_START), 103);
	end(store);
}

static void pages_never_cross_a_shard(void **state)
{
	struct unwind_store *store = begin();
	struct code_file f;

	/* Five of these pages fit a shard. */
	maker.rows_per_page = 60000;
	code_file__write(&f, code_dir, "large", 1, 0, 9 * PAGE_BYTES);
	assert_int_equal(set_one(store, 1, &f, TIME), 0);
	for (uint64_t page = 0; page < 9; page++) /* find() looks at shards */
		assert_int_equal(find(1, CODE_START + page * PAGE_BYTES), 101);
	end(store);
}

static void full_tables_make_room_after_a_second(void **state)
{
	struct unwind_store *store = begin();
	struct unwind_store_facts facts;
	struct code_file f, g;

	maker.rows_per_page = 60000;
	code_file__write(&f, code_dir, "f", 1, VADDR, 5 * PAGE_BYTES);
	code_file__write(&g, code_dir, "g", 2, VADDR, 5 * PAGE_BYTES);
	assert_int_equal(set_one(store, 1, &f, TIME), 0);
	/* It is known, but has no rules. */
	assert_int_equal(set_one(store, 2, &g, TIME), -EAGAIN);
	assert_int_equal(find(2, CODE_START), NO_RULE);
	assert_int_equal(find(1, CODE_START), 101);
	unwind_store__facts(store, &facts);
	assert_int_equal(facts.cut, 1);

	/* Nobody has the first one any more, but somebody may be reading it. */
	unwind_store__drop_layout(store, 1, TIME + NSEC_PER_SEC);
	assert_null(shown(1));
	assert_int_equal(set_one(store, 2, &g, TIME + 2 * NSEC_PER_SEC - 1), -EAGAIN);
	assert_int_equal(find(2, CODE_START), NO_RULE);
	assert_int_equal(set_one(store, 2, &g, TIME + 4 * NSEC_PER_SEC), 0);
	assert_in_range(find(2, CODE_START), 102, 104);
	assert_int_equal(find(2, CODE_START + 4 * PAGE_BYTES), find(2, CODE_START));
	unwind_store__facts(store, &facts);
	assert_int_equal(facts.evicted, 1);
	assert_int_equal(facts.rows, 6 * 60000);
	end(store);
}

static void unused_tables_are_kept_while_there_is_room(void **state)
{
	struct unwind_store *store = begin();
	struct code_file f;

	code_file__write(&f, code_dir, "f", 1, VADDR, PAGE_BYTES);
	assert_int_equal(set_one(store, 1, &f, TIME), 0);
	unwind_store__drop_layout(store, 1, TIME);
	assert_int_equal(set_one(store, 2, &f, TIME + 60 * NSEC_PER_SEC), 0);
	assert_int_equal(find(2, CODE_START), 101);
	assert_int_equal(maker.calls, 1);
	end(store);
}

static void old_mappings_stay_readable_for_a_second(void **state)
{
	struct unwind_store *store = begin_with(2, make_table);
	struct unwind_mapping before;
	struct unwind_layout first;
	struct code_file f, g, h;

	code_file__write(&f, code_dir, "f", 1, VADDR, PAGE_BYTES);
	code_file__write(&g, code_dir, "g", 2, VADDR, PAGE_BYTES);
	code_file__write(&h, code_dir, "h", 3, VADDR, PAGE_BYTES);
	assert_int_equal(set_one(store, 1, &f, TIME), 0);
	first = *shown(1);
	before = kernel.memory.mappings[first.first];
	assert_int_equal(set_one(store, 1, &g, TIME), 0);
	assert_int_not_equal(shown(1)->first, first.first);
	assert_int_not_equal(shown(1)->seed, first.seed);
	/* Two places are all there are: one is shown, one was a moment ago. */
	assert_int_equal(set_one(store, 1, &h, TIME + NSEC_PER_SEC - 1), -ENOSPC);
	assert_memory_equal(&kernel.memory.mappings[first.first], &before, sizeof(before));
	assert_null(shown(1)); /* what it said is true no more */
	assert_int_equal(set_one(store, 1, &h, TIME + 2 * NSEC_PER_SEC), 0);
	assert_int_equal(find(1, CODE_START), 103);
	end(store);
}

static void nothing_new_is_not_published(void **state)
{
	struct unwind_store *store = begin();
	struct unwind_layout first;
	struct code_file f;

	code_file__write(&f, code_dir, "f", 1, VADDR, PAGE_BYTES);
	assert_int_equal(set_one(store, 1, &f, TIME), 0);
	first = *shown(1);
	assert_int_equal(set_one(store, 1, &f, TIME), 0);
	assert_int_equal(kernel.published, 1);
	assert_memory_equal(shown(1), &first, sizeof(first));
	end(store);
}

static void code_without_tables_is_followed_by_frame_pointers(void **state)
{
	struct unwind_store *store = begin();
	struct maps maps = {0};
	struct code_file f;

	/* Larger than the mapped file's pages: before them, and after. */
	code_file__write(&f, code_dir, "f", 1, 0, PAGE_BYTES);
	code_file__add(&maps, NULL, CODE_START, PAGE_BYTES);
	code_file__add(&maps, &f, CODE_START + PAGE_BYTES, 3 * PAGE_BYTES);
	code_file__add(&maps, NULL, CODE_START + 5 * PAGE_BYTES, PAGE_BYTES);
	assert_int_equal(unwind_store__set_layout(store, 1, getpid(), &maps, TIME), 0);
	assert_int_equal(find(1, CODE_START), FRAME_CHAIN);
	assert_int_equal(find(1, CODE_START + PAGE_BYTES), 101);
	assert_int_equal(find(1, CODE_START + 2 * PAGE_BYTES), FRAME_CHAIN);
	assert_int_equal(find(1, CODE_START + 4 * PAGE_BYTES), NOT_MAPPED);
	assert_int_equal(find(1, CODE_START + 5 * PAGE_BYTES), FRAME_CHAIN);
	maps__free(&maps);

	maker.fails = -ENOENT;
	code_file__write(&f, code_dir, "f", 3, VADDR, PAGE_BYTES);
	assert_int_equal(set_one(store, 2, &f, TIME), 0);
	assert_int_equal(find(2, CODE_START), FRAME_CHAIN);
	end(store);
}

static void hostile_mappings(void **state)
{
	struct unwind_store *store = begin();
	struct maps maps = {0};
	struct code_file f, wild;

	/* 20,000 pieces of made code, each apart from the next, and a file between them. */
	code_file__write(&f, code_dir, "f", 1, VADDR, PAGE_BYTES);
	for (int i = 0; i < 20000; i++)
		code_file__add(&maps, i == 10000 ? &f : NULL, CODE_START + i * 4 * PAGE_BYTES,
			       PAGE_BYTES);
	assert_int_equal(unwind_store__set_layout(store, 1, getpid(), &maps, TIME), 0);
	assert_int_equal(shown(1)->n, 3);
	assert_int_equal(find(1, CODE_START + 40000 * PAGE_BYTES), 101);
	assert_int_equal(find(1, CODE_START + 79996 * PAGE_BYTES), FRAME_CHAIN);
	maps__free(&maps);

	/* The same file 6,000 times: the last ones are left out. */
	for (int i = 0; i < 6000; i++)
		code_file__add(&maps, &f, CODE_START + i * 4 * PAGE_BYTES, PAGE_BYTES);
	assert_int_equal(unwind_store__set_layout(store, 2, getpid(), &maps, TIME), 0);
	check_layout(2);
	assert_int_equal(shown(2)->n, UNWIND_LAYOUT_MAX);
	assert_int_equal(maker.calls, 1);
	maps__free(&maps);

	/* Vaddrs at the end of the world, mapped at its beginning and at its end. */
	code_file__write(&wild, code_dir, "wild", 2, -2 * PAGE_BYTES, PAGE_BYTES);
	code_file__add(&maps, &wild, PAGE_BYTES / 2, PAGE_BYTES);
	code_file__add(&maps, &f, -PAGE_BYTES, PAGE_BYTES / 2);
	assert_int_equal(unwind_store__set_layout(store, 3, getpid(), &maps, TIME), 0);
	assert_int_equal(find(3, PAGE_BYTES), 102);
	assert_int_equal(find(3, -PAGE_BYTES), 101);
	maps__free(&maps);
	end(store);
}

/* With everything real: this very program. */
static void own_process(void **state)
{
	struct unwind_store *store = unwind_store__new(NULL);
	struct maps maps = {0};
	struct unwind_store_facts facts;
	const struct mapping *m;
	size_t shards, pages;
	int rule;

	assert_int_equal(maps__load(getpid(), &maps), 0);
	assert_int_equal(unwind_store__learn(store, getpid(), &maps), 0);
	unwind_store__needs(store, &shards, &pages);
	assert_in_range(shards, 8, 32); /* 8 MB are spare */
	assert_in_range(pages, 65536, 100000);
	unwind_store__free(store);

	store = begin_with(MAPPINGS, NULL);
	assert_int_equal(unwind_store__set_layout(store, 1, getpid(), &maps, TIME), 0);
	rule = find(1, (uint64_t)(uintptr_t)own_process + 4);
	assert_true(rule > UNWIND_RULE_END);
	assert_true(kernel.memory.rules[rule].cfa == UNWIND_RSP ||
		    kernel.memory.rules[rule].cfa == UNWIND_RBP);
	assert_true(find(1, (uint64_t)(uintptr_t)printf) > UNWIND_RULE_END);
	vec_for_each (&maps.list, m) {
		if (!strcmp(m->path, "[vdso]"))
			assert_true(
				kernel.memory.mappings[shown(1)->first + shown(1)->n - 1].kind ==
				UNWIND_BY_RULES);
		if (!strcmp(m->path, "[vsyscall]"))
			assert_int_equal(find(1, m->start), NOT_MAPPED);
	}
	unwind_store__facts(store, &facts);
	assert_true(facts.tables >= 3 && facts.rows > 1000);
	maps__free(&maps);
	end(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_found_where_the_code_is),
		cmocka_unit_test(one_build_id_is_one_table),
		cmocka_unit_test(changed_files_get_new_tables),
		cmocka_unit_test(pages_never_cross_a_shard),
		cmocka_unit_test(full_tables_make_room_after_a_second),
		cmocka_unit_test(unused_tables_are_kept_while_there_is_room),
		cmocka_unit_test(old_mappings_stay_readable_for_a_second),
		cmocka_unit_test(nothing_new_is_not_published),
		cmocka_unit_test(code_without_tables_is_followed_by_frame_pointers),
		cmocka_unit_test(hostile_mappings),
		cmocka_unit_test(own_process),
	};

	return cmocka_run_group_tests(tests, code_dir__make, code_dir__remove);
}
