// SPDX-License-Identifier: BSD-2-Clause
#include "stack/source_lines.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "elf/demangle.h"
#include "stack/lines_worker.h"
#include "stack/symbolize_internal.h"

#ifdef HAVE_LIBDW
const bool source_lines_supported = true;
#else
const bool source_lines_supported;
#endif

/* A hundred objects that take their time are not waited for. */
#define ALL_OBJECTS_NS (10 * NSEC_PER_SEC)

/* One question with the object that can answer it. */
struct question {
	const struct elf_image *image, *common; /* common: of dwz, NULL = none */
	struct source_place *place;
};

/* ---- which object ---- */

struct module_search {
	const struct source_place *place;
	struct module *found;
};

static void match_module(const void *node, VISIT visit, void *arg)
{
	struct module *module = *(struct module *const *)node;
	struct module_search *s = arg;

	if ((visit != postorder && visit != leaf) || !module->image)
		return;
	/* Files that followed each other under one name: our own string tells, or the build-id. */
	if (module->path == s->place->path)
		s->found = module;
	else if (!s->found && !strcmp(module->path, s->place->path) &&
		 !strcmp(module->build_id, s->place->build_id ? s->place->build_id : ""))
		s->found = module;
}

static bool has_lines(const struct elf_image *img)
{
	struct elf_section sec;

	return img && !elf_image__changed(img) && !elf_image__section(img, ".debug_info", &sec) &&
	       sec.type != SHT_NOBITS;
}

/* Finds the images with the debug information of the file where the place is. */
static bool find_image(const struct symbolizer *sym, struct source_place *place,
		       struct question *out)
{
	struct module_search s = {.place = place};

	*out = (struct question){.place = place};
	if (!place->path)
		return false;
	twalk_r(sym->modules, match_module, &s);
	if (!s.found || !has_lines(s.found->dwarf))
		return false;
	out->image = s.found->dwarf;
	if (s.found->common && !elf_image__changed(s.found->common))
		out->common = s.found->common;
	return true;
}

static int by_image_and_address(const void *left, const void *right)
{
	const struct question *a = left, *b = right;

	if (a->image != b->image)
		return a->image < b->image ? -1 : 1;
	if (a->place->vaddr != b->place->vaddr)
		return a->place->vaddr < b->place->vaddr ? -1 : 1;
	return 0;
}

/* ---- one object ---- */

/* Questions of one image, ascending; each address is asked once. */
struct batch {
	struct symbolizer *sym;
	struct question *questions;
	size_t count;
	uint64_t *vaddrs; /* of the instructions: return addresses minus 1 */
	size_t *first;	  /* by index of vaddrs: the first question about it */
	bool failed;	  /* out of memory */
};

static const char *keep(struct batch *b, const char *text)
{
	return text ? string_pool__add(&b->sym->strings, text, strlen(text)) : NULL;
}

static const char *keep_function(struct batch *b, const char *raw)
{
	char *readable = raw ? demangle(raw) : NULL;
	const char *kept = keep(b, readable ? readable : raw);

	free(readable);
	return kept;
}

static struct source_frame *copy_frames(const struct source_frame *frames, uint32_t count)
{
	struct source_frame *copy = malloc(count * sizeof(*copy));

	if (copy)
		memcpy(copy, frames, count * sizeof(*copy));
	return copy;
}

static void take_answer(void *arg, size_t index, const struct source_frame *frames, uint32_t count)
{
	struct source_frame kept[SOURCE_FRAMES_MAX];
	struct batch *b = arg;
	size_t i = b->first[index];
	uint64_t vaddr = b->questions[i].place->vaddr;

	for (uint32_t k = 0; k < count; k++)
		kept[k] = (struct source_frame){
			.function = keep_function(b, frames[k].function),
			.file = keep(b, frames[k].file),
			.line = frames[k].line,
			.inlined = frames[k].inlined,
		};
	for (; i < b->count && b->questions[i].place->vaddr == vaddr; i++) {
		struct source_place *place = b->questions[i].place;

		place->frames = copy_frames(kept, count);
		place->count = place->frames ? count : 0;
		b->failed |= !place->frames;
	}
}

static void count_result(struct source_facts *facts, int ret)
{
	facts->objects++;
	facts->too_slow += ret == -ETIMEDOUT;
	facts->unreadable += ret && ret != -ETIMEDOUT;
}

static int ask_object(struct batch *b, struct source_facts *facts)
{
	const struct question *q = b->questions;
	const struct lines_files files = {
		.dwarf = elf_image__fd(q->image),
		.common = q->common ? elf_image__fd(q->common) : -1,
	};
	size_t n = 0;
	int ret = -ENOMEM;

	b->vaddrs = calloc(b->count, sizeof(*b->vaddrs));
	b->first = calloc(b->count, sizeof(*b->first));
	if (b->vaddrs && b->first) {
		for (size_t i = 0; i < b->count; i++) {
			uint64_t vaddr = b->questions[i].place->vaddr - 1;

			if (n && b->vaddrs[n - 1] == vaddr)
				continue;
			b->first[n] = i;
			b->vaddrs[n++] = vaddr;
		}
		ret = lines_worker__ask(&files, b->vaddrs, n, take_answer, b);
		count_result(facts, ret);
		ret = b->failed ? -ENOMEM : 0;
	}
	free(b->vaddrs);
	free(b->first);
	return ret;
}

int symbolizer__find_lines(struct symbolizer *sym, struct source_place *places, size_t n,
			   struct source_facts *facts)
{
	struct question *questions = calloc(n ? n : 1, sizeof(*questions));
	uint64_t deadline = clock_monotonic_ns() + ALL_OBJECTS_NS;
	size_t count = 0, begin = 0;
	int ret = 0;

	if (!questions)
		return -ENOMEM;
	for (size_t i = 0; i < n && source_lines_supported; i++)
		count += find_image(sym, &places[i], &questions[count]);
	if (count)
		qsort(questions, count, sizeof(*questions), by_image_and_address);
	for (size_t i = 1; !ret && i <= count; i++) {
		struct batch batch = {.sym = sym, .questions = questions + begin};

		if (i < count && questions[i].image == questions[begin].image)
			continue;
		batch.count = i - begin;
		if (clock_monotonic_ns() < deadline)
			ret = ask_object(&batch, facts);
		else
			count_result(facts, -ETIMEDOUT);
		begin = i;
	}
	free(questions);
	return ret;
}
