// SPDX-License-Identifier: BSD-2-Clause
#include "stack/symbolize.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "stack/module.h"
#include "stack/perf_map.h"
#include "stack/symbolize_internal.h"

/* Mappings that were given up; who maps and unmaps code for ever must not fill memory. */
#define PAST_MAX 16384

/* One executable mapping. */
struct range {
	uint64_t start, end, file_offset;
	struct module *module; /* NULL: not a file */
	const char *label;     /* then: "[anon]" and the like, a constant */
};

struct layout {
	uint64_t number;
	VEC(struct range) now;	/* ascending */
	VEC(struct range) past; /* oldest first */
	struct perf_map *jit;	/* NULL: it never had code without a file */
};

static int compare_modules(const void *left, const void *right)
{
	const struct module *a = left, *b = right;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	if (a->dev_major != b->dev_major)
		return a->dev_major < b->dev_major ? -1 : 1;
	return a->dev_minor < b->dev_minor ? -1 : a->dev_minor > b->dev_minor;
}

static int compare_layouts(const void *left, const void *right)
{
	const struct layout *a = left, *b = right;

	return a->number < b->number ? -1 : a->number > b->number;
}

static void free_layout(void *layout)
{
	struct layout *p = layout;

	vec_free(&p->now);
	vec_free(&p->past);
	perf_map__free(p->jit);
	free(p);
}

static void free_module(void *module)
{
	module__free(module);
}

struct symbolizer *symbolizer__new(void)
{
	return calloc(1, sizeof(struct symbolizer));
}

void symbolizer__free(struct symbolizer *sym)
{
	if (!sym)
		return;
	tdestroy(sym->layouts, free_layout);
	tdestroy(sym->modules, free_module);
	module__free(sym->vdso);
	string_pool__free(&sym->strings);
	free(sym);
}

static struct module *find_module(struct symbolizer *sym, const struct mapping *m)
{
	const struct module key = {
		.dev_major = m->dev_major,
		.dev_minor = m->dev_minor,
		.inode = m->inode,
	};
	struct module **slot = tfind(&key, &sym->modules, compare_modules);
	struct module *module;

	if (slot)
		return *slot;
	module = module__new(m);
	if (module && !tsearch(module, &sym->modules, compare_modules)) {
		module__free(module);
		return NULL;
	}
	return module;
}

static struct module *find_vdso(struct symbolizer *sym)
{
	if (!sym->vdso_tried) {
		sym->vdso_tried = true;
		sym->vdso = module__new_vdso();
	}
	return sym->vdso;
}

/* What a mapping without a file is called; the kernel's own names are kept as constants. */
static const char *label_of(const struct mapping *m)
{
	static const char *const known[] = {"[vdso]", "[vsyscall]", "[heap]", "[stack]"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(m->path, known[i]))
			return known[i];
	return "[anon]";
}

static int add_range(struct symbolizer *sym, pid_t pid, const struct mapping *m,
		     struct layout *fresh)
{
	struct range *range = vec_push(&fresh->now);

	if (!range)
		return -ENOMEM;
	*range = (struct range){.start = m->start, .end = m->end, .file_offset = m->file_offset};
	if (m->inode) {
		range->module = find_module(sym, m);
		if (!range->module)
			return -ENOMEM;
		module__open(range->module, pid, m, &sym->debug_files);
	} else {
		range->label = label_of(m);
		if (!strcmp(range->label, "[vdso]"))
			range->module = find_vdso(sym);
	}
	return 0;
}

static const struct range *find_now(const struct layout *p, uint64_t address)
{
	size_t low = 0, high = p->now.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (p->now.data[mid].end <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < p->now.len && p->now.data[low].start <= address)
		return &p->now.data[low];
	return NULL;
}

static bool same_range(const struct range *a, const struct range *b)
{
	return a->start == b->start && a->end == b->end && a->file_offset == b->file_offset &&
	       a->module == b->module && a->label == b->label;
}

/* Keeps in `past` what `p` has now and `fresh` has no more. */
static void retire_ranges(struct layout *p, const struct layout *fresh)
{
	struct range *old, *slot;

	vec_for_each (&p->now, old) {
		const struct range *now = find_now(fresh, old->start);

		if (now && same_range(now, old))
			continue;
		if (p->past.len >= PAST_MAX) {
			p->past.len /= 2; /* the oldest half goes */
			memmove(p->past.data, p->past.data + p->past.len,
				p->past.len * sizeof(*p->past.data));
		}
		slot = vec_push(&p->past);
		if (slot) /* else some old names are lost, no more */
			*slot = *old;
	}
}

static struct layout *find_layout(const struct symbolizer *sym, uint64_t number)
{
	const struct layout key = {.number = number};
	struct layout **slot = tfind(&key, &sym->layouts, compare_layouts);

	return slot ? *slot : NULL;
}

static struct layout *find_or_add_layout(struct symbolizer *sym, uint64_t number)
{
	struct layout *p = find_layout(sym, number);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->number = number;
	if (!tsearch(p, &sym->layouts, compare_layouts)) {
		free(p);
		return NULL;
	}
	return p;
}

/* Who makes code may say what it is called, and has to be asked while it lives. */
static void find_perf_map(struct layout *p, pid_t pid)
{
	const struct range *range;

	vec_for_each (&p->now, range) {
		if (range->module && range->module->image)
			continue;
		if (p->jit)
			perf_map__look(p->jit);
		else
			p->jit = perf_map__new(pid);
		return;
	}
}

int symbolizer__add_layout(struct symbolizer *sym, uint64_t layout, pid_t pid,
			   const struct maps *maps)
{
	struct layout *p = find_or_add_layout(sym, layout), fresh = {0};
	const struct mapping *m;
	int err = p ? 0 : -ENOMEM;

	vec_for_each (&maps->list, m)
		if (!err && m->executable)
			err = add_range(sym, pid, m, &fresh);
	if (err) {
		vec_free(&fresh.now);
		return err;
	}
	retire_ranges(p, &fresh);
	vec_free(&p->now);
	memcpy(&p->now, &fresh.now, sizeof(p->now));
	find_perf_map(p, pid);
	return 0;
}

static const struct range *find_range(const struct layout *p, uint64_t address)
{
	const struct range *range = find_now(p, address);

	for (size_t i = p->past.len; !range && i > 0; i--) {
		const struct range *past = &p->past.data[i - 1];

		if (address >= past->start && address < past->end)
			range = past;
	}
	return range;
}

/* `lookup` is the address or, for a return address, the one before it. */
static void name_function(struct symbolizer *sym, const struct range *range, uint64_t lookup,
			  uint64_t address, struct frame *out)
{
	struct module *module = range->module;
	uint64_t offset = lookup - range->start + range->file_offset, vaddr = offset;
	struct module_name name;

	if (module->image && elf_image__offset_to_vaddr(module->image, offset, &vaddr))
		vaddr = offset;
	out->file_vaddr_offset = vaddr + (address - lookup);
	if (!module__find(module, vaddr, &sym->strings, &name)) {
		out->unnamed_start = module__function_start(module, vaddr);
		return;
	}
	out->raw_name = name.raw;
	out->function = name.readable;
	out->function_offset = out->file_vaddr_offset - name.start;
}

static bool name_made_code(struct symbolizer *sym, const struct layout *p, uint64_t lookup,
			   uint64_t address, struct frame *out)
{
	struct perf_map_entry entry;
	const char *name;

	if (!p->jit || perf_map__find(p->jit, lookup, &entry))
		return false;
	name = string_pool__add(&sym->strings, entry.name, entry.name_len);
	if (!name)
		return false;
	out->executable_mapping = true;
	out->module = "[jit]";
	out->path = NULL;
	out->file_vaddr_offset = address;
	out->function = out->raw_name = name;
	out->function_offset = address - entry.start;
	return true;
}

int symbolizer__resolve(struct symbolizer *sym, uint64_t layout, uint64_t address,
			bool is_return_address, struct frame *out)
{
	const struct layout *p = find_layout(sym, layout);
	uint64_t lookup = address - (is_return_address && address ? 1 : 0);
	const struct range *range;

	*out = (struct frame){.return_address = is_return_address};
	if (!p)
		return -ESRCH;
	range = find_range(p, lookup);
	if (!range) /* code that was made after the layout was looked at */
		return name_made_code(sym, p, lookup, address, out) ? 0 : -ENOENT;
	out->executable_mapping = true;
	if (!range->module) {
		out->module = range->label;
		out->file_vaddr_offset = address;
		name_made_code(sym, p, lookup, address, out);
		return 0;
	}
	out->module = range->module->name;
	out->path = range->label ? NULL : range->module->path;
	memcpy(out->build_id, range->module->build_id, sizeof(out->build_id));
	name_function(sym, range, lookup, address, out);
	if (!out->function && !range->module->image) /* a file that is no object: memfd, a cache */
		name_made_code(sym, p, lookup, address, out);
	return 0;
}

static void count_perf_map(const void *node, VISIT visit, void *facts)
{
	struct symbolizer_facts *counting = facts;
	const struct layout *p = *(struct layout *const *)node;

	if ((visit != postorder && visit != leaf) || !p->jit)
		return;
	switch (perf_map__state(p->jit)) {
	case PERF_MAP_READ:
		counting->perf_maps++;
		break;
	case PERF_MAP_FOREIGN:
		counting->foreign_perf_maps++;
		break;
	case PERF_MAP_NOT_REGULAR:
		counting->odd_perf_maps++;
		break;
	default:
		break;
	}
}

void symbolizer__facts(const struct symbolizer *sym, struct symbolizer_facts *out)
{
	*out = (struct symbolizer_facts){.debug_files = sym->debug_files};
	twalk_r(sym->layouts, count_perf_map, out);
}
