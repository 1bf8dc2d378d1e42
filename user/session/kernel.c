// SPDX-License-Identifier: BSD-2-Clause
#include "session/kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/config.h"
#include "base/notice.h"
#include "perftrace.skel.h"
#include "probe/link.h"
#include "session/kernel_unwind.h"
#include "session/map_walk.h"

#define DRAIN_MAX  4096 /* records taken in one go */
#define CPU_STACKS (1 << 16)
/*
 * Blocks alive per bucket of their table when there are as many as --max-live says. That is so many
 * more than the 7 it holds that by then all buckets are full: the rest of --max-live is the hash's.
 */
#define LIVE_PER_BUCKET 32

struct kernel {
	struct perftrace_bpf *skel;
	struct ring_buffer *ring;
	struct bpf_program *programs[KERNEL_PROGRAMS]; /* NULL = not loaded */
	enum link_method methods[KERNEL_PROGRAMS];
	struct bpf_link *life[3], *close_open, *list_open;
	size_t n_sites, n_pairs; /* handed over to the tables */
	uint64_t taken;		 /* records handed over */
	struct kernel_live live;
	struct kernel_unwind unwind;
	kernel_record_fn reader;
	void *reader_arg;
};

/* libbpf's own words are for -v; the verifier's log is long, its last lines say it. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	notice(NOTICE_DETAIL, "%s", line);
	return 0;
}

static int resize(struct bpf_map *map, size_t entries)
{
	return bpf_map__set_max_entries(map, entries ? entries : 1);
}

/* Which of our programs handles what, and by which rung of the ladder it is linked. */
static void configure_probes(struct kernel *k, const struct kernel_options *o)
{
	struct perftrace_bpf *skel = k->skel;
	enum link_method calls = link_support__calls(&o->support);
	enum link_method sites = link_support__sites(&o->support);
	bool sessions = calls == LINK_SESSION;
	const struct {
		enum kernel_program id;
		struct bpf_program *program;
		enum link_method method;
		bool wanted;
	} programs[] = {
		{KERNEL_HEAP_ENTRY, sessions ? skel->progs.heap_session : skel->progs.heap_entry,
		 calls, o->heap},
		{KERNEL_HEAP_RETURN, skel->progs.heap_return, calls, o->heap && !sessions},
		{KERNEL_HEAP_TOLD, skel->progs.heap_told, sites, o->heap && o->told},
		{KERNEL_SPAN, skel->progs.span_probe, sites, o->spans},
		{KERNEL_FUNCTION_CALL, skel->progs.function_session, calls,
		 o->functions && sessions},
		{KERNEL_FUNCTION_SITE, skel->progs.function_site, sites, o->functions},
		{KERNEL_FUNCTION_RETURN, skel->progs.function_return, sites,
		 o->functions && !sessions},
		{KERNEL_LOADER, skel->progs.life_loaded, sites, true},
	};
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj)
	{
		if (bpf_program__type(program) == BPF_PROG_TYPE_KPROBE)
			bpf_program__set_autoload(program, false);
	}
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (!programs[i].wanted)
			continue;
		bpf_program__set_autoload(programs[i].program, true);
		bpf_program__set_expected_attach_type(programs[i].program,
						      link_attach_type(programs[i].method));
		k->programs[programs[i].id] = programs[i].program;
		k->methods[programs[i].id] = programs[i].method;
	}
}

/* Without stacks the tables' programs are not loaded, and their maps not made. */
static int configure_unwind(struct kernel *k, const struct kernel_options *o)
{
	struct bpf_map *maps[] = {k->skel->maps.unwind_shards, k->skel->maps.unwind_pages,
				  k->skel->maps.unwind_rules, k->skel->maps.unwind_mappings,
				  k->skel->maps.unwind_layouts};
	int ret = resize(k->skel->maps.unwind_shards, o->unwind_shards);

	for (size_t i = 0; !ret && !o->heap && !o->cpu && i < sizeof(maps) / sizeof(maps[0]); i++)
		ret = bpf_map__set_autocreate(maps[i], false);
	return ret ? ret : resize(k->skel->maps.unwind_pages, o->unwind_pages);
}

static int configure(struct kernel *k, const struct kernel_options *o)
{
	size_t live_buckets = o->heap ? o->live_max / LIVE_PER_BUCKET : 0;
	struct perftrace_bpf *skel = k->skel;
	int ret;

	skel->rodata->config = (struct config){
		.page_size = sysconf(_SC_PAGESIZE),
		.follow_children = o->follow_children,
		.wakeup_bytes = o->ring_bytes / 4,
		.stack_depth = o->stack_depth,
		.everybody = o->everybody,
		.self = getpid(),
		.live_buckets = live_buckets,
	};
	k->live.n_buckets = live_buckets;
	configure_probes(k, o);
	bpf_program__set_autoload(skel->progs.cpu_sample, o->cpu);
	bpf_program__set_autoload(skel->progs.close_open_spans, o->spans || o->functions);
	bpf_program__set_autoload(skel->progs.list_open_spans, o->spans || o->functions);
	ret = configure_unwind(k, o);
	if (!ret)
		ret = resize(skel->maps.ring, o->ring_bytes);
	/* A hash map's buckets are allocated at once, so what is not used is kept small. */
	if (!ret)
		ret = resize(skel->maps.live_table, live_buckets);
	if (!ret)
		ret = resize(skel->maps.live, o->heap ? o->live_max - live_buckets * LIVE_WAYS : 1);
	if (!ret)
		ret = resize(skel->maps.sites, !o->heap ? 1 : o->everybody ? 1 << 18 : 1 << 16);
	if (!ret)
		ret = resize(skel->maps.cpu_stacks, o->cpu ? CPU_STACKS : 1);
	if (!ret)
		ret = resize(skel->maps.span_sites, o->n_sites + o->spare_sites);
	if (!ret)
		ret = resize(skel->maps.span_pairs, o->n_pairs + o->spare_pairs);
	return ret;
}

static int fill_table(struct bpf_map *map, const void *rows, size_t row_size, size_t first,
		      size_t n)
{
	for (uint32_t i = first; i < n; i++) {
		if (bpf_map_update_elem(bpf_map__fd(map), &i, (const char *)rows + i * row_size,
					BPF_ANY))
			return -errno;
	}
	return 0;
}

int kernel__extend_tables(struct kernel *k, const struct span_site *sites, size_t n_sites,
			  const struct span_pair *pairs, size_t n_pairs)
{
	struct bpf_map *site_map = k->skel->maps.span_sites, *pair_map = k->skel->maps.span_pairs;
	int ret;

	if (n_sites > bpf_map__max_entries(site_map) || n_pairs > bpf_map__max_entries(pair_map))
		return -E2BIG;
	/* Pairs first: a site that is known has its pair. */
	ret = fill_table(pair_map, pairs, sizeof(*pairs), k->n_pairs, n_pairs);
	if (!ret)
		ret = fill_table(site_map, sites, sizeof(*sites), k->n_sites, n_sites);
	if (!ret) {
		k->n_sites = n_sites;
		k->n_pairs = n_pairs;
	}
	return ret;
}

static int explain_load(int ret, struct error *err)
{
	if (ret == -EPERM)
		return error_set(err, EXIT_UNSUPPORTED, ret,
				 "cannot load BPF programs: not permitted. Run it with sudo.");
	if (ret == -ENOMEM)
		return error_set(err, EXIT_FAILED, ret,
				 "cannot load BPF programs: not enough memory. Lower --max-live or "
				 "--ring.");
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return error_set(err, EXIT_UNSUPPORTED, ret,
				 "kernel type information is missing (CONFIG_DEBUG_INFO_BTF): "
				 "perftrace needs it");
	return error_set(err, EXIT_UNSUPPORTED, ret,
			 "cannot load BPF programs: %s. perftrace needs Linux 6.1 or newer; -v "
			 "shows what the kernel said.",
			 strerror(-ret));
}

static void open_live(struct kernel *k)
{
	k->live.table_fd = bpf_map__fd(k->skel->maps.live_table);
	k->live.hash_fd = bpf_map__fd(k->skel->maps.live);
	k->live.spilled = (uint64_t *)&k->skel->bss->live_spilled;
	k->live.gauge = &k->skel->bss->gauge;
}

static int open_unwind(struct kernel *k)
{
	return kernel_unwind__open(&k->unwind, k->skel->maps.unwind_shards,
				   k->skel->maps.unwind_pages, k->skel->maps.unwind_rules,
				   k->skel->maps.unwind_mappings, k->skel->maps.unwind_layouts,
				   (uint64_t *)&k->skel->bss->layouts_changed);
}

int kernel__load(const struct kernel_options *options, struct kernel **out, struct error *err)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int ret;

	if (!k)
		return -ENOMEM;
	libbpf_set_print(print_libbpf);
	k->skel = perftrace_bpf__open();
	ret = k->skel ? configure(k, options) : -errno;
	if (!ret)
		ret = perftrace_bpf__load(k->skel);
	if (!ret)
		ret = kernel__extend_tables(k, options->sites, options->n_sites, options->pairs,
					    options->n_pairs);
	if (!ret)
		open_live(k);
	if (!ret && options->unwind_shards)
		ret = open_unwind(k);
	/* Loading parsed the kernel's type information: tens of MB, needed no more. */
	malloc_trim(0);
	if (ret) {
		kernel__free(k);
		return explain_load(ret, err);
	}
	*out = k;
	return 0;
}

void kernel__free(struct kernel *k)
{
	if (!k)
		return;
	bpf_link__destroy(k->close_open);
	bpf_link__destroy(k->list_open);
	for (size_t i = 0; i < sizeof(k->life) / sizeof(k->life[0]); i++)
		bpf_link__destroy(k->life[i]);
	ring_buffer__free(k->ring);
	kernel_unwind__close(&k->unwind);
	perftrace_bpf__destroy(k->skel);
	free(k);
}

int kernel__attach_life(struct kernel *k, struct error *err)
{
	struct bpf_program *programs[] = {k->skel->progs.life_fork, k->skel->progs.life_exec,
					  k->skel->progs.life_exit};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		k->life[i] = bpf_program__attach(programs[i]);
		if (!k->life[i])
			return error_set(err, EXIT_UNSUPPORTED, -errno,
					 "cannot watch forks and exits: %s", strerror(errno));
	}
	if (!bpf_program__autoload(k->skel->progs.close_open_spans))
		return 0;
	k->close_open = bpf_program__attach_iter(k->skel->progs.close_open_spans, NULL);
	k->list_open = bpf_program__attach_iter(k->skel->progs.list_open_spans, NULL);
	if (!k->close_open || !k->list_open)
		return error_set(err, EXIT_UNSUPPORTED, -errno,
				 "cannot attach the task iterator: %s", strerror(errno));
	return 0;
}

int kernel__program(const struct kernel *k, enum kernel_program which, enum link_method *method)
{
	if (!k->programs[which])
		return -ENOENT;
	*method = k->methods[which];
	return bpf_program__fd(k->programs[which]);
}

int kernel__sampler(const struct kernel *k)
{
	struct bpf_program *program = k->skel->progs.cpu_sample;

	return bpf_program__autoload(program) ? bpf_program__fd(program) : -ENOENT;
}

void kernel__set_gate(struct kernel *k, bool open)
{
	__atomic_store_n(&k->skel->bss->gate, open, __ATOMIC_SEQ_CST);
}

uint64_t kernel__new_number(struct kernel *k)
{
	return __atomic_add_fetch(&k->skel->bss->last_space, 1, __ATOMIC_SEQ_CST);
}

int kernel__add_target(struct kernel *k, uint32_t tgid, uint64_t *space)
{
	int fd = bpf_map__fd(k->skel->maps.targets), ret = 0;
	struct target target = {0};

	target.space = kernel__new_number(k);
	target.layout = target.space;
	if (bpf_map_update_elem(fd, &tgid, &target, BPF_NOEXIST))
		ret = errno == EEXIST && !bpf_map_lookup_elem(fd, &tgid, &target) ? 0 : -errno;
	*space = target.space;
	return ret;
}

static int change_target(struct kernel *k, struct target_change change)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &change, .ctx_size_in = sizeof(change));
	int ret = bpf_prog_test_run_opts(bpf_program__fd(k->skel->progs.change_target), &run);

	return ret ? ret : (int)run.retval;
}

int kernel__set_ready(struct kernel *k, uint32_t tgid)
{
	return change_target(k, (struct target_change){.tgid = tgid, .ready = 1});
}

int kernel__layout(const struct kernel *k, uint32_t tgid, uint64_t *layout)
{
	struct target target;

	if (bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.targets), &tgid, &target))
		return -errno;
	*layout = target.layout;
	return 0;
}

int kernel__set_layout(struct kernel *k, uint32_t tgid, uint64_t layout)
{
	return change_target(k, (struct target_change){.tgid = tgid, .layout = layout});
}

int kernel__unwind_memory(struct kernel *k, struct unwind_memory *memory)
{
	return kernel_unwind__memory(&k->unwind, memory);
}

void kernel__set_born_ready(struct kernel *k, bool heap, bool spans)
{
	__atomic_store_n(&k->skel->bss->born_heap_ready, heap, __ATOMIC_SEQ_CST);
	__atomic_store_n(&k->skel->bss->born_spans_ready, spans, __ATOMIC_SEQ_CST);
}

int kernel__remove_target(struct kernel *k, uint32_t tgid)
{
	return bpf_map_delete_elem(bpf_map__fd(k->skel->maps.targets), &tgid) ? -errno : 0;
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct kernel *k = ctx;

	k->reader(k->reader_arg, data, size);
	/* libbpf goes on for as long as records come: a busy target would never let us look up. */
	return ++k->taken % DRAIN_MAX ? 0 : -EAGAIN;
}

int kernel__set_reader(struct kernel *k, kernel_record_fn fn, void *arg)
{
	k->reader = fn;
	k->reader_arg = arg;
	k->ring = ring_buffer__new(bpf_map__fd(k->skel->maps.ring), on_record, k, NULL);
	return k->ring ? 0 : -errno;
}

int kernel__ring_fd(const struct kernel *k)
{
	return ring_buffer__epoll_fd(k->ring);
}

int kernel__drain(struct kernel *k)
{
	return ring_buffer__consume(k->ring);
}

/* Reads an iterator to its end; whatever it writes are whole span records. */
static int read_iterator(struct bpf_link *link, kernel_record_fn fn, void *arg)
{
	struct span_record records[64];
	size_t have = 0;
	ssize_t n;
	int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -EINVAL;

	if (fd < 0)
		return fd;
	while ((n = read(fd, (char *)records + have, sizeof(records) - have)) > 0) {
		size_t whole = (have + n) / sizeof(records[0]);

		for (size_t i = 0; i < whole && fn; i++)
			fn(arg, &records[i], sizeof(records[i]));
		have = have + n - whole * sizeof(records[0]);
		memmove(records, &records[whole], have);
	}
	close(fd);
	return n < 0 ? -errno : 0;
}

int kernel__close_open_spans(struct kernel *k)
{
	return k->close_open ? read_iterator(k->close_open, NULL, NULL) : 0;
}

int kernel__list_open_spans(struct kernel *k, kernel_record_fn fn, void *arg)
{
	return k->list_open ? read_iterator(k->list_open, fn, arg) : 0;
}

int kernel__counters(const struct kernel *k, uint64_t values[COUNTER_COUNT])
{
	int cpus = libbpf_num_possible_cpus(), ret = 0;
	uint64_t(*per_cpu)[COUNTER_COUNT];
	uint32_t zero = 0;

	memset(values, 0, COUNTER_COUNT * sizeof(*values));
	if (cpus < 0)
		return cpus;
	per_cpu = calloc(cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.counters), &zero, per_cpu))
		ret = -errno;
	for (int cpu = 0; !ret && cpu < cpus; cpu++) {
		for (size_t c = 0; c < COUNTER_COUNT; c++)
			values[c] += per_cpu[cpu][c];
	}
	free(per_cpu);
	return ret;
}

void kernel__gauge(const struct kernel *k, struct heap_gauge *g)
{
	*g = k->skel->bss->gauge;
}

int kernel__span_name(const struct kernel *k, uint64_t hash, struct span_name *name)
{
	return bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.span_names), &hash, name) ? -errno : 0;
}

struct site_visit {
	kernel_site_fn fn;
	void *arg;
};

static int visit_site(void *arg, const void *key, const void *value)
{
	struct site_visit *visit = arg;
	uint64_t hash;

	memcpy(&hash, key, sizeof(hash));
	return visit->fn(visit->arg, hash, value);
}

int kernel__for_each_site(const struct kernel *k, kernel_site_fn fn, void *arg)
{
	struct site_visit visit = {fn, arg};

	return map_walk(bpf_map__fd(k->skel->maps.sites), sizeof(uint64_t),
			sizeof(struct heap_site), visit_site, &visit);
}

struct cpu_visit {
	kernel_cpu_fn fn;
	void *arg;
};

static int visit_cpu_stack(void *arg, const void *key, const void *value)
{
	struct cpu_visit *visit = arg;

	return visit->fn(visit->arg, value);
}

int kernel__for_each_cpu_stack(const struct kernel *k, kernel_cpu_fn fn, void *arg)
{
	struct cpu_visit visit = {fn, arg};

	return map_walk(bpf_map__fd(k->skel->maps.cpu_stacks), sizeof(uint64_t),
			sizeof(struct cpu_stack), visit_cpu_stack, &visit);
}

int kernel__for_each_live(const struct kernel *k, kernel_live_fn fn, void *arg)
{
	return kernel_live__for_each(&k->live, fn, arg);
}

int kernel__purge_live(struct kernel *k, struct space_list spaces, kernel_live_fn fn, void *arg)
{
	return kernel_live__purge(&k->live, spaces, fn, arg);
}
