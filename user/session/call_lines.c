// SPDX-License-Identifier: BSD-2-Clause
#include "session/call_lines.h"

#include <errno.h>
#include <stdlib.h>

static size_t count_frames(const struct call_lines_stack *stacks, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += *stacks[i].depth;
	return count;
}

/* The function that the machine runs keeps the name of its symbol, if it has one. */
static struct heap_frame expanded(const struct heap_frame *frame, const struct source_frame *source)
{
	struct heap_frame out = *frame;

	out.file = source->file;
	out.line = source->file ? source->line : 0;
	out.inlined = source->inlined;
	if (source->inlined || !out.function)
		out.function = source->function;
	return out;
}

static int expand(const struct call_lines_stack *stack, const struct source_place *places)
{
	uint32_t depth = 0, n = 0;
	struct heap_frame *frames;

	for (uint32_t i = 0; i < *stack->depth; i++)
		depth += places[i].count ? places[i].count : 1;
	frames = calloc(depth ? depth : 1, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	for (uint32_t i = 0; i < *stack->depth; i++) {
		const struct heap_frame *frame = &(*stack->frames)[i];

		if (!places[i].count)
			frames[n++] = *frame;
		for (uint32_t k = 0; k < places[i].count; k++)
			frames[n++] = expanded(frame, &places[i].frames[k]);
	}
	free(*stack->frames);
	*stack->frames = frames;
	*stack->depth = depth;
	return 0;
}

int call_lines__add(struct symbolizer *symbolizer, const struct call_lines_stack *stacks, size_t n,
		    struct source_facts *facts)
{
	size_t count = count_frames(stacks, n), at = 0;
	struct source_place *places = calloc(count ? count : 1, sizeof(*places));
	int ret = places ? 0 : -ENOMEM;

	for (size_t i = 0; !ret && i < n; i++)
		for (uint32_t k = 0; k < *stacks[i].depth; k++) {
			const struct heap_frame *frame = &(*stacks[i].frames)[k];

			places[at++] = (struct source_place){
				.path = frame->module,
				.build_id = frame->build_id,
				.vaddr = frame->offset,
			};
		}
	if (!ret)
		ret = symbolizer__find_lines(symbolizer, places, count, facts);
	at = 0;
	for (size_t i = 0; places && i < n; i++) {
		uint32_t before = *stacks[i].depth;

		if (!ret)
			ret = expand(&stacks[i], places + at);
		at += before;
	}
	for (size_t i = 0; places && i < count; i++)
		free(places[i].frames);
	free(places);
	return ret;
}
