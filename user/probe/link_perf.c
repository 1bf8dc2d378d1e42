// SPDX-License-Identifier: BSD-2-Clause
#include "probe/link_perf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>

#define ATTACH_PERF_EVENT 41 /* BPF_PERF_EVENT */
#define REF_CTR_SHIFT	  32 /* where the uprobe PMU wants the semaphore's offset: config:32-63 */
#define PMU		  "/sys/bus/event_source/devices/uprobe/"

static int read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

/* Type number of the uprobe PMU; negative errno on a kernel without it. */
static int pmu_type(void)
{
	char text[32];
	int ret = read_text(PMU "type", text, sizeof(text));

	return ret ? ret : atoi(text);
}

/* "config:0": which bit makes it a return probe. */
static int return_bit(void)
{
	char text[32];
	int ret = read_text(PMU "format/retprobe", text, sizeof(text));

	if (ret)
		return ret;
	return strncmp(text, "config:", 7) ? -EINVAL : atoi(text + 7);
}

static int open_event(const char *path, pid_t pid, bool at_return, const struct link_site *site)
{
	struct perf_event_attr attr = {.size = sizeof(attr)};
	int type = pmu_type(), bit = at_return ? return_bit() : 0, fd;

	if (type < 0 || bit < 0)
		return type < 0 ? type : bit;
	if (site->ref_ctr_offset >> 32)
		return -ERANGE;
	attr.type = type;
	attr.config = (at_return ? 1ULL << bit : 0) | site->ref_ctr_offset << REF_CTR_SHIFT;
	attr.config1 = (uintptr_t)path; /* uprobe_path */
	attr.config2 = site->offset;	/* probe_offset */
	/* The PMU filters by address space, so a process' pid means all its threads. */
	fd = syscall(SYS_perf_event_open, &attr, pid ? pid : -1, pid ? -1 : 0, -1,
		     PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int link_perf(int prog_fd, const char *path, pid_t pid, bool at_return,
	      const struct link_site *site)
{
	struct {
		uint32_t prog_fd, target_fd, attach_type, flags;
		uint64_t cookie;
		uint64_t pad[4];
	} attr = {.prog_fd = prog_fd, .attach_type = ATTACH_PERF_EVENT, .cookie = site->cookie};
	int event = open_event(path, pid, at_return, site), fd;

	if (event < 0)
		return event;
	attr.target_fd = event;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		fd = -errno;
	/* The link keeps the event. */
	close(event);
	return fd;
}
