// SPDX-License-Identifier: BSD-2-Clause
#include "probe/heap_objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/symbols.h"
#include "target/link_order.h"

#define LAST SIZE_MAX
/* More than any allocator has; an object with a thousand mallocs was made to keep us busy. */
#define DEFINITIONS_MAX 256

/* Files by which allocators are known. */
static const struct {
	const char *file_part, *label;
} files[] = {
	{"libjemalloc", "jemalloc"},
	{"libtcmalloc", "tcmalloc"},
	{"libmimalloc", "mimalloc"},
	{"libc.so.6", "glibc malloc"},
	{"libc-2.", "glibc malloc"},
	{"libc.so", "musl malloc"}, /* its loader's name is a link to this */
	{"ld-musl", "musl malloc"},
	{"libasan", "AddressSanitizer's malloc"},
};

/* C++ runtimes whose operators call malloc: probing that is enough. */
static const char *const cxx_runtimes[] = {"libstdc++", "libc++.so", "libc++abi"};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static bool is_libc(const char *path)
{
	const char *base = base_name(path);

	return starts_with(base, "libc.so") || starts_with(base, "libc-2.") ||
	       starts_with(base, "ld-musl");
}

static bool is_cxx_runtime(const char *path)
{
	for (size_t i = 0; i < sizeof(cxx_runtimes) / sizeof(cxx_runtimes[0]); i++) {
		if (starts_with(base_name(path), cxx_runtimes[i]))
			return true;
	}
	return false;
}

/* ---- what an object defines ---- */

static void note_maker(struct heap_object *object, const char *name)
{
	if (!strcmp(name, "__libc_malloc_impl"))
		object->maker = MAKER_MUSL;
	else if (object->maker == MAKER_UNKNOWN && !strcmp(name, "_int_malloc"))
		object->maker = MAKER_GLIBC;
}

/* Of symbols in both tables the exported one counts. */
static struct heap_definition *known_definition(struct heap_object *object,
						const struct elf_symbol *symbol,
						const struct allocator_match *match)
{
	struct heap_definition *d;

	vec_for_each (&object->definitions, d) {
		if (d->vaddr == symbol->vaddr && d->match.function == match->function &&
		    d->match.group == match->group && d->match.label == match->label)
			return d;
	}
	return NULL;
}

static int add_symbol(struct heap_object *object, const struct elf_symbol *symbol)
{
	size_t len = strcspn(symbol->name, "@");
	struct allocator_match match;
	struct heap_definition *d;

	note_maker(object, symbol->name);
	if (symbol->indirect || len >= HEAP_NAME_MAX ||
	    !allocators__match(symbol->name, len, &match))
		return 0;
	d = known_definition(object, symbol, &match);
	if (!d && object->definitions.len == DEFINITIONS_MAX)
		return 0;
	if (!d) {
		d = vec_push(&object->definitions);
		if (!d)
			return -ENOMEM;
		memcpy(d->name, symbol->name, len);
		d->match = match;
		d->vaddr = symbol->vaddr;
		d->size = symbol->size;
	}
	d->exported |= symbol->dynamic;
	return 0;
}

/* The names people know come first: of several for one function the first one is shown. */
static int compare_definitions(const void *left, const void *right)
{
	const struct heap_definition *a = left, *b = right;

	if (a->match.group != b->match.group)
		return a->match.group < b->match.group ? -1 : 1;
	if (a->match.function != b->match.function)
		return a->match.function < b->match.function ? -1 : 1;
	return a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

static int load_object(struct heap_object *object)
{
	struct elf_symbols *symbols;
	const struct elf_symbol *symbol;
	int ret = elf_symbols__load(object->image->image, &symbols);

	if (ret)
		return ret == -ENOMEM ? ret : 0; /* too many to be true: none */
	object->has_symbols = elf_symbols__count(symbols) > 0;
	for (size_t i = 0; !ret && (symbol = elf_symbols__at(symbols, i)); i++)
		ret = add_symbol(object, symbol);
	elf_symbols__free(symbols);
	if (object->definitions.len)
		qsort(object->definitions.data, object->definitions.len,
		      sizeof(*object->definitions.data), compare_definitions);
	return ret;
}

/* ---- search order ---- */

struct ranked {
	size_t image, rank;
};

/* Without the linker's own word: libc comes last, because everything needs it. */
static size_t guess_rank(const struct plan_object *object)
{
	if (object->is_executable)
		return 0;
	return is_libc(object->path) ? LAST : LAST - 1;
}

static size_t rank_of(const struct plan_object *object, const link_order *order)
{
	for (size_t i = 0; i < order->len; i++) {
		if (plan_object__is_behind(object, order->data[i]))
			return i;
	}
	return guess_rank(object);
}

static int compare_ranks(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->image < b->image ? -1 : a->image > b->image;
}

static int load_objects(const struct plan *plan, const struct plan_image *images,
			const struct ranked *ranks, size_t n, heap_object_list *out)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < n; i++) {
		const struct plan_image *image = &images[ranks[i].image];
		const struct plan_object *file = &plan->objects.data[image->object];
		struct heap_object *object = vec_push(out);

		if (!object)
			return -ENOMEM;
		object->image = image;
		object->path = file->path;
		object->is_executable = file->is_executable;
		object->is_libc = is_libc(file->path);
		object->is_dynamic_linker = starts_with(base_name(file->path), "ld-linux") ||
					    starts_with(base_name(file->path), "ld-2.");
		ret = load_object(object);
	}
	return ret;
}

/* ---- who serves ---- */

static bool in_group(const struct heap_definition *d, const struct heap_definition *like)
{
	return d->match.group == like->match.group && d->match.label == like->match.label;
}

/* Both sides of the family are there: a lone "free" of some library is something else. */
static bool is_complete(const struct heap_object *object, const struct heap_definition *like)
{
	const struct heap_definition *d;
	bool allocates = false, frees = false;

	vec_for_each (&object->definitions, d) {
		if (!in_group(d, like))
			continue;
		allocates |= description__allocates(d->match.function->description);
		frees |= description__frees(d->match.function->description);
	}
	return allocates && frees;
}

static bool is_exported_before(const heap_object_list *objects, const struct heap_object *end,
			       const struct heap_definition *like)
{
	const struct heap_object *object;
	const struct heap_definition *d;

	for (object = objects->data; object < end; object++) {
		vec_for_each (&object->definitions, d) {
			if (d->exported && d->match.function == like->match.function &&
			    in_group(d, like) && !object->is_dynamic_linker &&
			    is_complete(object, d))
				return true;
		}
	}
	return false;
}

static bool serves(const heap_object_list *objects, const struct heap_object *object,
		   const struct heap_definition *d)
{
	if (object->is_dynamic_linker)
		return false;
	switch (d->match.group) {
	case ALLOCATOR_RAISES:
		return true;
	case ALLOCATOR_CXX:
		if (is_cxx_runtime(object->path))
			return false;
		break;
	default:
		break;
	}
	if (!is_complete(object, d))
		return false;
	return d->match.group == ALLOCATOR_PREFIXED || !d->exported ||
	       !is_exported_before(objects, object, d) ||
	       elf_image__is_symbolic(object->image->image);
}

int heap_objects__load(const struct plan *plan, const struct process *process,
		       const struct maps *maps, const struct plan_image *images, size_t n,
		       heap_object_list *out)
{
	struct ranked *ranks = calloc(n ? n : 1, sizeof(*ranks));
	struct heap_object *object;
	struct heap_definition *d;
	link_order order = {0};
	int ret = ranks ? link_order__load(process->pid, maps, &order) : -ENOMEM;

	if (ret == -ENOMEM)
		goto out;
	for (size_t i = 0; i < n; i++)
		ranks[i] =
			(struct ranked){i, rank_of(&plan->objects.data[images[i].object], &order)};
	qsort(ranks, n, sizeof(*ranks), compare_ranks);
	ret = load_objects(plan, images, ranks, n, out);
	vec_for_each (out, object) {
		vec_for_each (&object->definitions, d)
			d->serves = serves(out, object, d);
	}
out:
	vec_free(&order);
	free(ranks);
	return ret;
}

void heap_objects__free(heap_object_list *objects)
{
	struct heap_object *object;

	vec_for_each (objects, object)
		vec_free(&object->definitions);
	vec_free(objects);
}

const struct heap_definition *heap_objects__find(const heap_object_list *objects, const char *name)
{
	const struct heap_object *object;
	const struct heap_definition *d;

	vec_for_each (objects, object) {
		vec_for_each (&object->definitions, d) {
			if (d->serves && d->exported && !strcmp(d->name, name))
				return d;
		}
	}
	return NULL;
}

/* ---- what they are called ---- */

static bool serves_group(const struct heap_object *object, enum allocator_group group)
{
	const struct heap_definition *d;

	vec_for_each (&object->definitions, d) {
		if (d->serves && d->match.group == group &&
		    description__allocates(d->match.function->description))
			return true;
	}
	return false;
}

static bool serves_malloc(const struct heap_object *object)
{
	const struct heap_definition *d;

	vec_for_each (&object->definitions, d) {
		if (d->serves && d->match.group == ALLOCATOR_C && !strcmp(d->name, "malloc"))
			return true;
	}
	return false;
}

static const char *prefixed_label(const struct heap_object *object)
{
	const struct heap_definition *d;

	vec_for_each (&object->definitions, d) {
		if (d->serves && d->match.group == ALLOCATOR_PREFIXED)
			return d->match.label;
	}
	return NULL;
}

/* Who made the malloc of an object, if its file's name does not tell. */
static const char *maker_of(const struct heap_object *object)
{
	const char *prefixed = prefixed_label(object);

	if (prefixed && starts_with(prefixed, "tcmalloc"))
		return "tcmalloc";
	if (prefixed && starts_with(prefixed, "mimalloc"))
		return "mimalloc";
	if (serves_group(object, ALLOCATOR_EXTENDED))
		return "jemalloc";
	if (object->maker == MAKER_MUSL)
		return "musl malloc";
	return object->maker == MAKER_GLIBC ? "glibc malloc" : NULL;
}

static void add_part(struct strbuf *label, const char *text)
{
	if (label->len)
		strbuf_puts(label, " + ");
	strbuf_puts(label, text);
}

static void name_malloc(const struct heap_object *object, struct strbuf *label)
{
	const char *base = base_name(object->path), *maker = maker_of(object);

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (starts_with(base, files[i].file_part)) {
			add_part(label, files[i].label);
			return;
		}
	}
	if (maker) {
		add_part(label, maker);
		strbuf_puts(label, " (linked in)");
	} else {
		add_part(label, "malloc of ");
		strbuf_puts(label, base);
	}
}

void heap_objects__label(const heap_object_list *objects, struct strbuf *label)
{
	const struct heap_object *object;

	vec_for_each (objects, object) {
		const char *prefixed = prefixed_label(object);

		if (serves_malloc(object)) {
			name_malloc(object, label);
			continue;
		}
		if (prefixed)
			add_part(label, prefixed);
		/* Of a library that lost malloc to another nobody may ever call the rest. */
		if (object->is_executable && serves_group(object, ALLOCATOR_CXX)) {
			add_part(label, "operator new of ");
			strbuf_puts(label, base_name(object->path));
		}
	}
}
