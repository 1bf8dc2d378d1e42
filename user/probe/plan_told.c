// SPDX-License-Identifier: BSD-2-Clause
/*
 * Heaps that tell of themselves: allocators whose functions have no names, or are inlined, may fire
 * otel_memory:alloc(block, size, weight) and otel_memory:free(block) for a sample of their blocks.
 * The weight is the number of bytes that the sample stands for.
 * Source: OpenTelemetry eBPF profiler, design document 00003, "Memory profiling".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "elf/exports.h"
#include "probe/plan.h"
#include "probe/usdt_arg.h"

#define SITES_MAX 1024 /* per object: inlined allocators fire in many places */
#define NO_PAIR	  UINT32_MAX

static int find_variable(void *arg, const char *name, uint64_t *vaddr)
{
	return elf_variable__find(arg, name, vaddr);
}

static const char *refuse(const struct elf_image *image, const struct usdt_note *note,
			  enum site_role role, const struct arg_spec *args)
{
	const char *refused = plan_usdt__refuse(image, note);

	if (!refused &&
	    (args[0].kind == ARG_NONE || (role == SITE_TOLD_ALLOC && args[1].kind == ARG_NONE)))
		refused = "its arguments are of an unknown form";
	return refused;
}

static int add_site(struct plan *plan, const struct plan_image *image, const struct usdt_note *note,
		    enum site_role role)
{
	struct usdt_place place = {note->location, find_variable, image->image};
	struct arg_spec args[USDT_ARGS_MAX] = {0};
	struct plan_probe *probe;
	struct span_site *site;
	char symbol[64];

	usdt_arg__parse(note->arguments, &place, args, USDT_ARGS_MAX);
	snprintf(symbol, sizeof(symbol), "%s:%s", TOLD_PROVIDER,
		 role == SITE_TOLD_ALLOC ? "alloc" : "free");
	probe = plan__add_probe(plan, PLAN_TOLD, image->object, symbol);
	site = probe ? vec_push(&plan->sites) : NULL;
	if (!site)
		return -ENOMEM;
	probe->cookie = plan->sites.len - 1;
	probe->offset = probe->site_offset = note->location_offset;
	probe->ref_ctr_offset = note->semaphore_offset;
	probe->emulated = true;
	probe->why = "the program tells of samples of its blocks";
	snprintf(probe->instruction, sizeof(probe->instruction), "nop");
	probe->refused = refuse(image->image, note, role, args);
	site->pair = NO_PAIR;
	site->role = role;
	site->name = args[0];
	site->string[0] = args[1];
	site->string[1] = args[2];
	return 0;
}

int plan_told__add(struct plan *plan, const struct plan_image *image)
{
	struct usdt_notes notes = {0};
	const struct usdt_note *note;
	size_t added = 0;
	int ret = usdt_notes__load(image->image, &notes);

	vec_for_each (&notes.list, note) {
		bool allocates = !strcmp(note->name, "alloc");

		if (ret || strcmp(note->provider, TOLD_PROVIDER) != 0 ||
		    (!allocates && strcmp(note->name, "free") != 0))
			continue;
		if (added++ < SITES_MAX)
			ret = add_site(plan, image, note,
				       allocates ? SITE_TOLD_ALLOC : SITE_TOLD_FREE);
		else
			plan->notes_left_out++;
	}
	usdt_notes__free(&notes);
	return ret == -ENOMEM ? ret : 0;
}
