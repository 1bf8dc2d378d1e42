// SPDX-License-Identifier: BSD-2-Clause
#include "session/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define UNKNOWN_NAME	"(unknown name)"
#define CHECKPOINTS_MAX 65536 /* processes remembered */

struct cached_name {
	uint64_t hash;
	const char *name;
	UT_hash_handle hh;
};

/* Last checkpoint of a process, for the growth since. */
struct last_checkpoint {
	uint32_t pid;
	uint64_t rss_bytes;
	const char *name;
	UT_hash_handle hh;
};

struct intake {
	struct kernel *kernel;
	const struct plan *plan;
	struct names *names;
	struct intake_events events;
	struct cached_name *cache;
	struct last_checkpoint *checkpoints;
	uint64_t malformed;
};

struct intake *intake__new(struct kernel *kernel, const struct plan *plan, struct names *names,
			   const struct intake_events *events)
{
	struct intake *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	in->kernel = kernel;
	in->plan = plan;
	in->names = names;
	in->events = *events;
	return in;
}

void intake__free(struct intake *in)
{
	struct cached_name *name, *next_name;
	struct last_checkpoint *checkpoint, *next_checkpoint;

	if (!in)
		return;
	HASH_ITER (hh, in->cache, name, next_name) {
		HASH_DEL(in->cache, name);
		free(name);
	}
	HASH_ITER (hh, in->checkpoints, checkpoint, next_checkpoint) {
		HASH_DEL(in->checkpoints, checkpoint);
		free(checkpoint);
	}
	free(in);
}

/* The text of a name is fetched from the kernel's name map once. */
static const char *name_by_hash(struct intake *in, uint64_t hash)
{
	struct cached_name *cached;
	struct span_name text;
	const char *name;

	if (!hash)
		return UNKNOWN_NAME;
	HASH_FIND(hh, in->cache, &hash, sizeof(hash), cached);
	if (cached)
		return cached->name;
	if (kernel__span_name(in->kernel, hash, &text))
		return UNKNOWN_NAME;
	name = names__intern_bytes(in->names, text.text, sizeof(text.text));
	cached = calloc(1, sizeof(*cached));
	if (cached) {
		cached->hash = hash;
		cached->name = name;
		HASH_ADD(hh, in->cache, hash, sizeof(cached->hash), cached);
		if (!cached->hh.tbl)
			free(cached);
	}
	return name;
}

/* Joins the record's NUL-terminated strings with ", ". NULL when there is none. */
static const char *join_context(const char *bytes, size_t len, char *joined, size_t size)
{
	size_t used = 0, at = 0;

	while (at < len) {
		size_t n = strnlen(bytes + at, len - at);

		if (n && used + n + 3 < size) {
			if (used) {
				memcpy(joined + used, ", ", 2);
				used += 2;
			}
			memcpy(joined + used, bytes + at, n);
			used += n;
		}
		at += n + 1;
	}
	joined[used] = '\0';
	return used ? joined : NULL;
}

uint64_t intake__rss_error_bytes(void)
{
	static uint64_t cpus; /* glibc reads it from sysfs: 5 us, per span */
	uint64_t batch;

	if (!cpus)
		cpus = get_nprocs_conf();
	batch = cpus * 2 > 32 ? cpus * 2 : 32;

	/* Three counters (files, anonymous, shared), each batch pages per CPU off, at both ends. */
	return 2 * 3 * batch * cpus * (uint64_t)sysconf(_SC_PAGESIZE);
}

static const char *name_of_span(struct intake *in, const struct span_record *r)
{
	const char *name = in->plan->pairs.data[r->pair].name;

	return name ? names__intern(in->names, name) : name_by_hash(in, r->name_hash);
}

/* All but the context, which needs memory of the caller's. */
static void decode_span(struct intake *in, const struct span_record *r, struct span *span)
{
	*span = (struct span){
		.pid = r->tgid,
		.tid = r->tid,
		.name = name_of_span(in, r),
		.id = r->id,
		.parent = r->parent,
		.depth = r->depth,
		.status = r->status,
		.unscoped = r->flags & SPAN_FLAG_UNSCOPED,
		.start_ns = r->start_ns,
		.end_ns = r->end_ns,
		.child_ns = r->child_ns,
		.rss_known = r->rss_bytes != 0,
		.rss_bytes = r->rss_bytes,
		.rss_delta_bytes = r->rss_delta_bytes,
		.rss_error_bytes = intake__rss_error_bytes(),
	};
	memcpy(span->comm, r->comm, sizeof(span->comm));
}

static void take_span(struct intake *in, const struct span_record *r)
{
	char joined[CONTEXT_LEN * 2];
	struct span span;

	decode_span(in, r, &span);
	span.context = join_context(r->context, r->context_len, joined, sizeof(joined));
	in->events.span(in->events.arg, &span);
}

struct open_search {
	struct intake *in;
	uint32_t pid, tid;
	struct span *open;
	size_t n, capacity;
};

static void take_open(void *arg, const void *record, size_t len)
{
	struct open_search *search = arg;
	const struct span_record *r = record;

	if (r->tgid != search->pid || r->tid != search->tid || search->n == search->capacity ||
	    r->pair >= search->in->plan->pairs.len)
		return;
	decode_span(search->in, r, &search->open[search->n]);
	search->open[search->n].status = SPAN_OPEN;
	search->open[search->n].end_ns = 0;
	search->open[search->n].rss_known = false;
	search->n++;
}

size_t intake__open_spans(struct intake *in, uint32_t pid, uint32_t tid, struct span *open,
			  size_t capacity)
{
	struct open_search search = {in, pid, tid, open, 0, capacity};

	return kernel__list_open_spans(in->kernel, take_open, &search) ? 0 : search.n;
}

/* Growth since the process' previous checkpoint. */
static void note_growth(struct intake *in, struct mark *mark)
{
	struct last_checkpoint *last;

	if (mark->kind != MARK_CHECKPOINT || !mark->rss_bytes)
		return;
	HASH_FIND(hh, in->checkpoints, &mark->pid, sizeof(mark->pid), last);
	if (last) {
		mark->growth_known = true;
		mark->growth_bytes = (int64_t)(mark->rss_bytes - last->rss_bytes);
		mark->growth_error_bytes = intake__rss_error_bytes();
		mark->since = last->name;
	} else if (HASH_COUNT(in->checkpoints) < CHECKPOINTS_MAX &&
		   (last = calloc(1, sizeof(*last)))) {
		last->pid = mark->pid;
		HASH_ADD(hh, in->checkpoints, pid, sizeof(last->pid), last);
		if (!last->hh.tbl) {
			free(last);
			last = NULL;
		}
	}
	if (last) {
		last->rss_bytes = mark->rss_bytes;
		last->name = mark->name;
	}
}

static void take_mark(struct intake *in, const struct mark_record *r)
{
	char joined[CONTEXT_LEN * 2];
	struct mark mark = {
		.pid = r->tgid,
		.tid = r->tid,
		.kind = r->kind,
		.name = name_by_hash(in, r->name_hash),
		.context = join_context(r->context, r->context_len, joined, sizeof(joined)),
		.time_ns = r->time_ns,
		.parent = r->parent,
		.rss_bytes = r->rss_bytes,
	};

	memcpy(mark.comm, r->comm, sizeof(mark.comm));
	note_growth(in, &mark);
	in->events.mark(in->events.arg, &mark);
}

static bool is_sound_span(const struct intake *in, const struct span_record *r, size_t len)
{
	return len >= RECORD_HEAD_LEN(struct span_record) && r->context_len <= CONTEXT_LEN &&
	       len >= RECORD_HEAD_LEN(struct span_record) + r->context_len &&
	       r->pair < in->plan->pairs.len && r->status <= SPAN_UNFINISHED &&
	       r->end_ns >= r->start_ns;
}

static bool is_sound_mark(const struct mark_record *r, size_t len)
{
	return len >= RECORD_HEAD_LEN(struct mark_record) && r->context_len <= CONTEXT_LEN &&
	       len >= RECORD_HEAD_LEN(struct mark_record) + r->context_len &&
	       (r->kind == MARK_CHECKPOINT || r->kind == MARK_EVENT);
}

static bool is_sound_life(const struct life_record *r, size_t len)
{
	return len >= sizeof(*r) && r->kind >= LIFE_FORK && r->kind <= LIFE_EXIT;
}

void intake__record(void *arg, const void *record, size_t len)
{
	struct intake *in = arg;
	uint32_t type = 0;

	if (len >= sizeof(type))
		memcpy(&type, record, sizeof(type));
	if (type == RECORD_SPAN && is_sound_span(in, record, len))
		take_span(in, record);
	else if (type == RECORD_MARK && is_sound_mark(record, len))
		take_mark(in, record);
	else if (type == RECORD_LIFE && is_sound_life(record, len))
		in->events.life(in->events.arg, record);
	else
		in->malformed++;
}

uint64_t intake__malformed(const struct intake *in)
{
	return in->malformed;
}
