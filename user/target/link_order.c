// SPDX-License-Identifier: BSD-2-Clause
#include "target/link_order.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PHDRS_MAX   128
#define DYNAMIC_MAX 512 /* entries */

/* <link.h> has these for our own word size, too, but with pointers in them. */
struct debug_words {
	int32_t version;
	int32_t pad;
	uint64_t map;
};

struct map_words {
	uint64_t addr, name, dynamic, next;
};

static int read_memory(int fd, uint64_t address, void *to, size_t size)
{
	ssize_t n = pread(fd, to, size, (off_t)address);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

static int open_proc(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The program headers that the kernel told the process of. */
static int find_phdrs(pid_t pid, uint64_t *address, uint64_t *count)
{
	Elf64_auxv_t words[64];
	int fd = open_proc(pid, "auxv");
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, words, sizeof(words));
	close(fd);
	*address = *count = 0;
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(words[0]); i++) {
		if (words[i].a_type == AT_PHDR)
			*address = words[i].a_un.a_val;
		else if (words[i].a_type == AT_PHNUM)
			*count = words[i].a_un.a_val;
	}
	return 0;
}

/* Where the executable's dynamic table is; 0 = it has none. */
static int find_dynamic(pid_t pid, int memory, uint64_t *address)
{
	Elf64_Phdr phdrs[PHDRS_MAX];
	uint64_t at, count, bias = 0, vaddr = 0;
	int ret = find_phdrs(pid, &at, &count);

	*address = 0;
	if (ret || !at || !count || count > PHDRS_MAX)
		return ret;
	ret = read_memory(memory, at, phdrs, count * sizeof(phdrs[0]));
	for (uint64_t i = 0; !ret && i < count; i++) {
		if (phdrs[i].p_type == PT_PHDR)
			bias = at - phdrs[i].p_vaddr;
		else if (phdrs[i].p_type == PT_DYNAMIC)
			vaddr = phdrs[i].p_vaddr;
	}
	*address = vaddr ? vaddr + bias : 0;
	return ret;
}

static uint64_t find_debug(int memory, uint64_t dynamic)
{
	for (int i = 0; i < DYNAMIC_MAX; i++) {
		Elf64_Dyn d;

		if (read_memory(memory, dynamic + i * sizeof(d), &d, sizeof(d)) ||
		    d.d_tag == DT_NULL)
			return 0;
		if (d.d_tag == DT_DEBUG)
			return d.d_un.d_ptr;
	}
	return 0;
}

static bool is_listed(const link_order *order, const struct mapping *m)
{
	const struct mapping *const *other;

	vec_for_each (order, other) {
		if ((*other)->inode == m->inode && (*other)->dev_major == m->dev_major &&
		    (*other)->dev_minor == m->dev_minor)
			return true;
	}
	return false;
}

static int walk(int memory, uint64_t at, const struct maps *maps, link_order *out)
{
	for (int i = 0; at && i < LINK_ORDER_MAX; i++) {
		const struct mapping **slot, *m;
		struct map_words map;

		if (read_memory(memory, at, &map, sizeof(map)))
			return 0;
		at = map.next;
		/* An object's own dynamic table tells which file it is: names may be anything. */
		m = maps__find(maps, map.dynamic);
		if (!m || !m->inode || is_listed(out, m))
			continue;
		slot = vec_push(out);
		if (!slot)
			return -ENOMEM;
		*slot = m;
	}
	return 0;
}

int link_order__load(pid_t pid, const struct maps *maps, link_order *out)
{
	int memory = open_proc(pid, "mem");
	uint64_t dynamic, debug;
	struct debug_words words;
	int ret;

	if (memory < 0)
		return memory;
	ret = find_dynamic(pid, memory, &dynamic);
	if (!ret && dynamic) {
		debug = find_debug(memory, dynamic);
		if (debug && !read_memory(memory, debug, &words, sizeof(words)))
			ret = walk(memory, words.map, maps, out);
	}
	close(memory);
	return ret;
}
