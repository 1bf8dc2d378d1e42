// SPDX-License-Identifier: BSD-2-Clause
#include "session/family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "target/maps.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define MEMBERS_MAX 65536 /* remembered after their death for their symbols */

/*
 * When a new program image is looked at again, in ms after the notice of its exec: most have mapped
 * their libraries within a few ms. The dynamic linker's own notices tell of what comes later.
 */
static const unsigned int looks_after_exec_ms[] = {0, 2, 10, 30, 90};
#define LOOKS (sizeof(looks_after_exec_ms) / sizeof(looks_after_exec_ms[0]))

#define LOOK_REGULAR_NS (2 * NSEC_PER_SEC) /* odd linkers tell nothing */
#define TICK_MAX_NS	(50 * NSEC_PER_MSEC)
#define PURGE_PAUSE_NS	NSEC_PER_SEC
#define LOOK_SHARE_NS	(20 * NSEC_PER_MSEC)

struct member {
	pid_t pid, parent; /* parent 0 = a root */
	uint64_t space;	   /* 0 = its parent's, or a root's: never purged */
	bool alive;
	bool followed;		/* born during the trace */
	bool counted;		/* among those that were never linked, until they are */
	uint64_t unlinked_ns;	/* since when it has been without all its probes; 0 = it has them */
	uint64_t exec_ns;	/* when it became another program; 0 = that is settled */
	uint64_t looks_from_ns; /* when its notice was read, perhaps long after */
	size_t looks;		/* since then */
	uint64_t next_look_ns;
	UT_hash_handle hh;
};

struct family {
	struct family_options options;
	struct member *members;
	VEC(uint64_t) gone; /* address spaces whose blocks are still in the books */
	uint64_t next_purge_ns;
	struct family_facts facts;
};

struct family *family__new(const struct family_options *options)
{
	struct family *f = calloc(1, sizeof(*f));

	if (f)
		f->options = *options;
	return f;
}

void family__free(struct family *f)
{
	struct member *member, *next;

	if (!f)
		return;
	HASH_ITER (hh, f->members, member, next) {
		HASH_DEL(f->members, member);
		free(member);
	}
	vec_free(&f->gone);
	free(f);
}

static struct member *find_member(const struct family *f, pid_t pid)
{
	struct member *member;

	HASH_FIND(hh, f->members, &pid, sizeof(pid), member);
	return member;
}

static struct member *add_member(struct family *f, pid_t pid, pid_t parent, uint64_t space)
{
	struct member *member = find_member(f, pid);

	if (!member) {
		if (HASH_COUNT(f->members) >= MEMBERS_MAX)
			return NULL;
		member = calloc(1, sizeof(*member));
		if (!member)
			return NULL;
		member->pid = pid;
		HASH_ADD(hh, f->members, pid, sizeof(member->pid), member);
		if (!member->hh.tbl) {
			free(member);
			return NULL;
		}
	}
	member->parent = parent;
	member->space = space;
	member->alive = true;
	member->followed = member->counted = false;
	member->unlinked_ns = 0;
	member->exec_ns = 0;
	member->next_look_ns = clock_monotonic_ns() + LOOK_REGULAR_NS;
	return member;
}

/* The number that the kernel side has given it. */
static void take_layout(struct family *f, pid_t pid)
{
	if (f->options.layouts)
		layouts__add(f->options.layouts, pid);
}

/* ---- gaps: from a fork or an exec until all probes of the process are there ---- */

/*
 * Are the links for all processes? Then another program has them as well; if not, its looks will
 * tell. With links of its own it has them for certain only when it was looked at.
 */
static bool born_linked(const struct family *f)
{
	return !attachment__heap_is_per_process(f->options.attachment) &&
	       !attachment__spans_are_per_process(f->options.attachment);
}

static void count_unlinked(struct family *f, struct member *member)
{
	if (!member->followed || member->counted)
		return;
	member->counted = true;
	f->facts.never_linked++;
}

static void begin_gap(struct family *f, struct member *member, uint64_t since_ns)
{
	if (member->unlinked_ns)
		return;
	member->unlinked_ns = since_ns;
	if (!born_linked(f))
		count_unlinked(f, member);
}

static void note_gap(struct family *f, uint64_t since_ns)
{
	uint64_t gap = clock_monotonic_ns() - since_ns;

	f->facts.gap_ns_total += gap;
	if (gap > f->facts.gap_ns_max)
		f->facts.gap_ns_max = gap;
}

/* Links of the program it was reach into the one it has become: then there was no gap. */
static void end_gap(struct family *f, struct member *member)
{
	uint64_t linked_ns = attachment__linked_ns(f->options.attachment, member->pid);

	if (!member->unlinked_ns || !linked_ns)
		return;
	if (linked_ns > member->unlinked_ns)
		note_gap(f, member->unlinked_ns);
	member->unlinked_ns = 0;
	f->facts.never_linked -= member->counted;
	member->counted = false;
}

/*
 * What the process maps now: planned, linked, its stacks understood. *again: it may have loaded
 * more, of which nothing told.
 */
static int bring_up_to_date(struct family *f, const struct process *process,
			    const struct maps *maps, bool *grown, bool *again, struct error *err)
{
	struct attachment *a = f->options.attachment;
	int ret = f->options.plan(f->options.plan_arg, process, maps, grown);

	if (!ret && *grown)
		ret = attachment__share(a, attachment__scope(a), err);
	if (!ret)
		ret = attachment__add_process(a, process, maps, err);
	if (!ret && f->options.layouts)
		layouts__update(f->options.layouts, process->pid, maps);
	/* As long as it lives, its number was its own while the links were made by it. */
	if (!ret && !process__is_alive(process))
		ret = -ESRCH;
	if (!ret)
		ret = kernel__set_ready(f->options.kernel, process->pid);
	*again = !ret && attachment__watch_loader(a, process, maps);
	return ret;
}

/* Links and layout of a process that is a target already. *grown: it has brought new probes. */
static int equip(struct family *f, struct member *member, const struct process *process,
		 bool *grown, struct error *err)
{
	bool again, new_probes;
	int ret;

	*grown = false;
	do {
		struct maps maps = {0};

		again = new_probes = false;
		ret = maps__load(process->pid, &maps);
		/* A dying process has no mappings any more. */
		if (!ret && !maps.list.len)
			ret = -ESRCH;
		if (!ret)
			ret = bring_up_to_date(f, process, &maps, &new_probes, &again, err);
		*grown |= new_probes;
		maps__free(&maps);
	} while (again);
	if (!ret)
		end_gap(f, member);
	return ret;
}

bool family__has(const struct family *f, pid_t pid)
{
	const struct member *member = find_member(f, pid);

	return member && member->alive;
}

int family__add(struct family *f, const struct process *process, pid_t parent, struct error *err)
{
	struct member *member = find_member(f, process->pid);
	uint64_t space;
	bool grown;
	int ret;

	if (member && member->alive)
		return 0;
	ret = kernel__add_target(f->options.kernel, process->pid, &space);
	if (ret)
		return ret;
	member = add_member(f, process->pid, parent, space);
	if (!member)
		return -ENOMEM;
	take_layout(f, process->pid);
	return equip(f, member, process, &grown, err);
}

static void on_fork(struct family *f, const struct life_record *r)
{
	struct member *member = find_member(f, r->tgid);
	struct process process;
	bool grown;

	/* Found by looking around before its notice was read: it has its links. */
	if (member && member->alive)
		return;
	f->facts.followed++;
	member = add_member(f, r->tgid, r->other, r->space);
	if (!member) {
		f->facts.never_linked++;
		return;
	}
	member->followed = true;
	take_layout(f, r->tgid);
	if (born_linked(f))
		return;
	begin_gap(f, member, r->time_ns);
	if (process__open(r->tgid, &process, NULL))
		return;
	equip(f, member, &process, &grown, NULL);
	process__close(&process);
}

static int count_gone(void *arg, const struct live_key *key, const struct live_block *block)
{
	struct family_facts *facts = arg;

	facts->gone_blocks++;
	facts->gone_bytes += block->size;
	return 0;
}

static int compare_spaces(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void family__purge_gone(struct family *f)
{
	struct space_list spaces = {f->gone.data, f->gone.len};

	if (!f->gone.len)
		return;
	qsort(f->gone.data, f->gone.len, sizeof(*f->gone.data), compare_spaces);
	kernel__purge_live(f->options.kernel, spaces, count_gone, &f->facts);
	f->gone.len = 0;
}

/*
 * Its blocks are taken out of the books later, with those of others: looking for them goes through
 * all that are alive. The number of an address space is never used again, so nothing is mixed up.
 */
static void leave_address_space(struct family *f, struct member *member)
{
	uint64_t *slot = member->space ? vec_push(&f->gone) : NULL;

	if (slot) {
		*slot = member->space;
	} else if (member->space) {
		family__purge_gone(f);
		kernel__purge_live(f->options.kernel, (struct space_list){&member->space, 1},
				   count_gone, &f->facts);
	}
	member->space = 0;
}

static void on_exit_notice(struct family *f, const struct life_record *r)
{
	struct member *member = find_member(f, r->tgid);

	if (!member)
		return;
	member->alive = false;
	/* What a root leaves behind at its end is the report; a child's memory is simply gone. */
	if (member->parent || f->options.children_end) {
		leave_address_space(f, member);
	} else {
		f->facts.root_exited = true;
		f->facts.root_exit_code = r->other;
	}
	if (f->options.layouts)
		layouts__remove(f->options.layouts, r->tgid);
	attachment__remove_process(f->options.attachment, r->tgid);
	kernel__remove_target(f->options.kernel, r->tgid);
}

static void look_at(struct family *f, struct member *member)
{
	bool known_gap = member->unlinked_ns, grown;
	struct process process;

	if (process__open(member->pid, &process, NULL))
		return;
	if (!equip(f, member, &process, &grown, NULL) && grown) {
		f->facts.late_objects++;
		if (member->exec_ns && !known_gap)
			note_gap(f, member->exec_ns);
	}
	process__close(&process);
}

static void on_exec(struct family *f, const struct life_record *r)
{
	struct member *member = find_member(f, r->tgid);

	f->facts.execs++;
	if (!member)
		member = add_member(f, r->tgid, r->tgid, 0);
	if (!member)
		return;
	leave_address_space(f, member);
	member->space = r->space;
	take_layout(f, r->tgid);
	begin_gap(f, member, r->time_ns);
	member->exec_ns = r->time_ns;
	member->looks_from_ns = clock_monotonic_ns();
	member->looks = 0;
	member->next_look_ns = r->time_ns;
}

/* It has all probes that the plan knows; there may be more in it. */
static void on_adopted(struct family *f, const struct life_record *r)
{
	struct member *member = find_member(f, r->tgid);

	if (member && member->alive)
		return;
	member = add_member(f, r->tgid, r->tgid, r->space);
	if (!member)
		return;
	member->next_look_ns = r->time_ns;
	take_layout(f, r->tgid);
}

/* Other files are mapped than before. */
static void look_soon(void *arg, pid_t pid)
{
	struct member *member = find_member(arg, pid);

	if (member)
		member->next_look_ns = 0;
}

static void on_loaded(struct family *f, const struct life_record *r)
{
	struct member *member = find_member(f, r->tgid);

	if (member && member->next_look_ns > r->time_ns)
		member->next_look_ns = r->time_ns;
}

void family__on_life(struct family *f, const struct life_record *record)
{
	switch (record->kind) {
	case LIFE_FORK:
		on_fork(f, record);
		break;
	case LIFE_EXEC:
		on_exec(f, record);
		break;
	case LIFE_ADOPTED:
		on_adopted(f, record);
		break;
	case LIFE_LOADED:
		on_loaded(f, record);
		break;
	case LIFE_CODE:
		if (f->options.layouts)
			layouts__unknown_code(f->options.layouts, record->tgid);
		break;
	case LIFE_EXIT:
		on_exit_notice(f, record);
		break;
	}
}

/* With many members the regular looks are spread out: each costs a fraction of a millisecond. */
static uint64_t regular_pause(const struct family *f)
{
	uint64_t pause = HASH_COUNT(f->members) * LOOK_SHARE_NS;

	return pause > LOOK_REGULAR_NS ? pause : LOOK_REGULAR_NS;
}

static void schedule_look(struct family *f, struct member *member, uint64_t now_ns)
{
	uint64_t due;

	member->next_look_ns = now_ns + regular_pause(f);
	if (!member->exec_ns)
		return;
	if (++member->looks >= LOOKS) {
		member->exec_ns = 0;
		if (member->unlinked_ns)
			count_unlinked(f, member);
		return;
	}
	due = member->looks_from_ns + looks_after_exec_ms[member->looks] * NSEC_PER_MSEC;
	member->next_look_ns = due > now_ns ? due : now_ns;
}

void family__tick(struct family *f, uint64_t now_ns)
{
	struct member *member, *next;

	if (f->gone.len && now_ns >= f->next_purge_ns) {
		family__purge_gone(f);
		f->next_purge_ns = clock_monotonic_ns() + PURGE_PAUSE_NS;
	}
	if (f->options.layouts)
		layouts__tick(f->options.layouts, now_ns, look_soon, f);
	HASH_ITER (hh, f->members, member, next) {
		if (!member->alive || member->next_look_ns > now_ns)
			continue;
		look_at(f, member);
		schedule_look(f, member, now_ns);
		/* The others are due the next time: the ring waits, and perhaps the user. */
		if (clock_monotonic_ns() - now_ns > TICK_MAX_NS)
			break;
	}
}

uint64_t family__next_look(const struct family *f)
{
	const struct member *member;
	uint64_t next = UINT64_MAX;

	for (member = f->members; member; member = member->hh.next) {
		if (member->alive && member->exec_ns && member->next_look_ns < next)
			next = member->next_look_ns;
	}
	return next;
}

const struct family_facts *family__facts(const struct family *f)
{
	return &f->facts;
}
