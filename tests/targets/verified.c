// SPDX-License-Identifier: BSD-2-Clause
/*
 * verified: loads every BPF program by itself, as perftrace does with everything switched on, and
 * prints for each what the verifier and the kernel made of it: "NAME VERIFIED TRANSLATED", both in
 * instructions. A program that this kernel has no use for (sessions before 6.13) is left out.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "abi/config.h"
#include "abi/heap.h"
#include "perftrace.skel.h"

/* enum bpf_attach_type's, which the headers at hand may be too old for. */
#define TRACE_UPROBE_MULTI   48
#define TRACE_UPROBE_SESSION 57

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
}

static int is_session(const struct bpf_program *program)
{
	return strstr(bpf_program__name(program), "session") != NULL;
}

/* The one of that name alone; prints its line. */
static int load(const char *name)
{
	struct perftrace_bpf *skel = perftrace_bpf__open();
	struct bpf_program *program, *wanted = NULL;
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);
	int err = -ENOMEM;

	if (!skel)
		return err;
	skel->rodata->config = (struct config){
		.page_size = 4096,
		.follow_children = 1,
		.wakeup_bytes = 1 << 22,
		.stack_depth = 128,
		.self = 1,
		.live_buckets = 1024,
	};
	bpf_map__set_max_entries(skel->maps.live_table, 1024);
	bpf_object__for_each_program(program, skel->obj)
	{
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
		if (!strcmp(bpf_program__name(program), name))
			wanted = program;
	}
	if (wanted && bpf_program__type(wanted) == BPF_PROG_TYPE_KPROBE)
		bpf_program__set_expected_attach_type(
			wanted, is_session(wanted) ? TRACE_UPROBE_SESSION : 0);
	err = perftrace_bpf__load(skel);
	if (!err)
		err = bpf_obj_get_info_by_fd(bpf_program__fd(wanted), &info, &size);
	if (!err)
		printf("%s %u %zu\n", name, info.verified_insns,
		       info.xlated_prog_len / sizeof(struct bpf_insn));
	perftrace_bpf__destroy(skel);
	return err;
}

static int has_sessions(void)
{
	int major = 0, minor = 0;
	struct utsname name;

	return !uname(&name) && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 13));
}

int main(void)
{
	struct perftrace_bpf *all;
	struct bpf_program *program;
	int failed = 0;

	libbpf_set_print(quiet);
	all = perftrace_bpf__open();
	if (!all)
		return 1;
	bpf_object__for_each_program(program, all->obj)
	{
		if (is_session(program) && !has_sessions())
			continue;
		if (load(bpf_program__name(program))) {
			printf("%s does not load\n", bpf_program__name(program));
			failed = 1;
		}
	}
	perftrace_bpf__destroy(all);
	return failed;
}
