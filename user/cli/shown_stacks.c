// SPDX-License-Identifier: BSD-2-Clause
#include "cli/shown_stacks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "stack/lines_worker.h"

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void note_lines(struct tracing *t, const struct source_facts *lines)
{
	if (!source_lines_supported)
		tracing__note(t, "stack: this build reads no debug information (made without "
				 "libdw): no file, line or inlined functions");
	if (lines->unreadable)
		tracing__note(t,
			      "stack: the debug information of %" PRIu64
			      " object%s could not be read: no lines there",
			      lines->unreadable, plural(lines->unreadable));
	if (lines->too_slow)
		tracing__note(t,
			      "stack: reading the debug information of %" PRIu64
			      " object%s took more than %d s and was stopped: lines are missing",
			      lines->too_slow, plural(lines->too_slow), LINES_WORKER_SECONDS);
}

static void note_names(struct tracing *t, const struct symbolizer_facts *names)
{
	const struct debug_file_facts *f = &names->debug_files;
	uint64_t refused = f->other_build_id + f->other_crc + f->unusable;

	if (refused)
		tracing__note(t,
			      "stack: %" PRIu64 " separate debug file%s not used: %" PRIu64
			      " of another build, %" PRIu64 " with another checksum, %" PRIu64
			      " no ELF file",
			      refused, plural(refused), f->other_build_id, f->other_crc,
			      f->unusable);
	if (f->bad_links)
		tracing__note(t,
			      "stack: %" PRIu64 " .gnu_debuglink or .gnu_debugaltlink name%s no "
			      "file and %s ignored",
			      f->bad_links, f->bad_links == 1 ? "s" : "",
			      f->bad_links == 1 ? "was" : "were");
	if (names->foreign_perf_maps + names->odd_perf_maps)
		tracing__note(t,
			      "stack: perf maps not used: %" PRIu64
			      " that another user owns, %" PRIu64 " that are no regular files",
			      names->foreign_perf_maps, names->odd_perf_maps);
}

int shown_stacks__add_lines(struct tracing *t, const struct call_lines_stack *stacks, size_t n)
{
	struct symbolizer *symbolizer = session__symbolizer(t->session);
	struct symbolizer_facts names;
	struct source_facts lines = {0};
	int ret;

	if (!symbolizer)
		return 0;
	ret = call_lines__add(symbolizer, stacks, n, &lines);
	symbolizer__facts(symbolizer, &names);
	if (n)
		note_lines(t, &lines);
	note_names(t, &names);
	t->run.notes = (const char *const *)t->notes;
	t->run.note_count = t->note_count;
	return ret;
}

int shown_stacks__candidates(struct tracing *t, const struct candidates *candidates)
{
	struct heap_snapshot *heap = &t->results.heap;
	struct call_lines_stack *stacks =
		calloc(candidates->list.len ? candidates->list.len : 1, sizeof(*stacks));
	const struct candidate *c;
	size_t n = 0;
	int ret;

	if (!stacks)
		return -ENOMEM;
	vec_for_each (&candidates->list, c) {
		/* They borrow the sites, which are ours. */
		struct call_site *site = &heap->sites.data[c->site - heap->sites.data];

		stacks[n++] = (struct call_lines_stack){&site->frames, &site->depth};
	}
	ret = shown_stacks__add_lines(t, stacks, n);
	free(stacks);
	return ret;
}
