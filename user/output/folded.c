// SPDX-License-Identifier: BSD-2-Clause
#include "output/folded.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "output/vis.h"

struct line {
	char *stack; /* owned */
	uint64_t count;
};
typedef VEC(struct line) line_list;

/* A semicolon would end the frame. */
static void add_name(struct strbuf *out, const char *name)
{
	struct strbuf text = {0};

	vis(&text, name, VIS_NAME_MAX);
	for (const char *p = strbuf_str(&text); *p; p++) {
		if (*p == ';')
			strbuf_puts(out, "\\073");
		else
			strbuf_putc(out, *p);
	}
	out->failed |= text.failed;
	strbuf_free(&text);
}

static void add_frame(struct strbuf *out, const struct heap_frame *f, bool kernel)
{
	const char *slash = f->module ? strrchr(f->module, '/') : NULL;
	const char *module = slash ? slash + 1 : f->module;

	strbuf_putc(out, ';');
	if (f->function) {
		add_name(out, f->function);
	} else if (module && f->unnamed_start) {
		add_name(out, module);
		strbuf_printf(out, "+0x%" PRIx64, f->unnamed_start);
	} else if (!module) {
		strbuf_puts(out, "[unknown]");
	} else if (*module == '[') {
		add_name(out, module);
	} else {
		strbuf_putc(out, '[');
		add_name(out, module);
		strbuf_putc(out, ']');
	}
	if (kernel)
		strbuf_puts(out, "_[k]");
}

static int add_line(line_list *lines, const struct profile_stack *s)
{
	struct line *line = vec_push(lines);
	struct strbuf out = {0};

	if (!line)
		return -ENOMEM;
	add_name(&out, s->comm);
	if (!s->complete)
		strbuf_puts(&out, ";[incomplete]");
	for (uint32_t i = s->depth; i > 0; i--)
		add_frame(&out, &s->frames[i - 1], i <= s->kernel_depth);
	if (strbuf_error(&out)) {
		strbuf_free(&out);
		return -ENOMEM;
	}
	*line = (struct line){out.data, s->count};
	return 0;
}

static int by_stack(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return strcmp(x->stack, y->stack);
}

static int by_count(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return by_stack(a, b);
}

/* Stacks that differ only in addresses are one line. */
static void merge(line_list *lines)
{
	size_t kept = 0;

	if (!lines->len)
		return;
	qsort(lines->data, lines->len, sizeof(*lines->data), by_stack);
	for (size_t i = 1; i < lines->len; i++) {
		if (!strcmp(lines->data[kept].stack, lines->data[i].stack)) {
			lines->data[kept].count += lines->data[i].count;
			free(lines->data[i].stack);
		} else {
			lines->data[++kept] = lines->data[i];
		}
	}
	lines->len = kept + 1;
	qsort(lines->data, lines->len, sizeof(*lines->data), by_count);
}

int folded(struct strbuf *out, const struct profile *profile)
{
	const struct profile_stack *stack;
	line_list lines = {0};
	struct line *line;
	int ret = 0;

	vec_for_each (&profile->stacks, stack) {
		if (!ret)
			ret = add_line(&lines, stack);
	}
	if (!ret)
		merge(&lines);
	vec_for_each (&lines, line) {
		strbuf_printf(out, "%s %" PRIu64 "\n", line->stack ? line->stack : "", line->count);
		free(line->stack);
	}
	vec_free(&lines);
	return ret ? ret : strbuf_error(out);
}
