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

struct member {
	pid_t pid, parent; /* parent 0 = a root */
	uint64_t space;	   /* 0 = its parent's, or a root's: never purged */
	bool alive;
	bool has_symbols;
	UT_hash_handle hh;
};

struct family {
	struct kernel *kernel;
	struct attachment *attachment;
	struct symbolizer *symbolizer;
	struct member *members;
	struct family_facts facts;
};

struct family *family__new(struct kernel *kernel, struct attachment *attachment,
			   struct symbolizer *symbolizer)
{
	struct family *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->kernel = kernel;
	f->attachment = attachment;
	f->symbolizer = symbolizer;
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
	member->has_symbols = false;
	return member;
}

static bool add_symbols(struct family *f, pid_t pid, const struct maps *maps)
{
	return f->symbolizer && !symbolizer__add_process(f->symbolizer, pid, maps);
}

/* Links and symbols of a process that is a target already. */
static int equip(struct family *f, struct member *member, const struct process *process,
		 struct error *err)
{
	struct maps maps = {0};
	int ret = maps__load(process->pid, &maps);

	/* A dying process has no mappings any more. */
	if (!ret && !maps.list.len)
		ret = -ESRCH;
	if (!ret)
		ret = attachment__add_process(f->attachment, process, &maps, err);
	/* As long as it lives, its number was its own while the links were made by it. */
	if (!ret && !process__is_alive(process))
		ret = -ESRCH;
	if (!ret)
		ret = kernel__set_ready(f->kernel, process->pid);
	if (!ret)
		member->has_symbols = add_symbols(f, process->pid, &maps);
	maps__free(&maps);
	return ret;
}

int family__add(struct family *f, const struct process *process, pid_t parent, struct error *err)
{
	struct member *member = find_member(f, process->pid);
	uint64_t space;
	int ret;

	if (member && member->alive)
		return 0;
	ret = kernel__add_target(f->kernel, process->pid, &space);
	if (ret)
		return ret;
	member = add_member(f, process->pid, parent, space);
	return member ? equip(f, member, process, err) : -ENOMEM;
}

static void on_fork(struct family *f, const struct life_record *r)
{
	struct member *member = find_member(f, r->tgid);
	struct process process;
	uint64_t gap;
	int ret;

	/* Found by looking around before its notice was read: it has its links. */
	if (member && member->alive)
		return;
	f->facts.followed++;
	member = add_member(f, r->tgid, r->other, r->space);
	if (!member) {
		f->facts.never_linked++;
		return;
	}
	if (!attachment__heap_is_per_process(f->attachment) &&
	    !attachment__spans_are_per_process(f->attachment))
		return;
	ret = process__open(r->tgid, &process, NULL);
	if (!ret) {
		ret = equip(f, member, &process, NULL);
		process__close(&process);
	}
	if (ret) {
		f->facts.never_linked++;
		return;
	}
	gap = clock_monotonic_ns() - r->time_ns;
	f->facts.gap_ns_total += gap;
	if (gap > f->facts.gap_ns_max)
		f->facts.gap_ns_max = gap;
}

static int count_gone(void *arg, const struct live_key *key, const struct live_block *block)
{
	struct family_facts *facts = arg;

	facts->gone_blocks++;
	facts->gone_bytes += block->size;
	return 0;
}

static void leave_address_space(struct family *f, struct member *member)
{
	if (member->space)
		kernel__purge_live(f->kernel, member->space, count_gone, &f->facts);
	member->space = 0;
}

static void on_exit_notice(struct family *f, const struct life_record *r)
{
	struct member *member = find_member(f, r->tgid);

	if (!member)
		return;
	member->alive = false;
	/* What a root leaves behind at its end is the report; a child's memory is simply gone. */
	if (member->parent) {
		leave_address_space(f, member);
	} else {
		f->facts.root_exited = true;
		f->facts.root_exit_code = r->other;
	}
	attachment__remove_process(f->attachment, r->tgid);
	kernel__remove_target(f->kernel, r->tgid);
}

static void load_symbols(struct family *f, struct member *member)
{
	struct maps maps = {0};

	if (f->symbolizer && !maps__load(member->pid, &maps) && maps.list.len &&
	    add_symbols(f, member->pid, &maps))
		member->has_symbols = true;
	maps__free(&maps);
}

static void on_exec(struct family *f, const struct life_record *r)
{
	struct member *member = find_member(f, r->tgid);

	f->facts.execs++;
	if (!member)
		return;
	leave_address_space(f, member);
	member->space = r->space;
	load_symbols(f, member);
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
	case LIFE_EXIT:
		on_exit_notice(f, record);
		break;
	}
}

void family__refresh_symbols(struct family *f)
{
	struct member *member, *next;

	HASH_ITER (hh, f->members, member, next) {
		if (member->alive)
			load_symbols(f, member);
	}
}

pid_t family__symbol_pid(const struct family *f, pid_t pid)
{
	struct member *member = find_member(f, pid);

	/* A child that was never seen alive had its parent's mappings. Chains end: no cycles. */
	for (int i = 0; i < 64 && member && !member->has_symbols && member->parent; i++) {
		pid = member->parent;
		member = find_member(f, pid);
	}
	return pid;
}

const struct family_facts *family__facts(const struct family *f)
{
	return &f->facts;
}
