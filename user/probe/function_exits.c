// SPDX-License-Identifier: BSD-2-Clause
#include "probe/function_exits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/fde.h"

struct gathered {
	const struct function_source *source;
	struct flow_part parts[FLOW_PARTS_MAX];
	size_t part_count;
	vaddr_list landing_pads;
};

static int read_image(void *context, uint64_t vaddr, void *buf, size_t len)
{
	const struct function_source *source = context;
	uint64_t offset;
	int err = elf_image__vaddr_to_offset(source->image, vaddr, &offset);

	return err ? err : elf_image__read(source->image, offset, buf, len);
}

/* The unwind information of the code around `vaddr`. */
static int find_fde(const struct function_source *source, uint64_t vaddr, struct fde *out)
{
	uint64_t start, fde;
	int err;

	if (!source->fdes)
		return -ENOENT;
	err = fde_index__function_start(source->fdes, vaddr, &start);
	if (!err)
		err = fde_index__entry(source->fdes, start, &fde);
	if (!err)
		err = fde__read(source->image, fde, out);
	if (!err && (vaddr < out->start || vaddr >= out->end))
		err = -ENOENT;
	return err;
}

static bool overlaps(const struct gathered *g, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < g->part_count; i++) {
		const struct flow_part *p = &g->parts[i];

		if (start < p->vaddr + p->len && p->vaddr < end)
			return true;
	}
	return false;
}

/* -ENOTSUP: such a part cannot be added. */
static int add_part(struct gathered *g, uint64_t start, uint64_t end)
{
	uint64_t offset;
	uint8_t *code;

	if (g->part_count == FLOW_PARTS_MAX || end <= start || end - start > FLOW_BYTES_MAX ||
	    overlaps(g, start, end) || elf_image__vaddr_to_offset(g->source->image, start, &offset))
		return -ENOTSUP;
	code = malloc(end - start);
	if (!code)
		return -ENOMEM;
	if (elf_image__read(g->source->image, offset, code, end - start)) {
		free(code);
		return -ENOTSUP;
	}
	g->parts[g->part_count++] =
		(struct flow_part){.vaddr = start, .code = code, .len = end - start};
	return 0;
}

/* Landing pads that cannot be read leave the walk without them: their code is not reached. */
static int add_landing_pads(struct gathered *g, const struct fde *fde)
{
	return fde__landing_pads(g->source->image, fde, &g->landing_pads) == -ENOMEM ? -ENOMEM : 0;
}

static void free_gathered(struct gathered *g)
{
	for (size_t i = 0; i < g->part_count; i++)
		free((void *)g->parts[i].code);
	vec_free(&g->landing_pads);
}

/* A function of its own, with a name; names of split-off parts do not count. */
static bool is_named(const struct function_source *source, uint64_t vaddr)
{
	const struct elf_symbol *s = elf_symbols__find_address(source->symbols, vaddr);

	return s && s->vaddr == vaddr && !strstr(s->name, ".cold");
}

/* "NAME.cold", where NAME is the function: gcc and clang call split-off parts like that. */
static bool is_named_our_part(const struct gathered *g, uint64_t vaddr)
{
	const struct elf_symbols *symbols = g->source->symbols;
	const struct elf_symbol *part = elf_symbols__find_address(symbols, vaddr);
	const struct elf_symbol *whole = NULL;
	const char *cold = part && part->vaddr == vaddr ? strstr(part->name, ".cold") : NULL;
	char *name = cold ? strndup(part->name, cold - part->name) : NULL;
	bool ours = false;

	while (name && !ours && (whole = elf_symbols__lookup(symbols, name, whole)))
		ours = whole->vaddr == g->parts[0].vaddr;
	free(name);
	return ours;
}

/* Whether a relative jump in the part leads into the middle of the function. */
static bool jumps_back(const struct gathered *g, const struct flow_part *part)
{
	const struct flow_part *main = &g->parts[0];
	struct insn insn;

	for (size_t at = 0; at < part->len; at += insn.length) {
		uint64_t target;

		if (insn_decode(part->code + at, part->len - at, &insn))
			return false;
		target = part->vaddr + at + (uint64_t)insn.target;
		if (insn.relative && insn.kind != INSN_CALL && target > main->vaddr &&
		    target - main->vaddr < main->len)
			return true;
	}
	return false;
}

enum part_kind {
	PART_CERTAIN, /* a jump table leads there */
	PART_LIKELY,  /* a jump with the frame in place leads there */
	PART_PERHAPS, /* it may also be a tail call */
};

/*
 * Adds the part around `vaddr`, unless it is a function of its own. If in doubt it must jump back.
 * -ENOENT: there is no such part.
 */
static int add_part_around(struct gathered *g, uint64_t vaddr, enum part_kind kind)
{
	struct fde fde;
	bool surely;
	int err;

	if (find_fde(g->source, vaddr, &fde) || is_named(g->source, fde.start))
		return -ENOENT;
	err = add_part(g, fde.start, fde.end);
	if (err)
		return err == -ENOMEM ? err : -ENOENT;
	surely = kind == PART_CERTAIN || is_named_our_part(g, fde.start) ||
		 (kind == PART_LIKELY && (fde.starts_with_frame || vaddr != fde.start));
	if (!surely && !jumps_back(g, &g->parts[g->part_count - 1])) {
		free((void *)g->parts[--g->part_count].code);
		return -ENOENT;
	}
	return add_landing_pads(g, &fde);
}

/* Adds a part that the answer speaks of. -ENOENT: none is missing. */
static int add_missing_part(struct gathered *g, const struct exits *exits)
{
	const struct exit_site *site;
	const struct exit_want *want;
	int err = -ENOENT;

	vec_for_each (&exits->wants, want) {
		err = add_part_around(g, want->vaddr, want->certain ? PART_CERTAIN : PART_LIKELY);
		if (err != -ENOENT)
			return err;
	}
	vec_for_each (&exits->sites, site) {
		err = site->target ? add_part_around(g, site->target, PART_PERHAPS) : -ENOENT;
		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

static int add_function(struct gathered *g, uint64_t vaddr, uint64_t size)
{
	struct fde fde;
	bool known = !find_fde(g->source, vaddr, &fde) && fde.start == vaddr;
	int err;

	if (!size && known)
		size = fde.end - fde.start;
	err = add_part(g, vaddr, vaddr + size);
	if (!err && known)
		err = add_landing_pads(g, &fde);
	return err;
}

int function_exits__find(const struct function_source *source, uint64_t vaddr, uint64_t size,
			 struct exits *out)
{
	struct gathered g = {.source = source};
	int err = add_function(&g, vaddr, size);

	if (err == -ENOTSUP)
		out->refused = size > FLOW_BYTES_MAX ? "its code is too large"
						     : "its code cannot be read from the file";
	while (!err) {
		struct exits_function function = {
			.parts = g.parts,
			.part_count = g.part_count,
			.landing_pads = g.landing_pads.data,
			.landing_pad_count = g.landing_pads.len,
			.read = read_image,
			.context = (void *)source,
		};

		exits__free(out);
		*out = (struct exits){0};
		err = exits__find(&function, out);
		if (!err)
			err = add_missing_part(&g, out);
	}
	free_gathered(&g);
	return err == -ENOMEM ? err : 0;
}
