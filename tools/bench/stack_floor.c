// SPDX-License-Identifier: BSD-2-Clause
/*
 * stack_floor OBJECT [FRAMES=44] [TURNS=8]: what a stack costs at a probe, side by side. The same
 * calls, FRAMES deep, once as compilers make them without frame pointers and once with; a probe at
 * the innermost one takes no stack, the kernel's (bpf_get_stack, frame pointers), or ours by hand-
 * made rules or by frame pointers; "cold": without remembering any rule from the stack before. All
 *probes are there all the time, and everything is measured in turns; the best round of each counts.
 *"one": the same function calls itself; "many": every frame is another function's. A line for each:
 *
 *	one no_fp own NS RATIO
 *
 * NS: added to the probe that takes none; RATIO: to what the kernel's stack adds. OBJECT is
 * stack_floor.bpf.o. Needs root.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi/config.h"
#include "abi/heap.h"
#include "abi/unwind.h"
#include "stack_floor.h"

#define ROWS  2048 /* of a page: as large libraries have */
#define BATCH 2000 /* calls between two looks at the clock */

/*
 * call_*(depth, leaf): `depth` frames of 48 bytes, and at the end of them BATCH calls of the leaf.
 * "many": every frame belongs to another function.
 */
#define FUNCTION(name) ".globl " #name "\n.type " #name ",@function\n.p2align 4\n" #name ":\n"

__asm__(FUNCTION(call_no_fp) "push %rbx\npush %r12\nsub $24, %rsp\n"
			     "test %edi, %edi\njz 1f\ndec %edi\ncall call_no_fp\njmp 2f\n"
			     "1: mov %rsi, %r12\nmov $2000, %ebx\n"
			     "3: call *%r12\ndec %ebx\njnz 3b\n"
			     "2: add $24, %rsp\npop %r12\npop %rbx\nret\n"
			     ".globl call_no_fp_end\ncall_no_fp_end:\n");

__asm__(FUNCTION(call_fp) "push %rbp\nmov %rsp, %rbp\npush %rbx\npush %r12\nsub $8, %rsp\n"
			  "sub $8, %rsp\n"
			  "test %edi, %edi\njz 1f\ndec %edi\ncall call_fp\njmp 2f\n"
			  "1: mov %rsi, %r12\nmov $2000, %ebx\n"
			  "3: call *%r12\ndec %ebx\njnz 3b\n"
			  "2: add $16, %rsp\npop %r12\npop %rbx\npop %rbp\nret\n"
			  ".globl call_fp_end\ncall_fp_end:\n");

/* Block n calls block n - 1: entered in the middle for fewer frames, each is 32 bytes long. */
__asm__(".p2align 5\n.globl many_no_fp\n.type many_no_fp,@function\nmany_no_fp:\n"
	"jmp call_no_fp\n.p2align 5\n"
	".rept 128\n1: sub $40, %rsp\ncall 1b - 32\nadd $40, %rsp\nret\n.p2align 5\n.endr\n"
	".globl many_no_fp_end\nmany_no_fp_end:\n"
	".p2align 5\n.globl many_fp\n.type many_fp,@function\nmany_fp:\n"
	"jmp call_fp\n.p2align 5\n"
	".rept 128\n1: push %rbp\nmov %rsp, %rbp\nsub $32, %rsp\ncall 1b - 32\n"
	"add $32, %rsp\npop %rbp\nret\n.p2align 5\n.endr\n"
	".globl many_fp_end\nmany_fp_end:\n");

#define LEAF(name) FUNCTION(name) "nop\nret\n"
__asm__(".globl leaves\nleaves:\n" LEAF(leaf_none) LEAF(leaf_kernel) LEAF(leaf_own)
		LEAF(leaf_cold) ".globl leaves_end\nleaves_end:\n");

typedef void (*leaf_fn)(void);
typedef void (*caller_fn)(int depth, leaf_fn leaf);
void call_no_fp(int depth, leaf_fn leaf);
void call_fp(int depth, leaf_fn leaf);
extern char call_no_fp_end[], call_fp_end[], many_no_fp[], many_no_fp_end[], many_fp[],
	many_fp_end[], leaves[], leaves_end[];
void leaf_none(void);
void leaf_kernel(void);
void leaf_own(void);
void leaf_cold(void);

/* Its callers are left out of the stacks: the rule here says that it is the outermost frame. */
__attribute__((noinline)) static void outermost(caller_fn call, int depth, leaf_fn leaf)
{
	call(depth, leaf);
	__asm__ volatile("");
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* ---- tables ---- */

struct tables {
	struct unwind_shard *shard;
	struct unwind_mapping_table {
		struct unwind_mapping mapping[UNWIND_MAPPINGS_MAX];
	} * mappings;
	uint32_t n_halves, n_pages, n_mappings;
	int pages_fd;
};

/* A row every 32 bytes; on to the next page's. */
static void add_rows(struct tables *t, struct unwind_page *page, uint16_t rule)
{
	uint16_t *piece = &t->shard->half[t->n_halves];

	*page = (struct unwind_page){.first = t->n_halves, .rows = ROWS, .rules = 1};
	for (uint32_t i = 0; i < ROWS; i++)
		piece[i] = (uint16_t)(i * (0x10000 / ROWS));
	piece[UNWIND_PAGE_NUMBERS(ROWS)] = rule;
	t->n_halves += UNWIND_PAGE_NUMBERS(ROWS) + 1;
}

/* One mapping with the same rule everywhere; it lies in one page of 64 KB or in two. */
static int add_mapping(struct tables *t, const void *start, const void *end, uint32_t kind,
		       uint16_t rule)
{
	struct unwind_mapping m = {.start = (uintptr_t)start, .end = (uintptr_t)end, .kind = kind};
	struct unwind_page page;
	uint32_t i = t->n_mappings;

	m.base = m.start & ~0xffffULL;
	m.first_page = t->n_pages;
	while (i && t->mappings->mapping[i - 1].start > m.start) {
		t->mappings->mapping[i] = t->mappings->mapping[i - 1];
		i--;
	}
	t->mappings->mapping[i] = m;
	t->n_mappings++;
	for (uint64_t at = m.base; at < m.end; at += 0x10000) {
		add_rows(t, &page, rule);
		if (bpf_map_update_elem(t->pages_fd, &t->n_pages, &page, BPF_ANY))
			return -errno;
		t->n_pages++;
	}
	return 0;
}

enum { RULE_CALL = 2, RULE_MANY, RULE_LEAF };

static int map_fd(struct bpf_object *object, const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

/* Layout 1 has rules for everything, layout 2 follows frame pointers everywhere but at its end. */
static int fill_tables(struct bpf_object *object)
{
	struct unwind_rule rules[] = {
		[UNWIND_RULE_END] = {.cfa = UNWIND_END},
		[RULE_CALL] = {.cfa = UNWIND_RSP, .offset = 48},
		[RULE_MANY] = {.cfa = UNWIND_RSP, .offset = 48},
		[RULE_LEAF] = {.cfa = UNWIND_RSP, .offset = 8},
	};
	struct tables t = {
		.shard = calloc(1, sizeof(*t.shard)),
		.mappings = calloc(1, sizeof(*t.mappings)),
		.pages_fd = map_fd(object, "unwind_pages"),
	};
	char *end = (char *)(uintptr_t)outermost;
	uint64_t number = 1;
	struct unwind_layout layout = {.seed = 0x123456789abcdefULL};
	uint32_t zero = 0;
	int err = 0;

	for (uint32_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && !err; i++)
		err = bpf_map_update_elem(map_fd(object, "unwind_rules"), &i, &rules[i], 0);
	err = err ?: add_mapping(&t, call_no_fp, call_no_fp_end, UNWIND_BY_RULES, RULE_CALL);
	err = err ?: add_mapping(&t, many_no_fp, many_no_fp_end, UNWIND_BY_RULES, RULE_MANY);
	err = err ?: add_mapping(&t, call_fp, call_fp_end, UNWIND_BY_FRAME_POINTER, 0);
	err = err ?: add_mapping(&t, many_fp, many_fp_end, UNWIND_BY_FRAME_POINTER, 0);
	err = err ?: add_mapping(&t, leaves, leaves_end, UNWIND_BY_RULES, RULE_LEAF);
	err = err ?: add_mapping(&t, end, end + 32, UNWIND_BY_RULES, UNWIND_RULE_END);
	layout.n = t.n_mappings;
	err = err ?: bpf_map_update_elem(map_fd(object, "unwind_shards"), &zero, t.shard, 0);
	err = err ?: bpf_map_update_elem(map_fd(object, "unwind_mappings"), &zero, t.mappings, 0);
	err = err ?: bpf_map_update_elem(map_fd(object, "unwind_layouts"), &number, &layout, 0);
	free(t.shard);
	free(t.mappings);
	return err;
}

/* ---- programs ---- */

/* The variables of the section whose map's name ends so; NULL: there is none. */
static struct bpf_map *find_section(struct bpf_object *object, const char *suffix)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const char *name = bpf_map__name(map);
		size_t n = strlen(name), m = strlen(suffix);

		if (n >= m && !strcmp(name + n - m, suffix))
			return map;
	}
	return NULL;
}

static int attach(struct bpf_object *object, const char *program, leaf_fn leaf)
{
	struct bpf_program *p = bpf_object__find_program_by_name(object, program);
	struct bpf_link *link;
	char exe[4096], line[4352];
	uint64_t start, end, offset, file_offset = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (!p || !maps || n < 0)
		return -ENOENT;
	exe[n] = '\0';
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
		    (uintptr_t)leaf >= start && (uintptr_t)leaf < end)
			file_offset = (uintptr_t)leaf - start + offset;
	fclose(maps);
	link = bpf_program__attach_uprobe(p, false, getpid(), exe, file_offset);
	return link ? 0 : -errno;
}

static struct bpf_object *load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct config *config;
	struct bpf_map *map;
	size_t size;

	if (!object)
		return NULL;
	map = find_section(object, ".rodata");
	config = map ? (struct config *)bpf_map__initial_value(map, &size) : NULL;
	if (!config || size < sizeof(*config))
		return NULL;
	*config = (struct config){.stack_depth = STACK_DEPTH_MAX, .page_size = 4096};
	map = bpf_object__find_map_by_name(object, "unwind_pages");
	if (bpf_map__set_max_entries(map, 64) || bpf_object__load(object))
		return NULL;
	return object;
}

/* ---- measuring ---- */

static const struct way {
	const char *name;
	caller_fn call;
	leaf_fn leaf;
	int none; /* what is subtracted */
} ways[] = {
	{"fp none", call_fp, leaf_none, 0},	{"fp kernel", call_fp, leaf_kernel, 0},
	{"fp own", call_fp, leaf_own, 0},	{"no_fp none", call_no_fp, leaf_none, 3},
	{"no_fp own", call_no_fp, leaf_own, 3}, {"no_fp cold", call_no_fp, leaf_cold, 3},
};
#define KERNEL 1
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static double measure(caller_fn call, int depth, leaf_fn leaf)
{
	double best = 1e18;

	for (int i = 0; i < 10; i++) {
		uint64_t start = now_ns();
		double ns;

		outermost(call, depth, leaf);
		ns = (double)(now_ns() - start) / BATCH;
		if (ns < best)
			best = ns;
	}
	return best;
}

/* The entry of a chain of `frames` functions that ends in `call`'s. */
static caller_fn many(const char *first, int frames)
{
	return (caller_fn)(uintptr_t)(first + 32 * frames);
}

static uint64_t result(struct bpf_object *object, uint32_t which)
{
	uint64_t value = 0;

	bpf_map_lookup_elem(map_fd(object, "bench_results"), &which, &value);
	return value;
}

/* One table; not 0: a stack was not what it should be. */
static int report(struct bpf_object *object, int frames, int turns, int is_many)
{
	double best[N_WAYS];
	int err = 0;

	for (size_t i = 0; i < N_WAYS; i++)
		best[i] = 1e18;
	for (int turn = 0; turn < turns; turn++) {
		for (size_t i = 0; i < N_WAYS; i++) {
			caller_fn call = ways[i].call;
			double ns;

			if (is_many)
				call = many(call == call_fp ? many_fp : many_no_fp, frames - 1);
			ns = measure(call, is_many ? 0 : frames - 1, ways[i].leaf);
			if (ns < best[i])
				best[i] = ns;
			/* The function that the rules call the outermost one is a frame, too. */
			err |= (ways[i].leaf == leaf_own || ways[i].leaf == leaf_cold) &&
			       (result(object, OWN_FRAMES) != (uint64_t)frames + 1 ||
				result(object, OWN_STOP) != UNWIND_STOP_END);
		}
	}
	err |= result(object, KERNEL_BYTES) < (uint64_t)frames * 8;
	for (size_t i = 0; i < N_WAYS; i++)
		printf("%s %s %.1f %.3f\n", is_many ? "many" : "one", ways[i].name,
		       best[i] - best[ways[i].none],
		       (best[i] - best[ways[i].none]) / (best[KERNEL] - best[ways[KERNEL].none]));
	if (err)
		fprintf(stderr,
			"stack_floor: stacks are not whole: kernel %lu bytes, own %lu frames, stop "
			"%lu\n",
			result(object, KERNEL_BYTES), result(object, OWN_FRAMES),
			result(object, OWN_STOP));
	return err;
}

int main(int argc, char **argv)
{
	int frames = argc > 2 ? atoi(argv[2]) : 44, turns = argc > 3 ? atoi(argv[3]) : 8;
	struct bpf_object *object;
	int err;

	if (argc < 2 || frames < 1 || frames > 120 || turns < 1) {
		fprintf(stderr, "usage: stack_floor OBJECT [FRAMES=44] [TURNS=8]\n");
		return 2;
	}
	object = load(argv[1]);
	if (!object || fill_tables(object) || attach(object, "no_stack", leaf_none) ||
	    attach(object, "kernel_stack", leaf_kernel) || attach(object, "own_stack", leaf_own) ||
	    attach(object, "cold_stack", leaf_cold)) {
		fprintf(stderr, "stack_floor: cannot load and attach: %s\n", strerror(errno));
		return 1;
	}
	err = report(object, frames, turns, 0) | report(object, frames, turns, 1);
	bpf_object__close(object);
	return !!err;
}
