/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines that several reports share. Each function appends whole lines, with their newline,
 * that start with a keyword padded to TEXT_KEY_WIDTH.
 */
#ifndef PERFTRACE_OUTPUT_TEXT_PARTS_H
#define PERFTRACE_OUTPUT_TEXT_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "model/heap.h"
#include "model/ledger.h"
#include "model/memory.h"
#include "output/run_info.h"

#define TEXT_KEY_WIDTH 8
#define TEXT_WIDTH     80 /* when nothing is known about the reader */
#define TEXT_WIDTH_MIN 40 /* narrower terminals wrap */

struct text_style {
	bool color;   /* mark severity; nothing else is ever coloured */
	size_t width; /* columns, 0 = TEXT_WIDTH */
};

enum text_severity {
	TEXT_PLAIN,
	TEXT_WARNING,
	TEXT_ALARM,
};

/* Appends `text`, coloured if the style wants it. */
void text_severe(struct strbuf *out, const struct text_style *style, enum text_severity severity,
		 const char *text);
size_t text_width(const struct text_style *style);
/* "KEY     ": call it with "" for lines that go on. */
void text_key(struct strbuf *out, const char *key);

/* "RSS 245.3 -> 892.1 MB (+646.8 MB, +38.9 GB/h)" without newline; "RSS n/a (why)". */
void text_rss(struct strbuf *out, const struct memory_growth *rss);
/* DATA: how far to trust the numbers, with a line for every loss and oddity. */
void text_data(struct strbuf *out, const struct text_style *style, const struct run_info *run,
	       const struct heap_snapshot *heap, const struct ledger *ledger);
/* COST: of the target and of perftrace itself. */
void text_cost(struct strbuf *out, const struct run_info *run);
/* NEXT where the target is gone: how to trace it when it runs again. */
void text_next_when_gone(struct strbuf *out, const struct run_info *run);
/* NOTE: the run's notes, wrapped. */
void text_notes(struct strbuf *out, const struct text_style *style, const struct run_info *run);

#define TEXT_TARGET_LEN 24
/*
 * The options that choose the target again: "-p 4242", or for all processes "-a", with --mode exact
 * if their heaps were traced. Returns `buf`.
 */
const char *text_target(char buf[TEXT_TARGET_LEN], const struct run_target *target, bool heap);

#endif
