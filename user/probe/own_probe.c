// SPDX-License-Identifier: BSD-2-Clause
#include "probe/own_probe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/bpf.h>

#include "target/maps.h"

__asm__(".pushsection .text\n"
	".globl own_target_push\n.type own_target_push,@function\n"
	"own_target_push: push %rbp; pop %rbp; ret\n"
	".size own_target_push,.-own_target_push\n"
	".globl own_target_stepped\n.type own_target_stepped,@function\n"
	"own_target_stepped: test %rdi,%rdi; ret\n"
	".size own_target_stepped,.-own_target_stepped\n"
	".globl own_target_nop\n.type own_target_nop,@function\n"
	"own_target_nop: nop; ret\n"
	".size own_target_nop,.-own_target_nop\n"
	".globl own_call_push\n.type own_call_push,@function\n"
	"own_call_push: push %rbp; pop %rbp; ret\n"
	".size own_call_push,.-own_call_push\n"
	".globl own_call_stepped\n.type own_call_stepped,@function\n"
	"own_call_stepped: test %rdi,%rdi; ret\n"
	".size own_call_stepped,.-own_call_stepped\n"
	".globl own_call_skipped\n.type own_call_skipped,@function\n"
	"own_call_skipped: push %rbp; pop %rbp; ret\n"
	".size own_call_skipped,.-own_call_skipped\n"
	".popsection\n");

int own_counter__open(struct own_counter *c)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	void *page;

	c->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "own_counter", sizeof(uint32_t),
				sizeof(uint64_t), 1, &opts);
	if (c->map < 0)
		return c->map;
	page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, c->map, 0);
	if (page == MAP_FAILED) {
		close(c->map);
		return -errno;
	}
	c->value = page;
	return 0;
}

void own_counter__close(struct own_counter *c)
{
	munmap((void *)c->value, sysconf(_SC_PAGESIZE));
	close(c->map);
}

int own_program__load(enum link_method method, int answer, const struct own_counter *counter)
{
	struct bpf_insn code[] = {
		/* r1 = &counter; r2 = 1; atomic *r1 += r2 */
		{BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0,
		 counter ? counter->map : 0},
		{0},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 1},
		{BPF_STX | BPF_DW | BPF_ATOMIC, BPF_REG_1, BPF_REG_2, 0, BPF_ADD},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, answer},
		{BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = link_attach_type(method));
	size_t first = counter ? 0 : 4;

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "own_probe", "Dual BSD/GPL", code + first,
			     sizeof(code) / sizeof(code[0]) - first, &opts);
}

int own_site__open(void (*function)(void), struct link_site *site, int *object_fd)
{
	uint64_t address = (uintptr_t)function;
	const struct mapping *m;
	struct maps maps = {0};
	int ret = maps__load(getpid(), &maps);

	m = ret ? NULL : maps__find(&maps, address);
	if (!m || !m->inode) {
		maps__free(&maps);
		return ret ? ret : -ENOENT;
	}
	memset(site, 0, sizeof(*site));
	site->offset = address - m->start + m->file_offset;
	maps__free(&maps);
	*object_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	return *object_fd < 0 ? -errno : 0;
}
