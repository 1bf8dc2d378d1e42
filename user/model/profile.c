// SPDX-License-Identifier: BSD-2-Clause
#include "model/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/clock.h"

struct profile_stack *profile__add_stack(struct profile *p, const struct heap_frame *frames,
					 uint32_t depth)
{
	struct heap_frame *copy = heap_frames__copy(frames, depth);
	struct profile_stack *stack;

	if (!copy)
		return NULL;
	stack = vec_push(&p->stacks);
	if (!stack) {
		free(copy);
		return NULL;
	}
	stack->frames = copy;
	stack->depth = depth;
	return stack;
}

/* ---- functions ---- */

/* Names by their text: a library may be known by one path in two copies. */
struct tally {
	struct profile_function sum;
	uint64_t seen; /* number of the last stack that has counted it */
	UT_hash_handle hh;
	char key[]; /* kernel or not, where it starts if it has no name, module, function */
};

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 2 : 1;
}

static size_t put_text(char *to, const char *text)
{
	size_t len = text_size(text);

	*to = text != NULL;
	if (text)
		memcpy(to + 1, text, len - 1);
	return len;
}

static struct tally *find_tally(struct tally **all, const struct heap_frame *f, bool kernel)
{
	uint64_t start = f->function ? 0 : f->unnamed_start;
	size_t at = 1 + sizeof(start), size = at + text_size(f->module) + text_size(f->function);
	struct tally *fresh = calloc(1, sizeof(*fresh) + size), *known;

	if (!fresh)
		return NULL;
	fresh->key[0] = kernel;
	memcpy(fresh->key + 1, &start, sizeof(start));
	at += put_text(fresh->key + at, f->module);
	put_text(fresh->key + at, f->function);
	HASH_FIND(hh, *all, fresh->key, size, known);
	if (known) {
		free(fresh);
		return known;
	}
	fresh->sum = (struct profile_function){.function = f->function,
					       .module = f->module,
					       .unnamed_start = start,
					       .kernel = kernel,
					       .inlined = true};
	HASH_ADD(hh, *all, key, size, fresh);
	if (fresh->hh.tbl)
		return fresh;
	free(fresh);
	return NULL;
}

static int tally_stack(struct tally **all, const struct profile_stack *stack, uint64_t number)
{
	static const struct heap_frame nothing;
	uint32_t depth = stack->depth ? stack->depth : 1;

	for (uint32_t i = 0; i < depth; i++) {
		const struct heap_frame *f = stack->depth ? &stack->frames[i] : &nothing;
		struct tally *tally = find_tally(all, f, i < stack->kernel_depth);

		if (!tally)
			return -ENOMEM;
		tally->sum.inlined &= f->inlined;
		if (!i)
			tally->sum.flat += stack->count;
		if (tally->seen != number)
			tally->sum.cum += stack->count;
		tally->seen = number;
	}
	return 0;
}

static int list_functions(struct profile *p, struct tally *all)
{
	struct tally *tally, *next;

	HASH_ITER (hh, all, tally, next) {
		struct profile_function *slot = vec_push(&p->functions);

		if (!slot)
			return -ENOMEM;
		*slot = tally->sum;
	}
	return 0;
}

static void free_tallies(struct tally *all)
{
	struct tally *tally, *next;

	HASH_ITER (hh, all, tally, next) {
		HASH_DEL(all, tally);
		free(tally);
	}
}

static int count_functions(struct profile *p)
{
	const struct profile_stack *stack;
	struct tally *all = NULL;
	uint64_t number = 0;
	int ret = 0;

	vec_for_each (&p->stacks, stack) {
		if (!ret)
			ret = tally_stack(&all, stack, ++number);
	}
	if (!ret)
		ret = list_functions(p, all);
	free_tallies(all);
	return ret;
}

/* ---- order ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_text(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int by_flat(const void *left, const void *right)
{
	const struct profile_function *a = left, *b = right;
	int order = compare_numbers(b->flat, a->flat);

	if (!order)
		order = compare_numbers(b->cum, a->cum);
	if (!order)
		order = compare_text(a->function, b->function);
	if (!order)
		order = compare_text(a->module, b->module);
	return order ? order : compare_numbers(a->unnamed_start, b->unnamed_start);
}

static int by_count(const void *left, const void *right)
{
	const struct profile_stack *a = left, *b = right;
	int order = compare_numbers(b->count, a->count);

	if (!order)
		order = compare_numbers(a->pid, b->pid);
	for (uint32_t i = 0; !order && i < a->depth && i < b->depth; i++)
		order = compare_numbers(a->frames[i].offset, b->frames[i].offset);
	return order ? order : compare_numbers(a->depth, b->depth);
}

int profile__settle(struct profile *p)
{
	const struct profile_stack *stack;
	int ret;

	p->functions.len = 0;
	p->samples = p->in_kernel = p->complete = 0;
	ret = count_functions(p);
	vec_for_each (&p->stacks, stack) {
		p->samples += stack->count;
		p->in_kernel += stack->kernel_depth ? stack->count : 0;
		p->complete += stack->complete ? stack->count : 0;
	}
	if (p->stacks.len)
		qsort(p->stacks.data, p->stacks.len, sizeof(*p->stacks.data), by_count);
	if (p->functions.len)
		qsort(p->functions.data, p->functions.len, sizeof(*p->functions.data), by_flat);
	return ret;
}

uint64_t profile__time_ns(const struct profile *p, uint64_t samples)
{
	return p->hz ? (uint64_t)((double)samples * NSEC_PER_SEC / p->hz) : 0;
}

void profile__free(struct profile *p)
{
	struct profile_stack *stack;

	vec_for_each (&p->stacks, stack)
		free(stack->frames);
	vec_free(&p->stacks);
	vec_free(&p->functions);
	memset(p, 0, sizeof(*p));
}
