// SPDX-License-Identifier: BSD-2-Clause
#include "elf/debug_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define SECTION_MAX   8192
#define CHUNK	      (256U << 10)
#define BUILD_ID_SIZE 20 /* dwz makes a SHA-1 */

static int parse(const uint8_t *data, size_t size, struct elf_debug_link *out)
{
	size_t len = strnlen((const char *)data, size), at;

	if (len == size)
		return -EINVAL;
	if (len >= sizeof(out->name))
		return -ENAMETOOLONG;
	memcpy(out->name, data, len + 1);
	if (!len || strchr(out->name, '/') || !strcmp(out->name, ".") || !strcmp(out->name, ".."))
		return -EINVAL;
	at = (len + 1 + 3) & ~(size_t)3;
	if (at > size || size - at < sizeof(out->crc))
		return -EINVAL;
	memcpy(&out->crc, data + at, sizeof(out->crc));
	return 0;
}

static int parse_alt(const uint8_t *data, size_t size, struct elf_debug_altlink *out)
{
	size_t len = strnlen((const char *)data, size);

	if (len == size || !len || size - len - 1 != BUILD_ID_SIZE)
		return -EINVAL;
	if (len >= sizeof(out->path))
		return -ENAMETOOLONG;
	memcpy(out->path, data, len + 1);
	for (size_t i = 0; i < BUILD_ID_SIZE; i++)
		snprintf(out->build_id + 2 * i, 3, "%02x", data[len + 1 + i]);
	return 0;
}

static int load_link(const struct elf_image *img, const char *name, void **data, size_t *size)
{
	struct elf_section sec;
	int ret = elf_image__section(img, name, &sec);

	if (ret)
		return ret;
	if (sec.size > SECTION_MAX || (sec.flags & SHF_COMPRESSED))
		return -EINVAL;
	return elf_image__load_section(img, &sec, data, size);
}

int elf_debug_link__read(const struct elf_image *img, struct elf_debug_link *out)
{
	void *data;
	size_t size;
	int ret = load_link(img, ".gnu_debuglink", &data, &size);

	if (ret)
		return ret;
	ret = parse(data, size, out);
	free(data);
	return ret;
}

int elf_debug_altlink__read(const struct elf_image *img, struct elf_debug_altlink *out)
{
	void *data;
	size_t size;
	int ret = load_link(img, ".gnu_debugaltlink", &data, &size);

	if (ret)
		return ret;
	ret = parse_alt(data, size, out);
	free(data);
	return ret;
}

int elf_debug_link__crc(const struct elf_image *img, uint32_t *crc)
{
	uint64_t size = elf_image__size(img), at = 0;
	uint8_t *chunk = malloc(CHUNK);
	uLong sum = crc32(0, NULL, 0);
	int ret = chunk ? 0 : -ENOMEM;

	while (!ret && at < size) {
		size_t len = size - at < CHUNK ? size - at : CHUNK;

		ret = elf_image__read(img, at, chunk, len);
		if (!ret)
			sum = crc32(sum, chunk, (uInt)len);
		at += len;
	}
	free(chunk);
	*crc = (uint32_t)sum;
	return ret;
}
