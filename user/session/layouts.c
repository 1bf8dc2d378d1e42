// SPDX-License-Identifier: BSD-2-Clause
#include "session/layouts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/notice.h"
#include "session/layout_change.h"
#include "stack/unwind_store.h"
#include "target/code_glance.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define GLANCE_NS	(45 * NSEC_PER_MSEC) /* at every look of the session */
#define GLANCE_MAX_NS	(10 * NSEC_PER_SEC)
#define GLANCE_SHARE	256 /* one part in so many of a CPU is for looking at processes */
#define CODE_PAUSE_NS	(10 * NSEC_PER_MSEC)
#define CODE_PAUSE_MAX	(2 * NSEC_PER_SEC)
#define RETRY_NS	UNWIND_QUARANTINE_NS
#define RENUMBERS_BURST 32
#define RENUMBER_NS	NSEC_PER_SEC

struct layout {
	uint64_t number;
	size_t residents;  /* processes that have it */
	bool known;	   /* what is in it */
	uint64_t retry_ns; /* something found no room: not before; 0 = all is well */
	struct code_list code;
	UT_hash_handle hh;
};

struct resident {
	pid_t pid;
	struct layout *layout;
	struct code_glance seen; /* when it was last updated */
	bool seen_valid;
	uint64_t next_glance_ns;
	/* The kernel side asked for a look: not before; 0 = it did not. */
	uint64_t asked_ns, asked_pause_ns, looked_ns;
	/* Programs that load and drop libraries for ever must not use up the call sites. */
	unsigned int renumbers;
	uint64_t renumbered_ns;
	UT_hash_handle hh;
};

struct layouts {
	struct symbolizer *symbolizer;
	struct unwind_store *store;
	struct kernel *kernel;
	struct layout *layouts;
	struct resident *residents;
};

struct layouts *layouts__new(struct symbolizer *symbolizer)
{
	struct layouts *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->symbolizer = symbolizer;
	l->store = unwind_store__new(NULL);
	if (l->store)
		return l;
	free(l);
	return NULL;
}

static void free_layout(struct layouts *l, struct layout *layout)
{
	HASH_DEL(l->layouts, layout);
	code_list__free(&layout->code);
	free(layout);
}

void layouts__free(struct layouts *l)
{
	struct resident *r, *next_resident;
	struct layout *layout, *next;

	if (!l)
		return;
	HASH_ITER (hh, l->residents, r, next_resident) {
		HASH_DEL(l->residents, r);
		free(r);
	}
	HASH_ITER (hh, l->layouts, layout, next)
		free_layout(l, layout);
	unwind_store__free(l->store);
	free(l);
}

void layouts__learn(struct layouts *l, pid_t pid, const struct maps *maps)
{
	unwind_store__learn(l->store, pid, maps);
}

void layouts__needs(const struct layouts *l, size_t *shards, size_t *pages)
{
	unwind_store__needs(l->store, shards, pages);
}

int layouts__bind(struct layouts *l, struct kernel *kernel)
{
	struct unwind_memory memory;
	int ret = kernel__unwind_memory(kernel, &memory);

	l->kernel = kernel;
	return ret ? ret : unwind_store__bind(l->store, &memory, clock_monotonic_ns());
}

/* ---- who has which ---- */

static struct resident *find_resident(const struct layouts *l, pid_t pid)
{
	struct resident *r;

	HASH_FIND(hh, l->residents, &pid, sizeof(pid), r);
	return r;
}

static struct layout *find_or_add_layout(struct layouts *l, uint64_t number)
{
	struct layout *layout;

	HASH_FIND(hh, l->layouts, &number, sizeof(number), layout);
	if (layout)
		return layout;
	layout = calloc(1, sizeof(*layout));
	if (!layout)
		return NULL;
	layout->number = number;
	HASH_ADD(hh, l->layouts, number, sizeof(layout->number), layout);
	if (layout->hh.tbl)
		return layout;
	free(layout);
	return NULL;
}

static void leave_layout(struct layouts *l, struct layout *layout)
{
	if (--layout->residents)
		return;
	unwind_store__drop_layout(l->store, layout->number, clock_monotonic_ns());
	free_layout(l, layout);
}

static void enter_layout(struct layouts *l, struct resident *r, struct layout *layout)
{
	struct layout *former = r->layout;

	layout->residents++;
	r->layout = layout;
	if (former)
		leave_layout(l, former);
}

static struct resident *add_resident(struct layouts *l, pid_t pid)
{
	struct resident *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->pid = pid;
	HASH_ADD(hh, l->residents, pid, sizeof(r->pid), r);
	if (r->hh.tbl)
		return r;
	free(r);
	return NULL;
}

void layouts__add(struct layouts *l, pid_t pid)
{
	struct resident *r = find_resident(l, pid);
	struct layout *layout;
	uint64_t number;

	if (kernel__layout(l->kernel, pid, &number))
		return; /* gone already */
	layout = find_or_add_layout(l, number);
	if (!layout)
		return;
	if (!r)
		r = add_resident(l, pid);
	if (!r) {
		if (!layout->residents)
			free_layout(l, layout);
		return;
	}
	r->seen_valid = false;
	r->next_glance_ns = 0;
	r->asked_ns = 0;
	enter_layout(l, r, layout);
}

void layouts__remove(struct layouts *l, pid_t pid)
{
	struct resident *r = find_resident(l, pid);

	if (!r)
		return;
	leave_layout(l, r->layout);
	HASH_DEL(l->residents, r);
	free(r);
}

/* ---- what is in it ---- */

static bool may_renumber(struct resident *r, uint64_t now_ns)
{
	if (r->renumbers >= RENUMBERS_BURST && now_ns < r->renumbered_ns + RENUMBER_NS)
		return false;
	r->renumbers++;
	r->renumbered_ns = now_ns;
	return true;
}

static bool needs_number(struct resident *r, enum code_change change, uint64_t now_ns)
{
	if (!r->layout->known || change == CODE_SAME)
		return false;
	if (r->layout->residents > 1)
		return true;
	return change == CODE_REPLACED && may_renumber(r, now_ns);
}

/* Shows both sides what is in a layout. */
static int show(struct layouts *l, struct layout *layout, pid_t pid, const struct maps *maps,
		uint64_t now_ns)
{
	int ret = symbolizer__add_layout(l->symbolizer, layout->number, pid, maps);

	if (ret)
		return ret;
	ret = unwind_store__set_layout(l->store, layout->number, pid, maps, now_ns);
	layout->retry_ns = ret ? now_ns + RETRY_NS : 0;
	layout->known = true;
	if (ret && ret != -EAGAIN)
		notice(NOTICE_DETAIL, "unwind tables of %d are not there: %s", pid, strerror(-ret));
	return 0;
}

/* Takes over the content of `code`. */
static int show_anew(struct layouts *l, struct resident *r, const struct maps *maps,
		     struct code_list *code, uint64_t now_ns)
{
	struct layout *fresh = find_or_add_layout(l, kernel__new_number(l->kernel));
	int ret = fresh ? show(l, fresh, r->pid, maps, now_ns) : -ENOMEM;

	if (ret) {
		code_list__free(code);
		if (fresh)
			free_layout(l, fresh);
		return ret;
	}
	fresh->code = *code;
	kernel__set_layout(l->kernel, r->pid, fresh->number);
	enter_layout(l, r, fresh);
	return 0;
}

static int update(struct layouts *l, struct resident *r, const struct maps *maps)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct layout *layout = r->layout;
	struct code_list code = {0};
	enum code_change change;
	int ret = code_list__take(&code, maps);

	if (ret) {
		code_list__free(&code);
		return ret;
	}
	change = code_list__compare(&layout->code, &code);
	if (needs_number(r, change, now_ns))
		return show_anew(l, r, maps, &code, now_ns);
	if (layout->known && change == CODE_SAME &&
	    !(layout->retry_ns && now_ns >= layout->retry_ns)) {
		code_list__free(&code);
		return 0;
	}
	ret = show(l, layout, r->pid, maps, now_ns);
	code_list__replace(&layout->code, &code);
	return ret;
}

int layouts__update(struct layouts *l, pid_t pid, const struct maps *maps)
{
	struct resident *r = find_resident(l, pid);

	return r ? update(l, r, maps) : -ENOENT;
}

/* ---- looking ---- */

void layouts__unknown_code(struct layouts *l, pid_t pid)
{
	struct resident *r = find_resident(l, pid);

	if (r && !r->asked_ns)
		r->asked_ns = r->looked_ns + r->asked_pause_ns + 1;
}

static void load_and_update(struct layouts *l, struct resident *r)
{
	struct maps maps = {0};

	/* A dying process has no mappings any more. */
	if (!maps__load(r->pid, &maps) && maps.list.len)
		update(l, r, &maps);
	maps__free(&maps);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static bool is_due(const struct resident *r, uint64_t now_ns)
{
	return now_ns >= r->next_glance_ns || (r->asked_ns && now_ns >= r->asked_ns) ||
	       (r->layout->retry_ns && now_ns >= r->layout->retry_ns);
}

/* Who asks for nothing is answered later and later. */
static void note_answer(struct resident *r, bool found, uint64_t now_ns)
{
	uint64_t pause = found ? 0 : r->asked_pause_ns * 2;

	if (!r->asked_ns)
		return;
	if (pause < CODE_PAUSE_NS)
		pause = CODE_PAUSE_NS;
	r->asked_pause_ns = pause < CODE_PAUSE_MAX ? pause : CODE_PAUSE_MAX;
	r->looked_ns = now_ns;
	r->asked_ns = 0;
}

/* True when other files are mapped than before. */
static bool glance(struct layouts *l, struct resident *r, uint64_t now_ns)
{
	uint64_t before = cpu_ns(), took, pause;
	struct code_glance seen;
	bool other_files, other_code;

	if (code_glance(r->pid, &seen))
		seen = r->seen;
	other_files = !r->seen_valid || seen.files != r->seen.files;
	other_code = other_files || seen.made != r->seen.made;
	note_answer(r, other_code, now_ns);
	r->seen = seen;
	r->seen_valid = true;
	/* New files are taken in once, which may be expensive; all else comes again and again. */
	took = cpu_ns() - before;
	if (other_code || (r->layout->retry_ns && now_ns >= r->layout->retry_ns))
		load_and_update(l, r);
	if (!other_files)
		took = cpu_ns() - before;
	pause = took * GLANCE_SHARE * HASH_COUNT(l->residents);
	pause = pause < GLANCE_NS ? GLANCE_NS : pause > GLANCE_MAX_NS ? GLANCE_MAX_NS : pause;
	r->next_glance_ns = now_ns + pause;
	return other_files;
}

void layouts__tick(struct layouts *l, uint64_t now_ns, layouts_loaded_fn loaded, void *arg)
{
	struct resident *r, *next;

	HASH_ITER (hh, l->residents, r, next) {
		bool first = !r->seen_valid;

		if (is_due(r, now_ns) && glance(l, r, now_ns) && !first)
			loaded(arg, r->pid);
	}
}

void layouts__refresh(struct layouts *l)
{
	struct resident *r, *next;

	HASH_ITER (hh, l->residents, r, next)
		load_and_update(l, r);
}
