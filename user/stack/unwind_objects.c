// SPDX-License-Identifier: BSD-2-Clause
#include "stack/unwind_objects.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/notice.h"
#include "stack/unwind_room.h"
#include "stack/vdso.h"
#include "target/mapped_file.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define OBJECTS_MAX 8192
#define NO_CODE_MAX 1024 /* files remembered for being no programs */
#define FILE_PAGE   4096ULL
#define RETRY_NS    UNWIND_QUARANTINE_NS
#define KEY_LEN	    96

enum object_state {
	OBJECT_BUILT,	/* its table waits for the arrays */
	OBJECT_PLACED,	/* its table is in the arrays */
	OBJECT_NO_INFO, /* it has no unwind information that can be used */
	OBJECT_CUT,	/* no room: its pages, if it has any, have no rows */
};

struct unwind_object {
	char key[KEY_LEN]; /* identity, see object_key() */
	enum object_state state;
	unsigned int refs;
	uint64_t unused_since_ns;  /* when refs became 0 */
	uint64_t retry_ns;	   /* of OBJECT_CUT: not before */
	uint64_t vaddr;		   /* of its page 0 */
	uint64_t n_rows, n_halves; /* of its table */
	size_t eh_frame_bytes;
	struct unwind_table table; /* until it is placed */
	struct unwind_placement at;
	UT_hash_handle hh;
};

struct file_id {
	uint32_t dev_major, dev_minor;
	uint64_t inode; /* 0 = the vdso */
};

/* A mapped file; several may be one object. */
struct object_file {
	struct file_id id; /* as in /proc/PID/maps */
	struct elf_image *image;
	int fd; /* of a file that is no program, to pin its inode; else -1 */
	struct unwind_object *object;
	UT_hash_handle hh;
};

struct unwind_objects {
	unwind_build_fn build;
	struct unwind_rules *rules;
	struct unwind_object *objects;
	struct object_file *files;
	uint64_t learned_halves;
	size_t no_code; /* files without an image */
	bool bound;
	struct unwind_room room;
	size_t evicted, cut;
};

struct unwind_objects *unwind_objects__new(unwind_build_fn build)
{
	struct unwind_objects *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->build = build ? build : unwind_table__build;
	o->rules = unwind_rules__new();
	if (o->rules)
		return o;
	free(o);
	return NULL;
}

static void free_file(struct object_file *file)
{
	elf_image__free(file->image);
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

static void drop_file(struct unwind_objects *o, struct object_file *file)
{
	HASH_DEL(o->files, file);
	o->no_code -= !file->image;
	free_file(file);
}

static void free_object(struct unwind_object *object)
{
	unwind_table__free(&object->table);
	vec_free(&object->at.halves);
	free(object);
}

void unwind_objects__free(struct unwind_objects *o)
{
	struct unwind_object *object, *next;
	struct object_file *file, *next_file;

	if (!o)
		return;
	HASH_ITER (hh, o->files, file, next_file)
		drop_file(o, file);
	HASH_ITER (hh, o->objects, object, next) {
		HASH_DEL(o->objects, object);
		free_object(object);
	}
	unwind_room__free(&o->room);
	unwind_rules__free(o->rules);
	free(o);
}

/* ---- room ---- */

/* Nobody can be reading it any more. */
static bool is_idle(const struct unwind_object *object, uint64_t now_ns)
{
	return !object->refs && now_ns >= object->unused_since_ns + UNWIND_QUARANTINE_NS;
}

static void drop_object(struct unwind_objects *o, struct unwind_object *object)
{
	struct object_file *file, *next;

	HASH_ITER (hh, o->files, file, next) {
		if (file->object == object)
			drop_file(o, file);
	}
	HASH_DEL(o->objects, object);
	if (o->bound)
		unwind_room__give(&o->room, &object->at);
	free_object(object);
}

/* Gives up the object that was unused longest. False: all are in use, or were a moment ago. */
static bool evict(struct unwind_objects *o, uint64_t now_ns)
{
	struct unwind_object *object, *oldest = NULL;

	for (object = o->objects; object; object = object->hh.next) {
		if (is_idle(object, now_ns) &&
		    (!oldest || object->unused_since_ns < oldest->unused_since_ns))
			oldest = object;
	}
	if (!oldest)
		return false;
	drop_object(o, oldest);
	o->evicted++;
	return true;
}

static void complain(struct unwind_objects *o, const char *path)
{
	/* One line is enough to know; the number of them is in the facts. */
	notice(o->cut++ ? NOTICE_DETAIL : NOTICE_WARNING,
	       "unwind tables are full: stacks end in %s", path);
}

/* Room is made as long as there is something to give up. */
static bool find_room(struct unwind_objects *o, struct unwind_object *object, uint64_t now_ns)
{
	while (!object->at.n_pages &&
	       !unwind_room__take_pages(&o->room, &object->at, object->table.n_pages)) {
		if (!evict(o, now_ns))
			return false;
	}
	while (!unwind_room__take_rows(&o->room, &object->at, &object->table)) {
		if (!evict(o, now_ns))
			return false;
	}
	return true;
}

static void forget_table(struct unwind_object *object)
{
	unwind_table__free(&object->table);
	memset(&object->table, 0, sizeof(object->table));
}

/* The object's table goes into the arrays; without room it becomes OBJECT_CUT. */
static void place(struct unwind_objects *o, struct unwind_object *object, const char *path,
		  uint64_t now_ns)
{
	bool was_cut = object->state == OBJECT_CUT;

	unwind_room__add_rules(&o->room, o->rules);
	object->vaddr = object->table.vaddr;
	object->n_rows = object->table.n_rows;
	object->n_halves = object->table.n_halves;
	object->eh_frame_bytes = object->table.eh_frame_bytes;
	object->retry_ns = now_ns + RETRY_NS;
	object->state = find_room(o, object, now_ns) ? OBJECT_PLACED : OBJECT_CUT;
	forget_table(object);
	if (object->state == OBJECT_CUT && !was_cut)
		complain(o, path);
}

/* ---- objects ---- */

static void build(struct unwind_objects *o, struct unwind_object *object,
		  const struct elf_image *image, const char *path, uint64_t now_ns)
{
	int ret;

	if (!o->bound && o->learned_halves > UNWIND_SHARDS_MAX * (uint64_t)UNWIND_SHARD_HALVES) {
		object->state = OBJECT_CUT;
		complain(o, path);
		return;
	}
	ret = o->build(image, o->rules, &object->table);
	if (ret) {
		memset(&object->table, 0, sizeof(object->table));
		object->state = OBJECT_NO_INFO;
		if (ret == -E2BIG)
			complain(o, path);
		return;
	}
	object->state = OBJECT_BUILT;
	o->learned_halves += object->table.n_halves;
	if (o->bound)
		place(o, object, path, now_ns);
}

/* What could be had if all that is unused went. */
static uint64_t halves_to_be_had(const struct unwind_objects *o, uint64_t now_ns)
{
	const struct unwind_object *object;
	uint64_t halves = o->room.halves.left;

	for (object = o->objects; object; object = object->hh.next) {
		if (is_idle(object, now_ns) && object->state == OBJECT_PLACED)
			halves += object->n_halves;
	}
	return halves;
}

static void try_again(struct unwind_objects *o, struct unwind_object *object,
		      const struct elf_image *image, const char *path, uint64_t now_ns)
{
	if (now_ns < object->retry_ns)
		return;
	object->retry_ns = now_ns + RETRY_NS;
	if (halves_to_be_had(o, now_ns) < object->n_halves ||
	    o->build(image, o->rules, &object->table))
		return;
	if (object->at.n_pages &&
	    (object->table.n_pages != object->at.n_pages || object->table.vaddr != object->vaddr))
		forget_table(object); /* the file has changed under us */
	else
		place(o, object, path, now_ns);
}

/* By build-id where there is one. */
static int object_key(const struct elf_image *image, char key[KEY_LEN])
{
	char build_id[ELF_BUILD_ID_HEX_MAX];
	struct stat st;

	if (fstat(elf_image__fd(image), &st))
		return -errno;
	memset(key, 0, KEY_LEN);
	if (!elf_image__build_id(image, build_id))
		snprintf(key, KEY_LEN, "%s %jd", build_id, (intmax_t)st.st_size);
	else
		snprintf(key, KEY_LEN, "%jx:%jx %jd %jd.%09ld", (uintmax_t)st.st_dev,
			 (uintmax_t)st.st_ino, (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
			 st.st_mtim.tv_nsec);
	return 0;
}

static struct unwind_object *find_or_build(struct unwind_objects *o, const struct elf_image *image,
					   const char *path, uint64_t now_ns)
{
	struct unwind_object *object;
	char key[KEY_LEN];

	if (object_key(image, key))
		return NULL;
	HASH_FIND_STR(o->objects, key, object);
	if (object)
		return object;
	if (HASH_COUNT(o->objects) >= OBJECTS_MAX && !evict(o, now_ns))
		return NULL;
	object = calloc(1, sizeof(*object));
	if (!object)
		return NULL;
	memcpy(object->key, key, sizeof(key));
	HASH_ADD_STR(o->objects, key, object);
	if (!object->hh.tbl) {
		free(object);
		return NULL;
	}
	object->unused_since_ns = now_ns; /* safe from making room for itself */
	build(o, object, image, path, now_ns);
	return object;
}

/* ---- files ---- */

static bool is_vdso(const struct mapping *m)
{
	return !m->inode && !strcmp(m->path, "[vdso]");
}

static struct object_file *find_file(const struct unwind_objects *o, const struct file_id *id)
{
	struct object_file *file;

	HASH_FIND(hh, o->files, id, sizeof(*id), file);
	return file;
}

/* Takes `fd`. */
static struct object_file *open_file(struct unwind_objects *o, const struct file_id *id, int fd)
{
	struct object_file *file = calloc(1, sizeof(*file));
	int pin = file ? dup(fd) : -1;

	if (pin < 0) {
		close(fd);
		free(file);
		return NULL;
	}
	file->id = *id;
	file->fd = pin;
	if (!elf_image__open_fd(fd, &file->image, NULL)) {
		close(pin);
		file->fd = -1;
	}
	if (file->image || o->no_code < NO_CODE_MAX)
		HASH_ADD(hh, o->files, id, sizeof(file->id), file);
	if (!file->hh.tbl) {
		free_file(file);
		return NULL;
	}
	o->no_code += !file->image;
	return file;
}

/* The file behind a mapping with its object, as it is now. */
static struct object_file *file_of(struct unwind_objects *o, pid_t pid, const struct mapping *m,
				   uint64_t now_ns)
{
	struct file_id id = {m->dev_major, m->dev_minor, m->inode};
	struct object_file *file;
	int fd;

	if (is_vdso(m))
		id = (struct file_id){0};
	else if (!m->inode)
		return NULL;
	file = find_file(o, &id);
	if (file && file->image && elf_image__changed(file->image)) {
		drop_file(o, file);
		file = NULL;
	}
	if (!file) {
		fd = is_vdso(m) ? vdso__open() : mapped_file__open(pid, m);
		file = fd < 0 ? NULL : open_file(o, &id, fd);
	}
	if (!file || !file->image)
		return NULL;
	if (!file->object)
		file->object = find_or_build(o, file->image, m->path, now_ns);
	return file->object ? file : NULL;
}

/*
 * The vaddr that is mapped at the beginning of `m`: by the segment of the file that it shows most
 * of, executable ones first. Mappings begin at whole pages, segments anywhere in them.
 */
static bool find_vaddr(const struct elf_image *image, const struct mapping *m, uint64_t *vaddr)
{
	uint64_t best = 0, length = m->end - m->start;
	bool best_code = false;
	const Elf64_Phdr *ph;

	for (size_t i = 0; (ph = elf_image__segment_at(image, i)); i++) {
		uint64_t low = ph->p_offset & ~(FILE_PAGE - 1), high, shown;
		bool code = ph->p_flags & PF_X;

		if (ph->p_type != PT_LOAD ||
		    __builtin_add_overflow(ph->p_offset, ph->p_filesz, &high))
			continue;
		if (low < m->file_offset)
			low = m->file_offset;
		if (high > m->file_offset && high - m->file_offset > length)
			high = m->file_offset + length;
		if (high <= low)
			continue;
		shown = high - low;
		if (code < best_code || (code == best_code && shown <= best))
			continue;
		best = shown;
		best_code = code;
		*vaddr = ph->p_vaddr + (m->file_offset - ph->p_offset);
	}
	return best;
}

struct unwind_object *unwind_objects__get(struct unwind_objects *o, pid_t pid,
					  const struct mapping *m, uint64_t now_ns, uint64_t *vaddr)
{
	struct object_file *file = file_of(o, pid, m, now_ns);
	struct unwind_object *object;

	if (!file || !find_vaddr(file->image, m, vaddr))
		return NULL;
	object = file->object;
	object->refs++;
	if (object->state == OBJECT_CUT)
		try_again(o, object, file->image, m->path, now_ns);
	return object;
}

void unwind_objects__put(struct unwind_objects *o, struct unwind_object *object, uint64_t now_ns)
{
	if (!--object->refs)
		object->unused_since_ns = now_ns;
}

/* ---- all together ---- */

void unwind_objects__sum(const struct unwind_objects *o, uint64_t *halves, uint64_t *pages)
{
	const struct unwind_object *object;

	*halves = *pages = 0;
	for (object = o->objects; object; object = object->hh.next) {
		*halves += object->table.n_halves;
		*pages += object->table.n_pages;
	}
}

int unwind_objects__bind(struct unwind_objects *o, const struct unwind_memory *memory,
			 uint64_t now_ns)
{
	struct unwind_object *object;
	int ret = unwind_room__init(&o->room, memory);

	if (ret)
		return ret;
	o->bound = true;
	unwind_room__add_rules(&o->room, o->rules);
	for (object = o->objects; object; object = object->hh.next)
		object->unused_since_ns = now_ns; /* safe from making room for each other */
	for (object = o->objects; object; object = object->hh.next) {
		if (object->state == OBJECT_BUILT)
			place(o, object, object->key, now_ns);
	}
	return 0;
}

uint32_t unwind_object__pages(const struct unwind_object *object, uint64_t *vaddr, uint32_t *first)
{
	*vaddr = object->vaddr;
	*first = object->at.first_page;
	return object->at.n_pages;
}

bool unwind_object__is_cut(const struct unwind_object *object)
{
	return object->state == OBJECT_CUT;
}

void unwind_objects__facts(const struct unwind_objects *o, struct unwind_store_facts *facts)
{
	const struct unwind_object *object;

	for (object = o->objects; object; object = object->hh.next) {
		facts->objects++;
		if (object->state != OBJECT_PLACED)
			continue;
		facts->tables++;
		facts->rows += object->n_rows;
		facts->pages += object->at.n_pages;
		facts->eh_frame_bytes += object->eh_frame_bytes;
	}
	facts->evicted = o->evicted;
	facts->cut = o->cut;
}
