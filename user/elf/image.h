/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one door to ELF files of a target. Everything in such a file may be a lie, so sizes and
 * offsets are checked against the file before use, memory is allocated only after that, and the
 * file is read with pread: a mapped file that is truncated meanwhile would kill us with SIGBUS.
 *
 * Only 64-bit little-endian x86-64 executables and shared objects. Format: System V ABI, "Object
 * Files", with its AMD64 supplement.
 *
 * "vaddr" is an address as written in the ELF file (before the load bias is added), "offset" a
 * position in the file in bytes.
 */
#ifndef PERFTRACE_ELF_IMAGE_H
#define PERFTRACE_ELF_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ELF_SECTIONS_MAX     65536
#define ELF_SEGMENTS_MAX     4096
#define ELF_LOAD_MAX	     (256ULL << 20) /* bytes of one section, also after decompression */
#define ELF_STRING_MAX	     4096
#define ELF_BUILD_ID_HEX_MAX 41 /* 20 bytes in hex and the NUL */

struct elf_image;

struct elf_section {
	const char *name; /* owned by the image; "" if it has none or a bad one */
	uint32_t index;
	uint32_t type;	/* SHT_* */
	uint64_t flags; /* SHF_* */
	uint64_t addr, offset, size;
	uint32_t link;
	uint64_t entsize;
};

/*
 * Takes `fd`: it is closed by elf_image__free(), or before returning an error. On an error `why`
 * (may be NULL) is a constant phrase that names the bad field or the unsupported property.
 * -ENOTSUP: a sound file for other readers (32-bit, big-endian, other machine, object file);
 * -EINVAL: not a usable ELF file; -ENOMEM, -EIO or an errno of fstat.
 */
int elf_image__open_fd(int fd, struct elf_image **out, const char **why);
/* The same, but an object file (ET_REL) will do: dwz makes those for what others have in common. */
int elf_image__open_debug_fd(int fd, struct elf_image **out, const char **why);
void elf_image__free(struct elf_image *img);

size_t elf_image__section_count(const struct elf_image *img);
/* false when `index` is out of range. */
bool elf_image__section_at(const struct elf_image *img, size_t index, struct elf_section *out);
/* The first section of that name; -ENOENT. */
int elf_image__section(const struct elf_image *img, const char *name, struct elf_section *out);

size_t elf_image__segment_count(const struct elf_image *img);
/* NULL when `index` is out of range. Owned by the image. */
const Elf64_Phdr *elf_image__segment_at(const struct elf_image *img, size_t index);

/* Reads exactly `len` bytes; -EINVAL beyond the end, -EIO when the file became shorter. */
int elf_image__read(const struct elf_image *img, uint64_t offset, void *buf, size_t len);

/*
 * The content of a section as a fresh allocation with a NUL behind the last byte (not counted in
 * `size`), which the caller frees. Compressed sections (zlib) are inflated. -ENODATA: it occupies
 * no file space; -EFBIG: more than ELF_LOAD_MAX; -ENOTSUP: other compression; -EINVAL; -ENOMEM.
 */
int elf_image__load_section(const struct elf_image *img, const struct elf_section *sec, void **data,
			    size_t *size);

/* Through the PT_LOAD headers; -ENOENT for what is not backed by the file. */
int elf_image__vaddr_to_offset(const struct elf_image *img, uint64_t vaddr, uint64_t *offset);
/* Segments may share file pages: an executable one is preferred, code is what we look for. */
int elf_image__offset_to_vaddr(const struct elf_image *img, uint64_t offset, uint64_t *vaddr);

/* GNU build-id in lower-case hex, cut to 20 bytes; "" and -ENOENT if there is none. */
int elf_image__build_id(const struct elf_image *img, char hex[ELF_BUILD_ID_HEX_MAX]);
/* DT_SONAME; -ENOENT if there is none. */
int elf_image__soname(const struct elf_image *img, char *buf, size_t size);
/* Linked with -Bsymbolic: its calls reach its own functions, whoever else defines them. */
bool elf_image__is_symbolic(const struct elf_image *img);
bool elf_image__is_dynamic(const struct elf_image *img); /* has PT_DYNAMIC */
bool elf_image__has_interp(const struct elf_image *img); /* has PT_INTERP: runs under ld.so */
uint16_t elf_image__type(const struct elf_image *img);	 /* ET_EXEC or ET_DYN */

dev_t elf_image__dev(const struct elf_image *img);
ino_t elf_image__inode(const struct elf_image *img);
uint64_t elf_image__size(const struct elf_image *img); /* bytes, when it was opened */
/* Whether size or modification time differ from when it was opened: trust no offset any more. */
bool elf_image__changed(const struct elf_image *img);
/* The descriptor, still owned by the image. */
int elf_image__fd(const struct elf_image *img);

#endif
