// SPDX-License-Identifier: BSD-2-Clause
#include "elf/fde_index.h"

#include <errno.h>
#include <stdlib.h>

/* DW_EH_PE_* of the Linux Standard Base, table 10-2: low nibble the format, high the base. */
#define PE_FORMAT	  0x0f
#define PE_UDATA4	  0x03
#define PE_SDATA4	  0x0b
#define PE_UDATA8	  0x04
#define PE_SDATA8	  0x0c
#define PE_DATAREL_SDATA4 0x3b
#define PE_OMIT		  0xff

struct fde_index {
	size_t count;
	struct function {
		uint64_t start, fde; /* vaddrs; by ascending start */
	} functions[];
};

struct header {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
};

struct row {
	int32_t start, fde; /* relative to the header's own vaddr */
};

static size_t encoded_size(uint8_t encoding)
{
	switch (encoding & PE_FORMAT) {
	case PE_UDATA4:
	case PE_SDATA4:
		return 4;
	case 0x00: /* DW_EH_PE_absptr */
	case PE_UDATA8:
	case PE_SDATA8:
		return 8;
	default:
		return 0;
	}
}

static const Elf64_Phdr *find_header(const struct elf_image *img)
{
	const Elf64_Phdr *p;

	for (size_t i = 0; (p = elf_image__segment_at(img, i)); i++)
		if (p->p_type == PT_GNU_EH_FRAME)
			return p;
	return NULL;
}

/* Checks the fixed part; tells where the rows begin (file offset) and how many there are. */
static int read_header(const struct elf_image *img, const Elf64_Phdr *p, uint64_t *rows,
		       uint32_t *count)
{
	uint64_t at = p->p_offset;
	struct header h;
	size_t skip;

	if (p->p_offset + p->p_filesz < p->p_offset || elf_image__read(img, at, &h, sizeof(h)))
		return -EINVAL;
	if (h.version != 1)
		return -EINVAL;
	if (h.count_encoding == PE_OMIT || h.table_encoding == PE_OMIT)
		return -ENOENT;
	if (h.count_encoding != PE_UDATA4 || h.table_encoding != PE_DATAREL_SDATA4)
		return -ENOTSUP;
	skip = h.frame_encoding == PE_OMIT ? 0 : encoded_size(h.frame_encoding);
	if (!skip && h.frame_encoding != PE_OMIT)
		return -ENOTSUP;
	at += sizeof(h) + skip;
	if (elf_image__read(img, at, count, sizeof(*count)))
		return -EINVAL;
	if (*count > FDE_INDEX_MAX)
		return -E2BIG;
	*rows = at + sizeof(*count);
	if (*rows > p->p_offset + p->p_filesz ||
	    *count * sizeof(struct row) > p->p_offset + p->p_filesz - *rows)
		return -EINVAL;
	return 0;
}

static int compare_starts(const void *left, const void *right)
{
	const struct function *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

/* Linkers sort the table; where one did not, we do. */
static void sort_starts(struct fde_index *idx)
{
	for (size_t i = 1; i < idx->count; i++) {
		if (idx->functions[i - 1].start > idx->functions[i].start) {
			qsort(idx->functions, idx->count, sizeof(idx->functions[0]),
			      compare_starts);
			return;
		}
	}
}

int fde_index__load(const struct elf_image *img, struct fde_index **out)
{
	const Elf64_Phdr *p = find_header(img);
	struct fde_index *idx;
	struct row *table;
	uint64_t rows;
	uint32_t count;
	int err;

	*out = NULL;
	if (!p)
		return -ENOENT;
	err = read_header(img, p, &rows, &count);
	if (err)
		return err;
	if (rows > elf_image__size(img) || count * sizeof(struct row) > elf_image__size(img) - rows)
		return -EINVAL;
	table = malloc(count * sizeof(*table) + 1);
	idx = malloc(sizeof(*idx) + count * sizeof(idx->functions[0]));
	err = table && idx ? elf_image__read(img, rows, table, count * sizeof(*table)) : -ENOMEM;
	if (err) {
		free(table);
		free(idx);
		return err;
	}
	idx->count = count;
	for (uint32_t i = 0; i < count; i++) {
		idx->functions[i].start = p->p_vaddr + (uint64_t)(int64_t)table[i].start;
		idx->functions[i].fde = p->p_vaddr + (uint64_t)(int64_t)table[i].fde;
	}
	free(table);
	sort_starts(idx);
	*out = idx;
	return 0;
}

void fde_index__free(struct fde_index *idx)
{
	free(idx);
}

size_t fde_index__count(const struct fde_index *idx)
{
	return idx->count;
}

/* How many functions start at or below vaddr. */
static size_t upper_bound(const struct fde_index *idx, uint64_t vaddr)
{
	size_t low = 0, high = idx->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (idx->functions[mid].start <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int fde_index__function_start(const struct fde_index *idx, uint64_t vaddr, uint64_t *start)
{
	size_t end = upper_bound(idx, vaddr);

	if (!end)
		return -ENOENT;
	*start = idx->functions[end - 1].start;
	return 0;
}

int fde_index__next_start(const struct fde_index *idx, uint64_t vaddr, uint64_t *start)
{
	size_t end = upper_bound(idx, vaddr);

	if (end == idx->count)
		return -ENOENT;
	*start = idx->functions[end].start;
	return 0;
}

int fde_index__entry(const struct fde_index *idx, uint64_t start, uint64_t *fde)
{
	size_t end = upper_bound(idx, start);

	if (!end || idx->functions[end - 1].start != start)
		return -ENOENT;
	*fde = idx->functions[end - 1].fde;
	return 0;
}
