// SPDX-License-Identifier: BSD-2-Clause
#include "output/stack_text.h"

#include <inttypes.h>
#include <string.h>

#include "abi/unwind.h"
#include "insight/candidates.h"
#include "output/utf8.h"
#include "output/vis.h"

#define ELLIPSIS	"\xe2\x80\xa6"
#define BUILD_ID_DIGITS 8

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void stack_text__place(struct strbuf *out, const struct heap_frame *f)
{
	if (f->file) {
		vis(out, file_name(f->file), VIS_NAME_MAX);
		if (f->line)
			strbuf_printf(out, ":%" PRIu32, f->line);
		return;
	}
	if (f->module) {
		vis(out, file_name(f->module), VIS_NAME_MAX);
		strbuf_putc(out, '+');
	}
	strbuf_printf(out, "0x%" PRIx64, f->offset);
}

/* Enough to find the module's debug information by. */
static void place_without_function(struct strbuf *out, const struct heap_frame *f)
{
	stack_text__place(out, f);
	if (f->module && f->build_id && !f->file) {
		strbuf_printf(out, " [%.*s]", BUILD_ID_DIGITS, f->build_id);
	}
}

void stack_text__function(struct strbuf *out, const struct heap_frame *f)
{
	if (f->function)
		vis(out, f->function, VIS_NAME_MAX);
	else
		place_without_function(out, f);
}

const char *stack_text__stop(unsigned int stop)
{
	static const char *const reasons[UNWIND_STOPS] = {
		[UNWIND_STOP_END] = "it is complete",
		[UNWIND_STOP_NO_MAPPING] = "an address in no mapping that is known",
		[UNWIND_STOP_NO_RULE] = "code without usable unwind information",
		[UNWIND_STOP_READ_FAULT] = "its memory could not be read",
		[UNWIND_STOP_DEPTH] = "--stack-depth frames are kept",
		[UNWIND_STOP_NO_TABLES] = "unwind tables were not there yet",
	};

	return stop < UNWIND_STOPS ? reasons[stop] : "for an unknown reason";
}

static bool is_below_program(const struct heap_frame *f)
{
	static const char *const names[] = {
		"_start",
		"__libc_start_main",
		"__libc_start_main_impl",
		"start_thread",
		"__libc_start_call_main",
		"__clone3",
		"clone3",
		"__clone",
		"clone",
	};

	for (size_t i = 0; f->function && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(f->function, names[i]))
			return true;
	return false;
}

uint32_t stack_text__depth(const struct call_site *site)
{
	uint32_t depth = site->depth;

	if (site->truncated || !depth)
		return depth;
	/* Below main everything is the C library's start, whether its functions are known or not.
	 */
	for (uint32_t i = depth; i > 0; i--)
		if (site->frames[i - 1].function && !strcmp(site->frames[i - 1].function, "main"))
			return i;
	while (depth && is_below_program(&site->frames[depth - 1]))
		depth--;
	return depth ? depth : site->depth;
}

void stack_text__line(struct strbuf *out, const struct call_site *site, size_t columns)
{
	const struct heap_frame *first = call_site__caller(site);
	uint32_t i = first ? (uint32_t)(first - site->frames) : 0;
	uint32_t depth = stack_text__depth(site);
	struct strbuf line = {0}, next = {0};

	if (i >= depth) /* nothing but the C library's own */
		depth = site->depth;
	if (i >= depth)
		strbuf_puts(&line, "(no stack)");
	for (; i < depth; i++) {
		strbuf_reset(&next);
		strbuf_puts(&next, line.len ? " <- " : "");
		stack_text__function(&next, &site->frames[i]);
		if (site->frames[i].function && site->frames[i].file) {
			strbuf_puts(&next, " (");
			stack_text__place(&next, &site->frames[i]);
			strbuf_putc(&next, ')');
		}
		/* Whole frames only, but always the first. */
		if (line.len &&
		    utf8_columns(strbuf_str(&line)) + utf8_columns(strbuf_str(&next)) > columns)
			break;
		strbuf_puts(&line, strbuf_str(&next));
	}
	text_cut_middle(out, strbuf_str(&line), columns);
	if (strbuf_error(&line) || strbuf_error(&next))
		out->failed = true;
	strbuf_free(&line);
	strbuf_free(&next);
}

void text_cut_middle(struct strbuf *out, const char *text, size_t columns)
{
	size_t have = utf8_columns(text), head, tail;

	if (have <= columns) {
		strbuf_puts(out, text);
		return;
	}
	if (!columns)
		return;
	head = columns / 2;
	tail = columns - head - 1;
	strbuf_add(out, text, utf8_prefix(text, head));
	strbuf_puts(out, ELLIPSIS);
	strbuf_puts(out, text + utf8_prefix(text, have - tail));
}

void text_pad(struct strbuf *out, const char *text, size_t columns)
{
	size_t have = utf8_columns(text);

	strbuf_puts(out, text);
	for (; have < columns; have++)
		strbuf_putc(out, ' ');
}
