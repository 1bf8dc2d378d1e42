// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which malloc serves the process, and where its functions are probed. The dynamic linker takes
 * the first definition in search order: the executable, preloaded libraries, libraries in link
 * order; libc comes last because everything needs it.
 */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "abi/heap.h"
#include "elf/fde_index.h"
#include "elf/symbols.h"
#include "probe/place.h"
#include "probe/plan.h"

#define CODE_MAX (64 * 1024) /* bytes of a function looked at */

static const struct {
	const char *symbol;
	enum heap_function function;
	uint32_t arguments; /* mask of argument registers the program reads at the site */
} family[] = {
	{"malloc", HEAP_MALLOC, PLACE_ARG1},
	{"calloc", HEAP_CALLOC, PLACE_ARG1 | PLACE_ARG2},
	{"realloc", HEAP_REALLOC, PLACE_ARG1 | PLACE_ARG2},
	{"reallocarray", HEAP_REALLOCARRAY, PLACE_ARG1 | PLACE_ARG2 | PLACE_ARG3},
	{"posix_memalign", HEAP_POSIX_MEMALIGN, PLACE_ARG1 | PLACE_ARG2 | PLACE_ARG3},
	{"memalign", HEAP_MEMALIGN, PLACE_ARG1 | PLACE_ARG2},
	{"aligned_alloc", HEAP_MEMALIGN, PLACE_ARG1 | PLACE_ARG2},
	{"valloc", HEAP_MALLOC, PLACE_ARG1},
	{"pvalloc", HEAP_MALLOC, PLACE_ARG1},
	{"free", HEAP_FREE, PLACE_ARG1},
	{"cfree", HEAP_FREE, PLACE_ARG1},
	{"free_sized", HEAP_FREE, PLACE_ARG1},
	{"free_aligned_sized", HEAP_FREE, PLACE_ARG1},
};

static const struct {
	const char *file_part, *label;
} allocators[] = {
	{"libjemalloc", "jemalloc"},
	{"libtcmalloc", "tcmalloc"},
	{"libmimalloc", "mimalloc"},
	{"libc.so.6", "glibc malloc"},
	{"libc-2.", "glibc malloc"},
	{"ld-musl", "musl malloc"},
	{"libasan", "AddressSanitizer's malloc"},
};

struct candidate {
	const struct plan_image *image;
	struct elf_symbols *symbols;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_libc(const struct plan_object *object)
{
	const char *base = base_name(object->path);

	return !strncmp(base, "libc.so", 7) || !strncmp(base, "libc-2.", 7) ||
	       !strncmp(base, "ld-musl", 7);
}

/* A definition that calls can reach: exported, or in the executable's own symbol table. */
static const struct elf_symbol *definition(const struct candidate *c, const char *name,
					   bool is_executable)
{
	const struct elf_symbol *s = NULL;

	while ((s = elf_symbols__lookup(c->symbols, name, s))) {
		if (!s->indirect && (s->dynamic || is_executable))
			return s;
	}
	return NULL;
}

/* 0 = not a candidate, higher wins. */
static int rank(const struct plan *plan, const struct candidate *c)
{
	const struct plan_object *object = &plan->objects.data[c->image->object];

	/* The dynamic linker has a small malloc of its own, for itself. */
	if (!strncmp(base_name(object->path), "ld-linux", 8))
		return 0;
	if (!definition(c, "malloc", object->is_executable) ||
	    !definition(c, "free", object->is_executable))
		return 0;
	if (object->is_executable)
		return 3;
	return is_libc(object) ? 1 : 2;
}

static uint64_t code_size(const struct elf_image *image, const struct elf_symbol *symbol)
{
	struct fde_index *index = NULL;
	uint64_t size = symbol->size, next;

	if (!size && !fde_index__load(image, &index)) {
		if (!fde_index__next_start(index, symbol->vaddr, &next))
			size = next - symbol->vaddr;
		fde_index__free(index);
	}
	return size && size < CODE_MAX ? size : CODE_MAX;
}

/* Chooses the instruction; leaves the entry and says why when the code cannot be read. */
static int place(const struct elf_image *image, const struct elf_symbol *symbol, size_t f,
		 struct plan_probe *probe)
{
	enum place_need need =
		family[f].function == HEAP_FREE ? PLACE_ENTRY_SKIPS_NULL : PLACE_RETURN;
	uint64_t size = code_size(image, symbol);
	struct placement at;
	uint8_t *code;

	probe->site_offset = probe->offset;
	if (probe->offset >= elf_image__size(image)) {
		probe->refused = "its code is not in the file";
		return 0;
	}
	if (size > elf_image__size(image) - probe->offset)
		size = elf_image__size(image) - probe->offset;
	code = malloc(size);
	if (!code)
		return -ENOMEM;
	if (elf_image__read(image, probe->offset, code, size)) {
		probe->why = "code could not be read, probed at the entry";
	} else {
		if (place_probe(code, size, symbol->vaddr, need, family[f].arguments, &at))
			probe->refused = "the kernel refuses its first instruction";
		plan_probe__set_site(probe, &at);
	}
	free(code);
	return 0;
}

static bool is_planned(const struct plan *plan, size_t object, uint64_t offset)
{
	const struct plan_probe *probe;

	vec_for_each (&plan->probes, probe) {
		if (probe->kind == PLAN_ALLOC && probe->object == object && probe->offset == offset)
			return true;
	}
	return false;
}

static int add_family(struct plan *plan, const struct candidate *c)
{
	const struct plan_object *object = &plan->objects.data[c->image->object];
	int ret = 0;

	for (size_t f = 0; !ret && f < sizeof(family) / sizeof(family[0]); f++) {
		const struct elf_symbol *s = definition(c, family[f].symbol, object->is_executable);
		struct plan_probe *probe;
		uint64_t offset;

		/* Two names of one function (memalign, aligned_alloc) are one probe. */
		if (!s || elf_image__vaddr_to_offset(c->image->image, s->vaddr, &offset) ||
		    is_planned(plan, c->image->object, offset))
			continue;
		probe = plan__add_probe(plan, PLAN_ALLOC, c->image->object, family[f].symbol);
		if (!probe)
			return -ENOMEM;
		probe->offset = offset;
		probe->cookie = family[f].function;
		probe->hook = family[f].function == HEAP_FREE ? HOOK_SITE : HOOK_CALL;
		ret = place(c->image->image, s, f, probe);
	}
	return ret;
}

static void name_allocator(struct plan_allocator *allocator, const struct plan_object *object)
{
	const char *base = base_name(object->path);

	snprintf(allocator->label, sizeof(allocator->label), "malloc of %.50s", base);
	for (size_t i = 0; i < sizeof(allocators) / sizeof(allocators[0]); i++) {
		if (!strncmp(base, allocators[i].file_part, strlen(allocators[i].file_part)))
			snprintf(allocator->label, sizeof(allocator->label), "%s",
				 allocators[i].label);
	}
}

int plan_heap__add(struct plan *plan, const struct process *process,
		   const struct plan_image *images, size_t n)
{
	struct plan_allocator *allocator = vec_push(&plan->allocators);
	struct candidate best = {0};
	int best_rank = 0, ret = allocator ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !ret; i++) {
		struct candidate c = {.image = &images[i]};
		int r;

		ret = elf_symbols__load(images[i].image, &c.symbols);
		if (ret == -E2BIG) {
			ret = 0;
			continue;
		}
		if (ret)
			break;
		r = rank(plan, &c);
		if (r > best_rank) {
			elf_symbols__free(best.symbols);
			best = c;
			best_rank = r;
		} else {
			elf_symbols__free(c.symbols);
		}
	}
	if (!ret) {
		allocator->exe_dev = process->exe_dev;
		allocator->exe_inode = process->exe_inode;
	}
	if (!ret && best_rank) {
		allocator->found = true;
		allocator->object = best.image->object;
		name_allocator(allocator, &plan->objects.data[best.image->object]);
		ret = add_family(plan, &best);
	}
	elf_symbols__free(best.symbols);
	return ret;
}
