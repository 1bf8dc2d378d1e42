// SPDX-License-Identifier: BSD-2-Clause
#include "stack/kallsyms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/vec.h"

#define SYMBOLS_MAX (1 << 20)
#define TEXT_MAX    (64 << 20)
/* No size is told: what is further from its symbol than this is something else. */
#define FUNCTION_MAX (1 << 17)

struct symbol {
	uint64_t start;
	uint32_t name, module; /* offsets in `text`; module 0 = the kernel itself */
};

struct kallsyms {
	VEC(struct symbol) symbols; /* ascending, one for an address */
	struct strbuf text;
};

static bool is_code(char type)
{
	return type == 't' || type == 'T' || type == 'w' || type == 'W';
}

/* The offset of a copy, which ends with its NUL. */
static uint32_t keep_text(struct kallsyms *k, const char *text)
{
	uint32_t at = k->text.len;

	strbuf_add(&k->text, text, strlen(text) + 1);
	return at;
}

/* Lines of a module follow each other. */
static uint32_t keep_module(struct kallsyms *k, const char *module)
{
	const struct symbol *last = k->symbols.len ? &k->symbols.data[k->symbols.len - 1] : NULL;

	if (!module[0])
		return 0;
	if (last && last->module && !strcmp(k->text.data + last->module, module))
		return last->module;
	return keep_text(k, module);
}

static int add_line(struct kallsyms *k, const char *line)
{
	char type, name[512], module[128] = "";
	unsigned long long address;
	uint32_t module_at, name_at;
	struct symbol *symbol;

	if (sscanf(line, "%llx %c %511s %127s", &address, &type, name, module) < 3 || !address ||
	    !is_code(type))
		return 0;
	if (k->symbols.len >= SYMBOLS_MAX || k->text.len >= TEXT_MAX)
		return 0;
	module_at = keep_module(k, module);
	name_at = keep_text(k, name);
	symbol = vec_push(&k->symbols);
	if (!symbol)
		return -ENOMEM;
	*symbol = (struct symbol){.start = address, .name = name_at, .module = module_at};
	return strbuf_error(&k->text);
}

static int by_address(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name; /* as in the file */
}

/* Of several names the first one stays. */
static void sort_symbols(struct kallsyms *k)
{
	size_t kept = 0;

	if (!k->symbols.len)
		return;
	qsort(k->symbols.data, k->symbols.len, sizeof(*k->symbols.data), by_address);
	for (size_t i = 1; i < k->symbols.len; i++) {
		if (k->symbols.data[i].start != k->symbols.data[kept].start)
			k->symbols.data[++kept] = k->symbols.data[i];
	}
	k->symbols.len = kept + 1;
}

struct kallsyms *kallsyms__load(const char *path)
{
	struct kallsyms *k = calloc(1, sizeof(*k));
	FILE *file = k ? fopen(path, "re") : NULL;
	char line[1024];
	int ret = 0;

	if (!k)
		return NULL;
	strbuf_putc(&k->text, '\0'); /* so that no offset is 0 */
	while (file && !ret && fgets(line, sizeof(line), file))
		ret = add_line(k, line);
	if (file)
		fclose(file);
	if (ret || strbuf_error(&k->text)) {
		kallsyms__free(k);
		return NULL;
	}
	sort_symbols(k);
	return k;
}

void kallsyms__free(struct kallsyms *k)
{
	if (!k)
		return;
	vec_free(&k->symbols);
	strbuf_free(&k->text);
	free(k);
}

size_t kallsyms__count(const struct kallsyms *k)
{
	return k->symbols.len;
}

bool kallsyms__find(const struct kallsyms *k, uint64_t address, struct kernel_symbol *out)
{
	size_t low = 0, high = k->symbols.len;
	const struct symbol *found;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (k->symbols.data[mid].start <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return false;
	found = &k->symbols.data[low - 1];
	if (address - found->start >= FUNCTION_MAX)
		return false;
	*out = (struct kernel_symbol){
		.name = k->text.data + found->name,
		.module = found->module ? k->text.data + found->module : KALLSYMS_CORE,
		.start = found->start,
	};
	return true;
}
