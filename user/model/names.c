// SPDX-License-Identifier: BSD-2-Clause
#include "model/names.h"

#include <stdlib.h>
#include <string.h>

/* Out of memory while inserting leaves hh.tbl NULL; the caller looks. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct name {
	UT_hash_handle hh;
	char text[];
};

struct names {
	struct name *table;
	size_t limit;
	uint64_t overflowed;
	char overflow[sizeof(NAMES_OVERFLOW)];
};

struct names *names__new(size_t limit)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->limit = limit;
	memcpy(names->overflow, NAMES_OVERFLOW, sizeof(NAMES_OVERFLOW));
	return names;
}

void names__free(struct names *names)
{
	struct name *name, *next;

	if (!names)
		return;
	HASH_ITER(hh, names->table, name, next) {
		HASH_DEL(names->table, name);
		free(name);
	}
	free(names);
}

static struct name *insert(struct names *names, const char *text, size_t len)
{
	struct name *name;

	if (names__count(names) >= names->limit)
		return NULL;
	name = malloc(sizeof(*name) + len + 1);
	if (!name)
		return NULL;
	memcpy(name->text, text, len);
	name->text[len] = '\0';
	HASH_ADD_KEYPTR(hh, names->table, name->text, len, name);
	if (!name->hh.tbl) {
		free(name);
		return NULL;
	}
	return name;
}

const char *names__intern_bytes(struct names *names, const char *text, size_t len)
{
	struct name *name;

	len = strnlen(text, len);
	HASH_FIND(hh, names->table, text, len, name);
	if (!name)
		name = insert(names, text, len);
	if (name)
		return name->text;
	names->overflowed++;
	return names->overflow;
}

const char *names__intern(struct names *names, const char *text)
{
	return names__intern_bytes(names, text, strlen(text));
}

size_t names__count(const struct names *names)
{
	return HASH_COUNT(names->table);
}

uint64_t names__overflowed(const struct names *names)
{
	return names->overflowed;
}
