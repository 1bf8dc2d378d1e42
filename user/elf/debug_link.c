// SPDX-License-Identifier: BSD-2-Clause
#include "elf/debug_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define SECTION_MAX 8192
#define CHUNK	    (256U << 10)

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

int elf_debug_link__read(const struct elf_image *img, struct elf_debug_link *out)
{
	struct elf_section sec;
	void *data;
	size_t size;
	int ret = elf_image__section(img, ".gnu_debuglink", &sec);

	if (ret)
		return ret;
	if (sec.size > SECTION_MAX || (sec.flags & SHF_COMPRESSED))
		return -EINVAL;
	ret = elf_image__load_section(img, &sec, &data, &size);
	if (ret)
		return ret;
	ret = parse(data, size, out);
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
