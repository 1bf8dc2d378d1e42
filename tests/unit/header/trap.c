// SPDX-License-Identifier: BSD-2-Clause
#define _GNU_SOURCE
#include "trap.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define SITES_MAX 256

struct site {
	uint8_t *address;
	const char *probe;
	const char *arguments;
};

static struct site sites[SITES_MAX];
static int site_count;
static char hits[1 << 16];
static size_t hits_len;

static void fail(const char *what)
{
	fprintf(stderr, "trap: %s\n", what);
	exit(99);
}

static const char *argument(const char **layout, const greg_t *regs)
{
	static const struct {
		const char *name;
		int index;
	} names[] = {
		{"%rax", REG_RAX}, {"%rbx", REG_RBX}, {"%rcx", REG_RCX}, {"%rdx", REG_RDX},
		{"%rsi", REG_RSI}, {"%rdi", REG_RDI}, {"%rbp", REG_RBP}, {"%r8", REG_R8},
		{"%r9", REG_R9},   {"%r10", REG_R10}, {"%r11", REG_R11}, {"%r12", REG_R12},
		{"%r13", REG_R13}, {"%r14", REG_R14}, {"%r15", REG_R15},
	};
	const char *at = *layout;
	size_t len = strcspn(at, " ");

	*layout = at + len + (at[len] == ' ');
	if (strncmp(at, "8@", 2))
		fail(at);
	at += 2;
	len -= 2;
	if (len == 2 && !memcmp(at, "$0", 2))
		return NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i].name) == len && !memcmp(at, names[i].name, len))
			return (const char *)regs[names[i].index];
	fail(at);
	return NULL;
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint8_t *address = (uint8_t *)regs[REG_RIP] - 1;

	(void)sig;
	(void)info;
	for (int i = 0; i < site_count; i++) {
		const char *layout = sites[i].arguments, *first, *second = NULL;

		if (sites[i].address != address)
			continue;
		first = argument(&layout, regs);
		if (*layout)
			second = argument(&layout, regs);
		hits_len += snprintf(hits + hits_len, sizeof(hits) - hits_len,
				     second ? "%s %s (%s)\n" : "%s %s\n", sites[i].probe, first,
				     second);
		return;
	}
	fail("a breakpoint that is not ours");
}

static void add_site(uintptr_t address, const char *probe)
{
	uint8_t *site = (uint8_t *)address;
	uintptr_t page = address & ~4095ul;

	if (*site != 0x90)
		fail("the site is not a one-byte nop");
	if (site_count == SITES_MAX)
		fail("too many sites");
	if (mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
		fail("mprotect");
	sites[site_count++] = (struct site){site, probe, probe + strlen(probe) + 1};
	*site = 0xcc;
}

static void read_notes(const char *notes, size_t size, uintptr_t base, uintptr_t bias)
{
	for (size_t at = 0; at + 12 <= size;) {
		uint32_t head[3];
		uint64_t address[3];
		const char *desc = notes + at + 12 + 8, *probe;
		uint16_t *semaphore;

		memcpy(head, notes + at, sizeof(head));
		memcpy(address, desc, sizeof(address));
		at += 12 + 8 + ((head[1] + 3) & ~3u);
		if (strcmp(desc + 24, "perftrace"))
			continue;
		bias += base - address[1];
		base = address[1];
		probe = desc + 24 + strlen("perftrace") + 1;
		semaphore = (uint16_t *)(address[2] + bias);
		if (!address[2])
			fail("no semaphore");
		/* One per probe, raised once per site as the kernel does. */
		++*semaphore;
		add_site(address[0] + bias, probe);
	}
}

static int each_object(struct dl_phdr_info *info, size_t size, void *data)
{
	const char *path = info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe";
	const Elf64_Ehdr *ehdr;
	const Elf64_Shdr *shdr, *notes = NULL;
	const char *image, *names;
	uintptr_t base = 0;
	struct stat st;
	int fd = open(path, O_RDONLY);

	(void)size;
	(void)data;
	if (fd < 0 || fstat(fd, &st))
		return 0; /* the vdso */
	image = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (image == MAP_FAILED)
		fail(path);
	ehdr = (const Elf64_Ehdr *)image;
	shdr = (const Elf64_Shdr *)(image + ehdr->e_shoff);
	names = image + shdr[ehdr->e_shstrndx].sh_offset;
	for (int i = 0; i < ehdr->e_shnum; i++) {
		if (!strcmp(names + shdr[i].sh_name, ".note.stapsdt"))
			notes = &shdr[i];
		if (!strcmp(names + shdr[i].sh_name, ".stapsdt.base"))
			base = shdr[i].sh_addr;
	}
	if (notes)
		read_notes(image + notes->sh_offset, notes->sh_size, base, info->dlpi_addr);
	return 0;
}

void trap_attach(void)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};

	if (sigaction(SIGTRAP, &action, NULL))
		fail("sigaction");
	dl_iterate_phdr(each_object, NULL);
}

void trap_print(void)
{
	fputs(hits, stdout);
	fflush(stdout);
	hits_len = 0;
	hits[0] = '\0';
}
