// SPDX-License-Identifier: BSD-2-Clause
#include "probe/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/mapped_file.h"

#define OBJECTS_MAX 4096

bool plan_object__is_behind(const struct plan_object *object, const struct mapping *m)
{
	return object->dev_major == m->dev_major && object->dev_minor == m->dev_minor &&
	       object->inode == m->inode;
}

const struct plan_object *plan__object_of(const struct plan *plan, const struct mapping *m)
{
	const struct plan_object *o;

	vec_for_each (&plan->objects, o) {
		if (plan_object__is_behind(o, m))
			return o;
	}
	return NULL;
}

const struct plan_allocator *plan__allocator(const struct plan *plan, const struct process *process)
{
	const struct plan_allocator *a;

	vec_for_each (&plan->allocators, a) {
		if (a->exe_dev == process->exe_dev && a->exe_inode == process->exe_inode)
			return a;
	}
	return NULL;
}

bool plan_allocator__serves(const struct plan_allocator *allocator, size_t object)
{
	const size_t *o;

	vec_for_each (&allocator->objects, o) {
		if (*o == object)
			return true;
	}
	return false;
}

bool plan_allocator__has_seen(const struct plan_allocator *allocator, size_t object)
{
	const size_t *o;

	vec_for_each (&allocator->seen, o) {
		if (*o == object)
			return true;
	}
	return false;
}

static bool is_useless(const struct plan *plan, const struct mapping *m)
{
	const struct plan_file *file;

	vec_for_each (&plan->useless, file) {
		if (file->dev_major == m->dev_major && file->dev_minor == m->dev_minor &&
		    file->inode == m->inode)
			return true;
	}
	return false;
}

static int note_useless(struct plan *plan, const struct mapping *m)
{
	struct plan_file *file;

	plan->bad_objects++;
	if (plan->useless.len == OBJECTS_MAX)
		return 0;
	file = vec_push(&plan->useless);
	if (!file)
		return -ENOMEM;
	*file = (struct plan_file){m->dev_major, m->dev_minor, m->inode};
	return 0;
}

/*
 * Has everything that is mapped been looked at for this program? A library that is known from
 * another one may still be this one's malloc: a program that has just begun maps its own file and
 * the dynamic linker, and its libraries a moment later.
 */
static bool is_known(const struct plan *plan, const struct plan_allocator *allocator,
		     const struct maps *maps)
{
	const struct plan_object *object;
	const struct mapping *m;

	vec_for_each (&maps->list, m) {
		if (!m->executable || !m->inode || is_useless(plan, m))
			continue;
		object = plan__object_of(plan, m);
		if (!object || !plan_allocator__has_seen(allocator, object - plan->objects.data))
			return false;
	}
	return true;
}

/* Does the process still map it? One that has ended or become another program does not. */
static bool is_still_mapped(const struct process *process, const struct mapping *m)
{
	const struct mapping *now;
	struct maps maps = {0};
	bool is = false;

	if (!maps__load(process->pid, &maps)) {
		now = maps__find(&maps, m->start);
		is = now && now->inode == m->inode && now->dev_major == m->dev_major &&
		     now->dev_minor == m->dev_minor;
	}
	maps__free(&maps);
	return is;
}

/* Opens the file behind `m`; leaves image->image NULL if it is of no use. */
static int open_image(struct plan *plan, const struct process *process, const struct mapping *m,
		      struct plan_image *image)
{
	int fd = mapped_file__open(process->pid, m), ret;

	image->image = NULL;
	/* What went away meanwhile may be of use in another process. */
	if (fd < 0)
		return is_still_mapped(process, m) ? note_useless(plan, m) : 0;
	ret = elf_image__open_fd(fd, &image->image, NULL);
	if (!ret)
		return 0;
	image->image = NULL;
	return ret == -ENOMEM ? ret : note_useless(plan, m);
}

static int add_object(struct plan *plan, const struct process *process, const struct mapping *m,
		      struct plan_image *image)
{
	const struct plan_object *known = plan__object_of(plan, m);
	struct plan_object *object;

	if (known) {
		image->object = known - plan->objects.data;
		return 0;
	}
	object = vec_push(&plan->objects);
	if (!object)
		return -ENOMEM;
	object->fd = fcntl(elf_image__fd(image->image), F_DUPFD_CLOEXEC, 0);
	object->path = strdup(m->path);
	object->dev_major = m->dev_major;
	object->dev_minor = m->dev_minor;
	object->inode = m->inode;
	object->is_executable = !strcmp(m->path, process->exe) ||
				(elf_image__inode(image->image) == process->exe_inode &&
				 elf_image__dev(image->image) == process->exe_dev);
	image->object = plan->objects.len - 1;
	image->is_new = true;
	return object->path ? object->fd < 0 ? -errno : 0 : -ENOMEM;
}

typedef VEC(struct plan_image) image_list;

/* A library has several mappings; each file is opened once. */
static bool is_open(const struct plan *plan, const image_list *images, const struct mapping *m)
{
	const struct plan_object *known = plan__object_of(plan, m);
	const struct plan_image *image;

	vec_for_each (images, image) {
		if (known && image->object == (size_t)(known - plan->objects.data))
			return true;
	}
	return false;
}

static int open_images(struct plan *plan, const struct process *process, const struct maps *maps,
		       image_list *images)
{
	const struct mapping *m;
	int ret = 0;

	vec_for_each (&maps->list, m) {
		struct plan_image image = {0}, *slot;

		if (!m->executable || !m->inode || is_open(plan, images, m) ||
		    is_useless(plan, m) || images->len >= OBJECTS_MAX)
			continue;
		ret = open_image(plan, process, m, &image);
		if (ret)
			break;
		if (!image.image)
			continue;
		ret = add_object(plan, process, m, &image);
		slot = ret ? NULL : vec_push(images);
		if (!slot) {
			elf_image__free(image.image);
			return ret ? ret : -ENOMEM;
		}
		*slot = image;
	}
	return ret;
}

static int find_hazards(struct plan *plan, const struct process *process, const struct maps *maps,
			const image_list *images, const struct plan_options *options,
			struct plan_hazards *out)
{
	const struct plan_image *image;
	int ret = 0;

	vec_for_each (images, image) {
		if (!ret && image->is_new)
			ret = elf_runtime__detect(image->image,
						  &plan->objects.data[image->object].runtime);
	}
	return ret ? ret : plan_hazards__find(plan, process, maps, options, out);
}

int plan__add_process(struct plan *plan, const struct process *process, const struct maps *maps,
		      const struct plan_options *options, struct error *err)
{
	bool functions = options->functions && options->functions->len;
	bool rules = options->alloc_rules && options->alloc_rules->len;
	const struct plan_allocator *allocator = plan__allocator(plan, process);
	struct plan_hazards hazards = {0};
	image_list images = {0};
	struct plan_image *image;
	int ret = 0;

	if (allocator && is_known(plan, allocator, maps))
		return 0;
	if (!plan->pairs.len) {
		struct plan_pair *own = vec_push(&plan->pairs);

		if (!own)
			return -ENOMEM;
		own->abi.by_name = 1;
	}
	ret = open_images(plan, process, maps, &images);
	vec_for_each (&images, image) {
		if (!ret && options->heap && image->is_new)
			ret = plan_told__add(plan, image);
	}
	if (!ret && (functions || (options->heap && rules)))
		ret = find_hazards(plan, process, maps, &images, options, &hazards);
	if (!ret && options->heap)
		ret = plan_heap__add(plan, process, maps, images.data, images.len, options,
				     &hazards);
	vec_for_each (&images, image) {
		if (!ret && options->spans && image->is_new)
			ret = plan_spans__add(plan, image, options->rules);
		if (!ret && functions && image->is_new)
			ret = plan_functions__add(plan, image, options->functions, &hazards);
		if (!ret && image->is_new && (options->heap || options->spans || functions))
			ret = plan_loader__add(plan, image);
		elf_image__free(image->image);
	}
	vec_free(&images);
	if (ret)
		error_set(err, EXIT_FAILED, ret, "cannot plan probes for %d: %s", process->pid,
			  strerror(-ret));
	return ret;
}

void plan__free(struct plan *plan)
{
	struct plan_object *object;
	struct plan_probe *probe;
	struct plan_allocator *allocator;
	struct plan_pair *pair;

	vec_for_each (&plan->objects, object) {
		close(object->fd);
		free(object->path);
	}
	vec_for_each (&plan->probes, probe)
		free(probe->symbol);
	vec_for_each (&plan->pairs, pair)
		free(pair->name);
	vec_for_each (&plan->allocators, allocator) {
		vec_free(&allocator->objects);
		vec_free(&allocator->seen);
	}
	vec_free(&plan->objects);
	vec_free(&plan->probes);
	vec_free(&plan->pairs);
	vec_free(&plan->sites);
	vec_free(&plan->allocators);
	vec_free(&plan->alloc_rules);
	vec_free(&plan->useless);
	vec_free(&plan->searches);
	vec_free(&plan->programs);
}

struct plan_probe *plan__add_probe(struct plan *plan, enum plan_kind kind, size_t object,
				   const char *symbol)
{
	struct plan_probe *probe = vec_push(&plan->probes);

	if (!probe)
		return NULL;
	probe->kind = kind;
	probe->object = object;
	probe->symbol = strdup(symbol);
	return probe->symbol ? probe : NULL;
}

void plan_probe__set_site(struct plan_probe *probe, const struct placement *at)
{
	probe->site_offset = probe->offset + at->site_offset;
	probe->emulated = at->emulated;
	probe->why = at->why;
	snprintf(probe->instruction, sizeof(probe->instruction), "%s", at->instruction);
}

void plan__refuse_from(struct plan *plan, size_t first, const char *reason)
{
	for (size_t i = first; i < plan->probes.len; i++)
		plan->probes.data[i].refused = reason;
}

size_t plan__count(const struct plan *plan, enum plan_kind kind)
{
	const struct plan_probe *probe;
	size_t n = 0;

	vec_for_each (&plan->probes, probe)
		n += probe->kind == kind && !probe->refused;
	return n;
}

size_t plan__function_spans(const struct plan *plan)
{
	const struct plan_probe *probe;
	size_t n = 0;

	vec_for_each (&plan->probes, probe)
		n += probe->kind == PLAN_FUNCTION && !probe->refused &&
		     plan->sites.data[probe->cookie].role == SITE_START;
	return n;
}

size_t plan__span_pairs(const struct plan *plan)
{
	const struct plan_pair *pair;
	size_t n = 0;

	vec_for_each (&plan->pairs, pair)
		n += pair->name && !pair->is_function;
	return n;
}

bool plan__has_own_macros(const struct plan *plan)
{
	const struct span_site *site;

	vec_for_each (&plan->sites, site) {
		if (site->pair == PLAN_OWN_PAIR)
			return true;
	}
	return false;
}
