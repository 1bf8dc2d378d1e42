// SPDX-License-Identifier: BSD-2-Clause
#include "elf/notes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/note_walk.h"

#define NT_STAPSDT 3
#define ADDRESSES  (3 * sizeof(uint64_t))

/* Takes the next NUL-terminated string of at most ELF_STRING_MAX bytes off the descriptor. */
static const char *take_string(const uint8_t **at, size_t *left)
{
	const char *s = (const char *)*at;
	const uint8_t *end = memchr(*at, '\0', *left);

	if (!end || end - *at > ELF_STRING_MAX)
		return NULL;
	*left -= (size_t)(end + 1 - *at);
	*at = end + 1;
	return s;
}

static bool locate(const struct elf_image *img, struct usdt_note *n)
{
	if (elf_image__vaddr_to_offset(img, n->location, &n->location_offset))
		return false;
	return !n->semaphore ||
	       !elf_image__vaddr_to_offset(img, n->semaphore, &n->semaphore_offset);
}

static void free_strings(struct usdt_note *n)
{
	free(n->provider);
	free(n->name);
	free(n->arguments);
}

/*
 * `base` is where the linker put .stapsdt.base (0 = no such section). The note remembers where it
 * was meant to be; prelink moves sections without correcting notes, the difference does.
 */
static int add_note(const struct elf_image *img, const struct note *note, uint64_t base,
		    struct usdt_notes *out)
{
	const uint8_t *at = note->desc + ADDRESSES;
	size_t left = note->desc_size - ADDRESSES;
	const char *provider, *name, *arguments;
	uint64_t addresses[3], shift;
	struct usdt_note found = {0}, *slot;

	memcpy(addresses, note->desc, ADDRESSES);
	provider = take_string(&at, &left);
	name = provider ? take_string(&at, &left) : NULL;
	arguments = name ? take_string(&at, &left) : NULL;
	shift = base ? base - addresses[1] : 0;
	found.location = addresses[0] + shift;
	found.semaphore = addresses[2] ? addresses[2] + shift : 0;
	if (!arguments || !*provider || !*name || !locate(img, &found)) {
		out->malformed++;
		return 0;
	}
	found.provider = strdup(provider);
	found.name = strdup(name);
	found.arguments = strdup(arguments);
	slot = found.provider && found.name && found.arguments ? vec_push(&out->list) : NULL;
	if (!slot) {
		free_strings(&found);
		return -ENOMEM;
	}
	*slot = found;
	return 0;
}

static int load_notes(const struct elf_image *img, const struct elf_section *sec, uint64_t base,
		      struct usdt_notes *out)
{
	struct note_walk walk = {0};
	struct note note;
	void *data;
	int err = elf_image__load_section(img, sec, &data, &walk.size);

	if (err)
		return err;
	walk.data = data;
	while (!err && note_walk_next(&walk, &note)) {
		if (!note_is(&note, "stapsdt", NT_STAPSDT) || note.desc_size < ADDRESSES) {
			out->malformed++;
		} else if (out->list.len >= USDT_NOTES_MAX) {
			out->truncated = true;
			break;
		} else {
			err = add_note(img, &note, base, out);
		}
	}
	out->malformed += walk.torn;
	free(data);
	return err;
}

int usdt_notes__load(const struct elf_image *img, struct usdt_notes *out)
{
	struct elf_section sec;
	uint64_t base = 0;

	if (!elf_image__section(img, ".stapsdt.base", &sec))
		base = sec.addr;
	if (elf_image__section(img, ".note.stapsdt", &sec) || sec.type != SHT_NOTE)
		return 0;
	return load_notes(img, &sec, base, out);
}

void usdt_notes__free(struct usdt_notes *notes)
{
	struct usdt_note *n;

	vec_for_each (&notes->list, n)
		free_strings(n);
	vec_free(&notes->list);
}
