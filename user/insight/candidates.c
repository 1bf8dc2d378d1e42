// SPDX-License-Identifier: BSD-2-Clause
#include "insight/candidates.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define NS_PER_HOUR	(3600.0 * 1e9)
#define MB		(1024.0 * 1024.0)
#define OBSERVED_MIN_NS NSEC_PER_SEC

/* Libraries, up to the first '.' or '-' of their file name, that allocate for others. */
static const char *const runtime_modules[] = {
	"libc",
	"libstdc++",
	"libc++",
	"libc++abi",
	"libgcc_s",
	"libpthread",
	"ld",
	"libm",
	"libjemalloc",
	"libtcmalloc",
	"libtcmalloc_minimal",
	"libmimalloc",
	"libsnmalloc",
};

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool candidates__is_runtime_module(const char *module)
{
	const char *name = file_name(module);
	size_t len = strcspn(name, ".-");

	/* An executable called "ld" is somebody's own program. */
	if (!strstr(name, ".so"))
		return false;
	for (size_t i = 0; i < sizeof(runtime_modules) / sizeof(runtime_modules[0]); i++)
		if (strlen(runtime_modules[i]) == len && !strncmp(name, runtime_modules[i], len))
			return true;
	return false;
}

/* std::vector and its like are compiled into whoever uses them. */
static bool is_library_source(const char *file)
{
	return file && (!strncmp(file, "/usr/include/c++/", 17) || !strncmp(file, "/rustc/", 7) ||
			strstr(file, "/c++/v1/"));
}

const struct heap_frame *call_site__caller(const struct call_site *site)
{
	const struct heap_frame *first = NULL;

	for (uint32_t i = 0; i < site->depth; i++) {
		const struct heap_frame *frame = &site->frames[i];

		if (frame->module ? candidates__is_runtime_module(frame->module)
				  : frame->function == NULL)
			continue;
		if (!is_library_source(frame->file))
			return frame;
		if (!first)
			first = frame;
	}
	return first;
}

static const char *component_of(const struct call_site *site)
{
	const struct heap_frame *frame = call_site__caller(site);

	/* Runtime code all the way down: better its innermost function than nothing. */
	if (!frame && site->depth)
		frame = &site->frames[0];
	if (!frame)
		return NULL;
	if (frame->module && !candidates__is_runtime_module(frame->module))
		return file_name(frame->module);
	return frame->function ? frame->function : frame->module ? file_name(frame->module) : NULL;
}

/* What the site holds in the sense of the options: all of it, or what is old enough. */
static void take_live(struct candidate *c, const struct heap_snapshot *heap)
{
	c->live_blocks = heap->age_ns ? c->site->aged_blocks : c->site->live_blocks;
	c->live_bytes = heap->age_ns ? c->site->aged_bytes : c->site->live_bytes;
	c->average_bytes = c->live_blocks ? (double)c->live_bytes / (double)c->live_blocks : 0;
}

/* Everything live was allocated while we watched, so live bytes over that time is growth. */
static void take_growth(struct candidate *c, const struct heap_snapshot *heap)
{
	uint64_t observed = heap->taken_ns > heap->begin_ns ? heap->taken_ns - heap->begin_ns : 0;

	if (observed < OBSERVED_MIN_NS)
		return;
	c->growth_known = true;
	c->growth_bytes_per_hour = (double)c->live_bytes / (double)observed * NS_PER_HOUR;
}

static int explain_growth(struct candidate *c, const struct leak_limits *limits)
{
	if (!c->growth_known || c->growth_bytes_per_hour <= limits->growth_bytes_per_hour)
		return 0;
	c->criteria++;
	return evidence__say(&c->evidence, "grows %.1f MB/hour (limit %.1f)",
			     c->growth_bytes_per_hour / MB, limits->growth_bytes_per_hour / MB);
}

static int explain_large(struct candidate *c, const struct leak_limits *limits, uint64_t now)
{
	uint64_t idle = now > c->site->last_ns ? now - c->site->last_ns : 0;

	if (c->live_bytes <= limits->large_bytes || idle > limits->recent_ns)
		return 0;
	c->criteria++;
	return evidence__say(&c->evidence, "%.1f MB live (limit %.1f), last allocation %.1f s ago",
			     (double)c->live_bytes / MB, (double)limits->large_bytes / MB,
			     (double)idle / 1e9);
}

static int explain_many(struct candidate *c, const struct leak_limits *limits)
{
	if (c->live_blocks <= limits->many_blocks || c->live_bytes <= limits->many_bytes)
		return 0;
	c->criteria++;
	return evidence__say(&c->evidence,
			     "%" PRIu64 " live blocks of %.1f MB (limits %" PRIu64 " and %.1f)",
			     c->live_blocks, (double)c->live_bytes / MB, limits->many_blocks,
			     (double)limits->many_bytes / MB);
}

static int explain(struct candidate *c, const struct heap_snapshot *heap,
		   const struct leak_limits *limits)
{
	int err = evidence__say(&c->evidence, "%" PRIu64 " allocated, %" PRIu64 " freed",
				c->site->allocs, c->site->frees);

	if (!err)
		err = explain_growth(c, limits);
	if (!err)
		err = explain_large(c, limits, heap->taken_ns);
	if (!err)
		err = explain_many(c, limits);
	if (!err && c->site->lost)
		err = evidence__say(&c->evidence, "%" PRIu64 " frees were missed", c->site->lost);
	return err;
}

static int explain_heap(struct candidates *out, const struct heap_totals *total,
			const struct leak_limits *limits)
{
	double ratio;

	if (!total->live_bytes)
		return 0;
	ratio = (double)total->peak_live_bytes / (double)total->live_bytes;
	if (ratio <= limits->peak_ratio)
		return 0;
	return evidence__say(&out->heap_evidence,
			     "peak of %.1f MB is %.1f times the current %.1f MB (limit %.1f)",
			     (double)total->peak_live_bytes / MB, ratio,
			     (double)total->live_bytes / MB, limits->peak_ratio);
}

static int more_live_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->live_bytes != y->live_bytes)
		return x->live_bytes < y->live_bytes ? 1 : -1;
	if (x->live_blocks != y->live_blocks)
		return x->live_blocks < y->live_blocks ? 1 : -1;
	/* The snapshot's own order decides, so that the result does not depend on qsort. */
	return x->site < y->site ? -1 : x->site > y->site;
}

static void cut(struct candidates *out, const struct candidate_options *options)
{
	size_t kept = 0;

	for (size_t i = 0; i < out->list.len; i++) {
		const struct candidate *c = &out->list.data[i];

		if (c->live_bytes >= options->min_bytes && (!options->top || kept < options->top)) {
			kept++;
			continue;
		}
		out->hidden++;
		out->hidden_bytes += c->live_bytes;
	}
	/* They are sorted by size, so what is cut is at the end. */
	out->list.len = kept;
}

int candidates__find(struct candidates *out, const struct heap_snapshot *heap,
		     const struct candidate_options *options)
{
	const struct call_site *site;
	struct candidate *c;
	int err;

	vec_for_each (&heap->sites, site) {
		struct candidate found = {.site = site};

		take_live(&found, heap);
		if (!found.live_bytes)
			continue;
		c = vec_push(&out->list);
		if (!c)
			return -ENOMEM;
		*c = found;
	}
	if (out->list.len)
		qsort(out->list.data, out->list.len, sizeof(*out->list.data), more_live_first);
	cut(out, options);
	vec_for_each (&out->list, c) {
		c->component = component_of(c->site);
		take_growth(c, heap);
		err = explain(c, heap, &options->limits);
		if (err)
			return err;
	}
	return explain_heap(out, &heap->total, &options->limits);
}

void candidates__free(struct candidates *out)
{
	struct candidate *c;

	vec_for_each (&out->list, c)
		evidence__free(&c->evidence);
	vec_free(&out->list);
	evidence__free(&out->heap_evidence);
	memset(out, 0, sizeof(*out));
}
