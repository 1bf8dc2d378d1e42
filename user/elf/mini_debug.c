// SPDX-License-Identifier: BSD-2-Clause
#include "elf/mini_debug.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_LZMA
#include <lzma.h>

const bool mini_debug_supported = true;

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int error_of(lzma_ret ret)
{
	switch (ret) {
	case LZMA_OK:
	case LZMA_STREAM_END:
		return 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		return -EFBIG;
	default:
		return -EINVAL;
	}
}

static int unpack(const void *packed, size_t size, int fd)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret state = lzma_stream_decoder(&stream, MINI_DEBUG_MEMORY_MAX, 0);
	uint8_t chunk[64 << 10];
	int ret = error_of(state);

	stream.next_in = packed;
	stream.avail_in = size;
	while (!ret && state != LZMA_STREAM_END) {
		size_t len;

		stream.next_out = chunk;
		stream.avail_out = sizeof(chunk);
		/* Nothing more will come: a stream that is cut short ends in LZMA_BUF_ERROR. */
		state = lzma_code(&stream, LZMA_FINISH);
		ret = error_of(state);
		len = sizeof(chunk) - stream.avail_out;
		if (!ret && stream.total_out > MINI_DEBUG_MAX)
			ret = -EFBIG;
		if (!ret)
			ret = write_all(fd, chunk, len);
	}
	lzma_end(&stream);
	return ret;
}

int elf_mini_debug__open(const struct elf_image *img, struct elf_image **out)
{
	struct elf_section sec;
	void *packed;
	size_t size;
	int fd, ret = elf_image__section(img, ".gnu_debugdata", &sec);

	*out = NULL;
	if (!ret)
		ret = elf_image__load_section(img, &sec, &packed, &size);
	if (ret)
		return ret;
	fd = memfd_create("gnu_debugdata", MFD_CLOEXEC);
	ret = fd < 0 ? -errno : unpack(packed, size, fd);
	free(packed);
	if (ret) {
		if (fd >= 0)
			close(fd);
		return ret;
	}
	return elf_image__open_fd(fd, out, NULL);
}

#else

const bool mini_debug_supported;

int elf_mini_debug__open(const struct elf_image *img, struct elf_image **out)
{
	struct elf_section sec;

	*out = NULL;
	return elf_image__section(img, ".gnu_debugdata", &sec) ? -ENOENT : -ENOTSUP;
}

#endif
