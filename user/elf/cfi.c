// SPDX-License-Identifier: BSD-2-Clause
#include "elf/cfi.h"

#include <errno.h>

#include "elf/cfi_program.h"
#include "elf/cie.h"
#include "elf/cursor.h"

#define CIE_CACHE 64	/* a power of two */
#define CIE_MAX	  1024	/* bytes; compilers write 20 to 30 */
#define CIE_WORK  65536 /* bytes of CIEs read again, besides 2 per byte of the section */

/* One CIE, and what its functions start with. */
struct common {
	bool known;
	int err;
	size_t at; /* where in the section */
	struct cie cie;
	struct cfi_state initial;
};

struct walk {
	const struct cfi_section *section;
	const struct cfi_visitor *visitor;
	struct cfi_counts *counts;
	uint64_t work_left; /* see CIE_WORK */
	struct common cache[CIE_CACHE];
};

/* An entry between the end of its length and its own end. */
struct entry {
	struct cursor c; /* behind the id field */
	size_t id_at;
	uint64_t id;
	size_t next;
};

/* 0; -ENODATA at the end mark; -EINVAL: what follows cannot be found either. */
static int open_entry(const struct cfi_section *s, size_t at, struct entry *e)
{
	bool is_64bit;
	uint64_t length;

	e->c = (struct cursor){.data = s->data, .len = s->size, .pos = at, .vaddr = s->vaddr};
	length = cursor__number(&e->c, 4);
	is_64bit = length == UINT32_MAX;
	if (is_64bit)
		length = cursor__number(&e->c, 8);
	if (e->c.bad || length > s->size - e->c.pos)
		return -EINVAL;
	e->next = e->c.pos + length;
	if (!length)
		return -ENODATA;
	e->c.len = e->next;
	e->id_at = e->c.pos;
	/* In .eh_frame it has 4 bytes in either form. */
	e->id = cursor__number(&e->c, is_64bit && s->is_debug_frame ? 8 : 4);
	if (is_64bit && s->is_debug_frame && e->id == UINT64_MAX)
		e->id = UINT32_MAX;
	return 0;
}

static bool is_cie(const struct cfi_section *s, const struct entry *e)
{
	return e->id == (s->is_debug_frame ? UINT32_MAX : 0);
}

static int read_common(struct walk *w, size_t at, struct common *out)
{
	struct entry e;
	int err = open_entry(w->section, at, &e);

	out->known = true;
	out->at = at;
	if (err || e.c.bad || !is_cie(w->section, &e) || e.next - e.id_at > CIE_MAX)
		return -EINVAL;
	w->work_left -= e.next - e.id_at < w->work_left ? e.next - e.id_at : w->work_left;
	err = cie__read(&e.c, &out->cie);
	if (err)
		return err;
	if ((out->cie.code_encoding & PE_INDIRECT) || out->cie.return_register != CFI_RA)
		return -ENOTSUP;
	return cfi_program__initial(&out->cie, &e.c, &out->initial);
}

/* The CIE that the entry refers to: by distance in .eh_frame, by position in .debug_frame. */
static const struct common *find_common(struct walk *w, const struct entry *e)
{
	struct common *slot;
	uint64_t at = e->id;

	if (!w->section->is_debug_frame) {
		if (e->id > e->id_at)
			return NULL;
		at = e->id_at - e->id;
	}
	if (at >= w->section->size)
		return NULL;
	slot = &w->cache[(at >> 2) % CIE_CACHE];
	if (!slot->known || slot->at != at)
		slot->err = read_common(w, at, slot);
	return slot->err ? NULL : slot;
}

/* 0, 1 = it makes no sense, or what the visitor stopped with. */
static int visit_function(struct walk *w, struct entry *e)
{
	const struct common *common = find_common(w, e);
	uint64_t start, end;
	int err;

	if (!common || e->c.bad)
		return 1;
	start = cursor__address(&e->c, common->cie.code_encoding);
	end = start + cursor__format(&e->c, common->cie.code_encoding & PE_FORMAT);
	if (common->cie.augmented)
		cursor__bytes(&e->c, cursor__uleb(&e->c));
	if (e->c.bad || end < start)
		return 1;
	if (start == end) /* linkers leave these of functions that they dropped */
		return 0;
	err = w->visitor->function(w->visitor->arg, start, end);
	if (err)
		return err < 0 ? err : 0;
	return cfi_program__run(&common->cie, &common->initial, &e->c, start, end, w->visitor);
}

static int visit_entries(struct walk *w)
{
	const struct cfi_section *s = w->section;
	struct entry e;
	int err = 0;

	for (size_t at = 0; at < s->size; at = e.next) {
		err = open_entry(s, at, &e);
		if (err == -ENODATA && !s->has_end) /* end marks of the files linked into one */
			continue;
		if (err) {
			w->counts->bad += err != -ENODATA;
			return 0;
		}
		if (!e.c.bad && is_cie(s, &e))
			continue;
		w->counts->entries++;
		err = visit_function(w, &e);
		if (err < 0)
			return err;
		w->counts->bad += (size_t)err;
		if (!w->work_left)
			return -E2BIG;
	}
	return 0;
}

int cfi_section__walk(const struct cfi_section *section, const struct cfi_visitor *visitor,
		      struct cfi_counts *counts)
{
	struct walk w;

	*counts = (struct cfi_counts){0};
	w.section = section;
	w.visitor = visitor;
	w.counts = counts;
	w.work_left = CIE_WORK + 2 * (uint64_t)section->size;
	for (size_t i = 0; i < CIE_CACHE; i++)
		w.cache[i].known = false;
	return visit_entries(&w);
}
