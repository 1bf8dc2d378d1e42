// SPDX-License-Identifier: BSD-2-Clause
#include "elf/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf/image_internal.h"

#define SECTION_NAMES_MAX (16ULL << 20)

static int fail(const char **why, int err, const char *phrase)
{
	if (why)
		*why = phrase;
	return err;
}

int elf_image__read(const struct elf_image *img, uint64_t offset, void *buf, size_t len)
{
	char *at = buf;

	if (offset > img->size || len > img->size - offset)
		return -EINVAL;
	while (len) {
		ssize_t n = pread(img->fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n) /* truncated since it was opened */
			return -EIO;
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int check_ident(const Elf64_Ehdr *h, bool is_debug_file, const char **why)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return fail(why, -EINVAL, "e_ident: not an ELF file");
	if (h->e_ident[EI_CLASS] == ELFCLASS32)
		return fail(why, -ENOTSUP, "unsupported: a 32-bit ELF file");
	if (h->e_ident[EI_CLASS] != ELFCLASS64)
		return fail(why, -EINVAL, "EI_CLASS");
	if (h->e_ident[EI_DATA] == ELFDATA2MSB)
		return fail(why, -ENOTSUP, "unsupported: a big-endian ELF file");
	if (h->e_ident[EI_DATA] != ELFDATA2LSB)
		return fail(why, -EINVAL, "EI_DATA");
	if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
		return fail(why, -EINVAL, "e_version");
	if (h->e_machine != EM_X86_64)
		return fail(why, -ENOTSUP, "unsupported: built for another machine than x86-64");
	if (h->e_type == ET_REL && is_debug_file)
		return 0;
	if (h->e_type == ET_REL || h->e_type == ET_CORE)
		return fail(why, -ENOTSUP, "unsupported: neither an executable nor a library");
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return fail(why, -EINVAL, "e_type");
	return 0;
}

/*
 * Counts that do not fit the header's 16 bits are kept in section 0: sh_size, sh_link and sh_info
 * stand for e_shnum, e_shstrndx and e_phnum.
 */
static int read_counts(const struct elf_image *img, const Elf64_Ehdr *h, uint64_t *sections,
		       uint32_t *names_index, uint32_t *segments, const char **why)
{
	bool extended =
		h->e_shoff && (!h->e_shnum || h->e_shstrndx == SHN_XINDEX || h->e_phnum == PN_XNUM);
	Elf64_Shdr zero;

	*sections = h->e_shoff ? h->e_shnum : 0;
	*names_index = h->e_shstrndx;
	*segments = h->e_phnum;
	if (h->e_shoff && h->e_shentsize != sizeof(Elf64_Shdr))
		return fail(why, -EINVAL, "e_shentsize");
	if (extended) {
		if (elf_image__read(img, h->e_shoff, &zero, sizeof(zero)))
			return fail(why, -EINVAL, "e_shoff: beyond the end of the file");
		if (!h->e_shnum)
			*sections = zero.sh_size;
		if (h->e_shstrndx == SHN_XINDEX)
			*names_index = zero.sh_link;
		if (h->e_phnum == PN_XNUM)
			*segments = zero.sh_info;
	}
	if (*sections > ELF_SECTIONS_MAX)
		return fail(why, -EINVAL, "e_shnum: more sections than perftrace reads");
	if (*segments > ELF_SEGMENTS_MAX)
		return fail(why, -EINVAL, "e_phnum: more segments than perftrace reads");
	return 0;
}

/* Reads a table of `count` entries; the file must hold all of it before memory is spent. */
static int read_table(const struct elf_image *img, uint64_t offset, uint64_t count, size_t entry,
		      void **out)
{
	uint64_t bytes = count * entry; /* both are capped far below overflow */
	int err;

	if (offset > img->size || bytes > img->size - offset)
		return -EINVAL;
	*out = malloc(bytes ? bytes : 1);
	if (!*out)
		return -ENOMEM;
	err = elf_image__read(img, offset, *out, bytes);
	if (err) {
		free(*out);
		*out = NULL;
	}
	return err;
}

static int check_segments(const struct elf_image *img, const char **why)
{
	for (size_t i = 0; i < img->segment_count; i++) {
		const Elf64_Phdr *p = &img->segments[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_filesz > p->p_memsz)
			return fail(why, -EINVAL, "p_filesz: larger than p_memsz");
		if (p->p_vaddr + p->p_memsz < p->p_vaddr)
			return fail(why, -EINVAL, "p_memsz: wraps around");
		if (p->p_offset + p->p_filesz < p->p_offset)
			return fail(why, -EINVAL, "p_filesz: wraps around");
	}
	return 0;
}

static int load_section_names(struct elf_image *img, uint32_t index)
{
	struct elf_section sec;
	void *data;
	int err;

	/* Without names the file is still good for its segments. */
	if (!index || !elf_image__section_at(img, index, &sec) || sec.size > SECTION_NAMES_MAX ||
	    (sec.flags & SHF_COMPRESSED))
		return 0;
	err = elf_image__load_section(img, &sec, &data, &img->names_size);
	if (err)
		return err == -ENOMEM ? err : 0;
	img->names = data;
	return 0;
}

static int load_headers(struct elf_image *img, bool is_debug_file, const char **why)
{
	uint64_t sections;
	uint32_t names_index, segments;
	Elf64_Ehdr h;
	int err;

	if (elf_image__read(img, 0, &h, sizeof(h)))
		return fail(why, -EINVAL, "e_ident: shorter than an ELF header");
	err = check_ident(&h, is_debug_file, why);
	if (!err)
		err = read_counts(img, &h, &sections, &names_index, &segments, why);
	if (err)
		return err;
	img->type = h.e_type;
	if (segments && h.e_phentsize != sizeof(Elf64_Phdr))
		return fail(why, -EINVAL, "e_phentsize");
	err = read_table(img, segments ? h.e_phoff : 0, segments, sizeof(Elf64_Phdr),
			 (void **)&img->segments);
	if (err)
		return fail(why, err, "e_phoff: program headers beyond the end of the file");
	img->segment_count = segments;
	err = read_table(img, sections ? h.e_shoff : 0, sections, sizeof(Elf64_Shdr),
			 (void **)&img->sections);
	if (err)
		return fail(why, err, "e_shoff: section headers beyond the end of the file");
	img->section_count = sections;
	err = check_segments(img, why);
	if (err)
		return err;
	err = load_section_names(img, names_index);
	return err ? fail(why, err, "e_shstrndx: cannot read the section names") : 0;
}

static int open_image(int fd, bool is_debug_file, struct elf_image **out, const char **why)
{
	struct elf_image *img = calloc(1, sizeof(*img));
	struct stat st;
	int err;

	*out = NULL;
	if (!img) {
		close(fd);
		return fail(why, -ENOMEM, "out of memory");
	}
	img->fd = fd;
	if (fstat(fd, &st)) {
		err = fail(why, -errno, "cannot be examined");
	} else if (!S_ISREG(st.st_mode)) {
		err = fail(why, -EINVAL, "not a regular file");
	} else {
		img->dev = st.st_dev;
		img->inode = st.st_ino;
		img->size = (uint64_t)st.st_size;
		img->modified = st.st_mtim;
		err = load_headers(img, is_debug_file, why);
	}
	if (err) {
		elf_image__free(img);
		return err;
	}
	*out = img;
	return 0;
}

int elf_image__open_fd(int fd, struct elf_image **out, const char **why)
{
	return open_image(fd, false, out, why);
}

int elf_image__open_debug_fd(int fd, struct elf_image **out, const char **why)
{
	return open_image(fd, true, out, why);
}

void elf_image__free(struct elf_image *img)
{
	if (!img)
		return;
	close(img->fd);
	free(img->segments);
	free(img->sections);
	free(img->names);
	free(img);
}

size_t elf_image__section_count(const struct elf_image *img)
{
	return img->section_count;
}

bool elf_image__section_at(const struct elf_image *img, size_t index, struct elf_section *out)
{
	const Elf64_Shdr *s;

	if (index >= img->section_count)
		return false;
	s = &img->sections[index];
	*out = (struct elf_section){
		/* The name table ends in a NUL of ours: any offset inside it is a string. */
		.name = img->names && s->sh_name < img->names_size ? img->names + s->sh_name : "",
		.index = (uint32_t)index,
		.type = s->sh_type,
		.flags = s->sh_flags,
		.addr = s->sh_addr,
		.offset = s->sh_offset,
		.size = s->sh_size,
		.link = s->sh_link,
		.entsize = s->sh_entsize,
	};
	return true;
}

int elf_image__section(const struct elf_image *img, const char *name, struct elf_section *out)
{
	for (size_t i = 1; elf_image__section_at(img, i, out); i++)
		if (!strcmp(out->name, name))
			return 0;
	return -ENOENT;
}

size_t elf_image__segment_count(const struct elf_image *img)
{
	return img->segment_count;
}

const Elf64_Phdr *elf_image__segment_at(const struct elf_image *img, size_t index)
{
	return index < img->segment_count ? &img->segments[index] : NULL;
}

int elf_image__vaddr_to_offset(const struct elf_image *img, uint64_t vaddr, uint64_t *offset)
{
	for (size_t i = 0; i < img->segment_count; i++) {
		const Elf64_Phdr *p = &img->segments[i];

		if (p->p_type == PT_LOAD && vaddr >= p->p_vaddr &&
		    vaddr - p->p_vaddr < p->p_filesz) {
			*offset = p->p_offset + (vaddr - p->p_vaddr);
			return *offset < img->size ? 0 : -ENOENT;
		}
	}
	return -ENOENT;
}

int elf_image__offset_to_vaddr(const struct elf_image *img, uint64_t offset, uint64_t *vaddr)
{
	const Elf64_Phdr *found = NULL;

	for (size_t i = 0; i < img->segment_count; i++) {
		const Elf64_Phdr *p = &img->segments[i];

		if (p->p_type != PT_LOAD || offset < p->p_offset ||
		    offset - p->p_offset >= p->p_filesz)
			continue;
		if (!found || ((p->p_flags & PF_X) && !(found->p_flags & PF_X)))
			found = p;
	}
	if (!found)
		return -ENOENT;
	*vaddr = found->p_vaddr + (offset - found->p_offset);
	return 0;
}

static bool has_segment(const struct elf_image *img, uint32_t type)
{
	for (size_t i = 0; i < img->segment_count; i++)
		if (img->segments[i].p_type == type)
			return true;
	return false;
}

bool elf_image__is_dynamic(const struct elf_image *img)
{
	return has_segment(img, PT_DYNAMIC);
}

bool elf_image__has_interp(const struct elf_image *img)
{
	return has_segment(img, PT_INTERP);
}

uint16_t elf_image__type(const struct elf_image *img)
{
	return img->type;
}

dev_t elf_image__dev(const struct elf_image *img)
{
	return img->dev;
}

ino_t elf_image__inode(const struct elf_image *img)
{
	return img->inode;
}

uint64_t elf_image__size(const struct elf_image *img)
{
	return img->size;
}

bool elf_image__changed(const struct elf_image *img)
{
	struct stat st;

	return fstat(img->fd, &st) || (uint64_t)st.st_size != img->size ||
	       st.st_mtim.tv_sec != img->modified.tv_sec ||
	       st.st_mtim.tv_nsec != img->modified.tv_nsec;
}

int elf_image__fd(const struct elf_image *img)
{
	return img->fd;
}
