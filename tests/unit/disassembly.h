/* SPDX-License-Identifier: BSD-2-Clause */
/* What objdump makes of a file's code: an independent opinion for tests of our own decoder. */
#ifndef PERFTRACE_TESTS_DISASSEMBLY_H
#define PERFTRACE_TESTS_DISASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

struct disassembly_line {
	uint64_t vaddr;
	char *text; /* "mov    %rax,0x8(%rdi)" */
	/* Not to be trusted: (bad), a prefix shown alone; or the gap behind it is no instruction.
	 */
	bool doubtful;
	uint64_t next; /* vaddr of the next line; 0 = none follows directly */
};

struct disassembly {
	VEC(struct disassembly_line) lines; /* ascending */
};

static inline bool disassembly_doubts(const char *text)
{
	return strstr(text, "(bad)") || strstr(text, ".byte") || strstr(text, "data16 rex") ||
	       strstr(text, "rex.") || !strncmp(text, "rex", 3);
}

/* objdump leaves zeros out ("...") and starts sections anew. */
static inline bool disassembly_is_gap(const char *line)
{
	return strstr(line, "\t...") || !strncmp(line, "Disassembly", 11);
}

static inline void disassembly__load(struct disassembly *d, const char *path)
{
	char command[512], line[512], *end;
	FILE *f;

	snprintf(command, sizeof(command), "objdump -d -w --no-show-raw-insn '%s' 2>/dev/null",
		 path);
	f = popen(command, "r");
	if (!f)
		abort();
	while (fgets(line, sizeof(line), f)) {
		struct disassembly_line *slot, *last;
		uint64_t vaddr;

		last = d->lines.len ? &d->lines.data[d->lines.len - 1] : NULL;
		if (last && disassembly_is_gap(line)) {
			last->doubtful = true;
			last->next = UINT64_MAX;
		}
		if (line[0] != ' ')
			continue;
		vaddr = strtoull(line, &end, 16);
		if (*end != ':' || end[1] != '\t')
			continue;
		if (last && !last->next)
			last->next = vaddr;
		slot = vec_push(&d->lines);
		if (!slot)
			abort();
		end[strcspn(end, "\n")] = '\0';
		slot->vaddr = vaddr;
		slot->text = strdup(end + 2);
		slot->doubtful = disassembly_doubts(slot->text);
	}
	pclose(f);
}

/* The line at or behind `vaddr`: an index, d->lines.len if there is none. */
static inline size_t disassembly__find(const struct disassembly *d, uint64_t vaddr)
{
	size_t low = 0, high = d->lines.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (d->lines.data[mid].vaddr < vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The line of the instruction that begins at `vaddr`; NULL: objdump sees none begin there. */
static inline const struct disassembly_line *disassembly__at(const struct disassembly *d,
							     uint64_t vaddr)
{
	size_t i = disassembly__find(d, vaddr);

	return i < d->lines.len && d->lines.data[i].vaddr == vaddr ? &d->lines.data[i] : NULL;
}

static inline void disassembly__free(struct disassembly *d)
{
	struct disassembly_line *line;

	vec_for_each (&d->lines, line)
		free(line->text);
	vec_free(&d->lines);
}

/* The text behind prefixes that objdump writes as words. */
static inline const char *disassembly_mnemonic(const char *text)
{
	static const char *const prefixes[] = {"lock ", "rep ", "repz ",   "repnz ", "bnd ",
					       "cs ",	"ds ",	"data16 ", "es ",    "ss ",
					       "fs ",	"gs ",	"notrack "};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]);) {
		size_t len = strlen(prefixes[i]);

		if (!strncmp(text, prefixes[i], len)) {
			text += len;
			i = 0;
		} else {
			i++;
		}
	}
	return text;
}

/* Where a relative jump or call goes. */
static inline bool disassembly_target(const char *text, uint64_t *target)
{
	const char *m = disassembly_mnemonic(text), *operand = strchr(m, ' ');
	char *end;

	if ((m[0] != 'j' && strncmp(m, "call", 4) && strncmp(m, "loop", 4)) || !operand)
		return false;
	operand += strspn(operand, " ");
	*target = strtoull(operand, &end, 16);
	return end != operand && (*end == ' ' || *end == '\0');
}

#endif
