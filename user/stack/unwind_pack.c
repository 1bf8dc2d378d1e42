// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stack/unwind_internal.h"
#include "stack/unwind_piece.h"

#define PAGE_BYTES (1U << UNWIND_PAGE_BITS)
/* Between functions: filled by the linker, never run. Larger gaps are code without information. */
#define PADDING_MAX 15

#define ROW_HALVES_MAX 2 /* start and number */

#define DIGIT_BITS 11
#define DIGITS	   3
#define BUCKETS	   (1U << DIGIT_BITS)

static bool is_sorted(const struct found *found)
{
	for (size_t i = 1; i < found->functions.len; i++) {
		if (found->functions.data[i - 1].start > found->functions.data[i].start)
			return false;
	}
	return true;
}

/* One pass of a radix sort. */
static void sort_by_digit(const struct found_function *from, struct found_function *to, size_t n,
			  unsigned int shift)
{
	size_t count[BUCKETS] = {0}, sum = 0;

	for (size_t i = 0; i < n; i++)
		count[from[i].start >> shift & (BUCKETS - 1)]++;
	for (size_t i = 0; i < BUCKETS; i++) {
		size_t here = count[i];

		count[i] = sum;
		sum += here;
	}
	for (size_t i = 0; i < n; i++)
		to[count[from[i].start >> shift & (BUCKETS - 1)]++] = from[i];
}

int unwind_sort(struct found *found)
{
	size_t n = found->functions.len;
	struct found_function *from = found->functions.data, *to, *other;

	if (is_sorted(found))
		return 0;
	to = other = malloc(n * sizeof(*to));
	if (!to)
		return -ENOMEM;
	for (unsigned int digit = 0; digit < DIGITS; digit++) {
		struct found_function *swap = from;

		sort_by_digit(from, to, n, digit * DIGIT_BITS);
		from = to;
		to = swap;
	}
	/* An odd number of passes: the result is in the other array. */
	free(found->functions.data);
	found->functions.data = other;
	found->functions.capacity = n;
	return 0;
}

/* What goes behind the starts of the page that was opened last. */
struct page_rules {
	uint16_t number[UNWIND_PAGE_ROWS]; /* of each row */
	uint16_t known[UNWIND_PAGE_RULES], n_known;
	uint8_t place[UNWIND_RULES_MAX]; /* in known[], by number: if that is there */
};

struct packer {
	struct unwind_table *table;
	struct page_rules *page;
	size_t opened;	 /* pages */
	uint32_t rows;	 /* of the last of them */
	uint16_t *piece; /* where it lies */
	uint16_t rule;	 /* in force where the packer is */
};

/* which[] of n rows; rules are known by their first appearance. False: there are too many. */
static bool find_places(struct page_rules *page, uint32_t n, uint8_t *which)
{
	/* No rule has that number. */
	memset(page->known, 0xff, sizeof(page->known));
	page->n_known = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint16_t number = page->number[i];

		if (page->known[page->place[number]] != number) {
			if (page->n_known == UNWIND_PAGE_RULES)
				return false;
			page->place[number] = (uint8_t)page->n_known;
			page->known[page->n_known++] = number;
		}
		which[i] = page->place[number];
	}
	if (n % 2)
		which[n] = 0;
	return true;
}

/* The starts are there already; what belongs behind them follows. */
static void close_page(struct packer *p)
{
	struct unwind_table *t = p->table;
	struct unwind_page *page = &t->pages[p->opened - 1];
	uint32_t n = p->rows;

	page->rows = n;
	if (find_places(p->page, n, (uint8_t *)(p->piece + n)) &&
	    UNWIND_PAGE_NUMBERS(n) + p->page->n_known < 2 * n) {
		page->rules = p->page->n_known;
		memcpy(p->piece + UNWIND_PAGE_NUMBERS(n), p->page->known,
		       p->page->n_known * sizeof(*p->piece));
	} else {
		memcpy(p->piece + n, p->page->number, n * sizeof(*p->piece));
	}
	t->n_rows += n;
	t->n_halves += unwind_piece__halves(*page);
}

static void add_row(struct packer *p, uint16_t start, uint16_t rule)
{
	if (p->rows == UNWIND_PAGE_ROWS) /* no two of a page start at the same place */
		return;
	p->page->number[p->rows] = rule;
	p->piece[p->rows++] = start;
}

static void open_page(struct packer *p)
{
	struct unwind_table *t = p->table;

	if (p->opened)
		close_page(p);
	t->pages[p->opened++].first = (uint32_t)t->n_halves;
	p->piece = t->halves + t->n_halves;
	p->rows = 0;
}

/* Opens all pages up to this one; each begins with the rule in force. */
static void open_pages(struct packer *p, size_t page, bool row_at_start)
{
	while (p->opened <= page) {
		bool last = p->opened == page;

		open_page(p);
		if (last ? !row_at_start : p->rule != UNWIND_RULE_NONE)
			add_row(p, 0, p->rule);
	}
}

static void put(struct packer *p, uint32_t at, uint32_t rule)
{
	if (rule == p->rule)
		return;
	if (p->opened <= at / PAGE_BYTES)
		open_pages(p, at / PAGE_BYTES, at % PAGE_BYTES == 0);
	add_row(p, at % PAGE_BYTES, (uint16_t)rule);
	p->rule = (uint16_t)rule;
}

/* Rows of the function below `end`. */
static void put_function(struct packer *p, const struct found *found,
			 const struct found_function *f, uint32_t end)
{
	for (uint32_t i = 0; i < f->rows; i++) {
		const struct found_row *row = &found->rows.data[f->first + i];

		if (row->start >= end)
			break;
		put(p, row->start, row->rule);
	}
}

/* The next one that counts, behind `i`; `covered` is where the last one that is not secondary ends.
 */
static size_t next_function(const struct found *found, size_t i, uint32_t covered)
{
	for (i++; i < found->functions.len; i++) {
		const struct found_function *f = &found->functions.data[i];

		if (!f->secondary || f->start >= covered)
			break;
	}
	return i;
}

static void put_all(struct packer *p, const struct found *found)
{
	const struct found_function *all = found->functions.data;
	uint32_t covered = 0, limit = (uint32_t)(p->table->n_pages * PAGE_BYTES - 1);
	size_t n = found->functions.len;

	for (size_t i = 0; i < n;) {
		uint32_t end = all[i].end, next;
		size_t following;

		if (!all[i].secondary && end > covered)
			covered = end;
		following = next_function(found, i, covered);
		next = following < n ? all[following].start : limit;
		put_function(p, found, &all[i], next < end ? next : end);
		if (next > end && next - end > PADDING_MAX)
			put(p, end, UNWIND_RULE_NONE);
		i = following;
	}
}

int unwind_pack(const struct found *found, struct unwind_table *table)
{
	struct packer p = {.table = table, .rule = UNWIND_RULE_NONE};
	uint16_t *fitting;

	/* A row more per function, for the gap behind it, and two per page. */
	table->halves = malloc((found->rows.len + found->functions.len + 2 * table->n_pages) *
			       ROW_HALVES_MAX * sizeof(*table->halves));
	table->pages = calloc(table->n_pages, sizeof(*table->pages));
	p.page = malloc(sizeof(*p.page));
	if (!table->halves || !table->pages || !p.page) {
		free(p.page);
		return -ENOMEM;
	}
	memset(p.page->place, 0, sizeof(p.page->place));
	put_all(&p, found);
	open_pages(&p, table->n_pages - 1, p.rule == UNWIND_RULE_NONE);
	close_page(&p);
	free(p.page);
	fitting = realloc(table->halves, (table->n_halves + 1) * sizeof(*table->halves));
	if (fitting)
		table->halves = fitting;
	return 0;
}
