// SPDX-License-Identifier: BSD-2-Clause
#include "stack/unwind_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stack/unwind_internal.h"
#include "stack/unwind_piece.h"
#include "stack/unwind_translate.h"

#define PAGE_BYTES (1ULL << UNWIND_PAGE_BITS)
/* 4 GB of code: positions fit 32 bits. */
#define PAGES_MAX 65535

struct builder {
	struct found found;
	struct unwind_rules *rules;
	size_t rules_left;	 /* that it may add */
	size_t rules_known;	 /* before, and those it has added */
	uint64_t base;		 /* vaddr of page 0 */
	uint64_t begin, end;	 /* of the code, [begin, end) */
	struct unwind_rule rule; /* the last one, and its number */
	uint32_t number;
	bool secondary;
};

static int begin_function(void *arg, uint64_t start, uint64_t end)
{
	struct builder *b = arg;
	struct found_function *f;

	if (start < b->begin || start >= b->end)
		return 1;
	f = vec_push(&b->found.functions);
	if (!f)
		return -ENOMEM;
	f->start = f->end = (uint32_t)(start - b->base);
	f->first = (uint32_t)b->found.rows.len;
	f->secondary = b->secondary;
	return 0;
}

static int number_rule(struct builder *b, const struct unwind_rule *rule)
{
	int number = unwind_rules__number(b->rules, rule);

	if (number < 0)
		return number;
	if ((size_t)number >= b->rules_known) {
		b->rules_known = (size_t)number + 1;
		if (!b->rules_left--)
			return -E2BIG;
	}
	b->rule = *rule;
	b->number = (uint32_t)number;
	return 0;
}

/* Millions of times: no call for each. */
static int reserve_row(struct found *found)
{
	size_t capacity = found->rows.capacity ? 2 * found->rows.capacity : 4096;
	void *grown;

	if (found->rows.len < found->rows.capacity)
		return 0;
	if (found->rows.len >= UNWIND_ROWS_MAX)
		return -E2BIG;
	grown = realloc(found->rows.data, capacity * sizeof(*found->rows.data));
	if (!grown)
		return -ENOMEM;
	found->rows.data = grown;
	found->rows.capacity = capacity;
	return 0;
}

static int add_row(void *arg, const struct cfi_row *row)
{
	struct builder *b = arg;
	struct found_function *f = &b->found.functions.data[b->found.functions.len - 1];
	struct unwind_rule rule = unwind_translate(row);
	int err = 0;

	if (row->start >= b->end)
		return 0;
	/* As far as its description makes sense. */
	f->end = (uint32_t)((row->end < b->end ? row->end : b->end) - b->base);
	if (memcmp(&rule, &b->rule, sizeof(rule)))
		err = number_rule(b, &rule);
	else if (f->rows)
		return 0; /* the row before says the same */
	if (!err)
		err = reserve_row(&b->found);
	if (err)
		return err;
	b->found.rows.data[b->found.rows.len++] =
		(struct found_row){.start = (uint32_t)(row->start - b->base), .rule = b->number};
	f->rows++;
	return 0;
}

static int add_section(struct builder *b, const struct cfi_section *section,
		       struct unwind_table *out)
{
	struct cfi_visitor visitor = {.function = begin_function, .row = add_row, .arg = b};
	struct cfi_counts counts;
	int err = cfi_section__walk(section, &visitor, &counts);

	out->eh_frame_bytes += section->size;
	out->entries += counts.entries;
	out->bad_entries += counts.bad;
	return err;
}

static int set_code(struct builder *b, uint64_t begin, uint64_t end, struct unwind_table *out)
{
	b->base = begin & ~(PAGE_BYTES - 1);
	b->begin = begin;
	b->end = end;
	if (end <= begin)
		return -ENOENT;
	if (end - b->base > PAGES_MAX * PAGE_BYTES)
		return -E2BIG;
	out->vaddr = b->base;
	out->n_pages = (end - b->base + PAGE_BYTES - 1) / PAGE_BYTES;
	return 0;
}

static int finish(struct builder *b, struct unwind_table *out)
{
	int err = b->found.rows.len ? unwind_sort(&b->found) : -ENOENT;

	return err ? err : unwind_pack(&b->found, out);
}

static struct builder new_builder(struct unwind_rules *rules)
{
	return (struct builder){.rules = rules,
				.rules_known = unwind_rules__count(rules),
				.rules_left = UNWIND_IMAGE_RULES_MAX,
				.rule = {.cfa = UNWIND_NONE},
				.number = UNWIND_RULE_NONE};
}

static int end_build(struct builder *b, struct unwind_table *out, int err)
{
	vec_free(&b->found.functions);
	vec_free(&b->found.rows);
	if (err)
		unwind_table__free(out);
	return err;
}

int unwind_table__build_section(const struct cfi_section *section, uint64_t begin, uint64_t end,
				struct unwind_rules *rules, struct unwind_table *out)
{
	struct builder b = new_builder(rules);
	int err;

	*out = (struct unwind_table){0};
	err = set_code(&b, begin, end, out);
	if (!err)
		err = add_section(&b, section, out);
	if (!err)
		err = finish(&b, out);
	return end_build(&b, out, err);
}

/* From the first byte of executable segments to behind the last. */
static void find_code(const struct elf_image *img, uint64_t *begin, uint64_t *end)
{
	*begin = UINT64_MAX;
	*end = 0;
	for (size_t i = 0; i < elf_image__segment_count(img); i++) {
		const Elf64_Phdr *p = elf_image__segment_at(img, i);

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || !p->p_filesz)
			continue;
		if (p->p_vaddr < *begin)
			*begin = p->p_vaddr;
		if (p->p_vaddr + p->p_filesz > *end)
			*end = p->p_vaddr + p->p_filesz;
	}
}

static int add_loaded(struct builder *b, struct cfi_section *section, struct unwind_table *out)
{
	int err = add_section(b, section, out);

	cfi_section__free(section);
	return err;
}

/* Either may be absent. Of a program with Go and C in it each describes a part. */
static int add_sections(struct builder *b, const struct elf_image *img, struct unwind_table *out)
{
	struct cfi_section section;
	int err = cfi_section__load(img, &section);

	if (!err)
		err = add_loaded(b, &section, out);
	if (err && err != -ENOENT)
		return err;
	b->secondary = true;
	if (cfi_section__load_debug(img, &section)) /* not needed for running: it may be anything */
		return 0;
	return add_loaded(b, &section, out);
}

int unwind_table__build(const struct elf_image *img, struct unwind_rules *rules,
			struct unwind_table *out)
{
	struct builder b = new_builder(rules);
	uint64_t begin, end;
	int err;

	*out = (struct unwind_table){0};
	find_code(img, &begin, &end);
	err = set_code(&b, begin, end, out);
	if (!err)
		err = add_sections(&b, img, out);
	if (!err)
		err = finish(&b, out);
	return end_build(&b, out, err == -EFBIG ? -E2BIG : err);
}

void unwind_table__free(struct unwind_table *table)
{
	free(table->pages);
	free(table->halves);
	*table = (struct unwind_table){0};
}

struct unwind_rule unwind_table__find(const struct unwind_table *table,
				      const struct unwind_rules *rules, uint64_t vaddr)
{
	uint64_t page = (vaddr - table->vaddr) >> UNWIND_PAGE_BITS;
	uint16_t low = vaddr % PAGE_BYTES, number = UNWIND_RULE_NONE;
	const uint16_t *piece;
	uint32_t at = 0, n;

	if (vaddr < table->vaddr || page >= table->n_pages)
		return unwind_rules__data(rules)[UNWIND_RULE_NONE];
	piece = table->halves + table->pages[page].first;
	n = table->pages[page].rows;
	/* The rows before `at` start at or below `low`, those from at + n on above it. */
	while (n) {
		uint32_t half = n / 2;

		if (piece[at + half] <= low) {
			at += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	if (at)
		number = unwind_piece__number(piece, table->pages[page], at - 1);
	return unwind_rules__data(rules)[number];
}
