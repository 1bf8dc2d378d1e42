// SPDX-License-Identifier: BSD-2-Clause
#include "session/sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"

struct sampler {
	VEC(int) links; /* each keeps its event */
};

/* A period and not a frequency: that is what the kernel makes of it for this clock, unbounded by
 * kernel.perf_event_max_sample_rate. */
static int open_event(int cpu, uint32_t hz)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = NSEC_PER_SEC / hz,
		.disabled = 1,
		.exclude_idle = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int start_timer(int event, int program_fd)
{
	int link = bpf_link_create(program_fd, event, BPF_PERF_EVENT, NULL), ret;

	if (link < 0 || !ioctl(event, PERF_EVENT_IOC_ENABLE, 0))
		return link;
	ret = -errno;
	close(link);
	return ret;
}

static int add_cpu(struct sampler *s, int cpu, int program_fd, uint32_t hz)
{
	int event = open_event(cpu, hz), link, *slot;

	if (event < 0)
		return event == -ENODEV ? 0 : event; /* it is offline */
	link = start_timer(event, program_fd);
	close(event);
	if (link < 0)
		return link;
	slot = vec_push(&s->links);
	if (!slot) {
		close(link);
		return -ENOMEM;
	}
	*slot = link;
	return 0;
}

int sampler__start(int program_fd, uint32_t hz, struct sampler **out, struct error *err)
{
	struct sampler *s = calloc(1, sizeof(*s));
	int cpus = libbpf_num_possible_cpus(), ret = s ? 0 : -ENOMEM;

	for (int cpu = 0; !ret && cpu < cpus; cpu++)
		ret = add_cpu(s, cpu, program_fd, hz);
	if (!ret && !s->links.len)
		ret = -ENODEV;
	if (ret) {
		sampler__stop(s);
		return error_set(err, EXIT_UNSUPPORTED, ret, "cannot sample the CPUs: %s",
				 strerror(-ret));
	}
	*out = s;
	return 0;
}

size_t sampler__cpus(const struct sampler *s)
{
	return s->links.len;
}

void sampler__stop(struct sampler *s)
{
	int *link;

	if (!s)
		return;
	vec_for_each (&s->links, link)
		close(*link);
	vec_free(&s->links);
	free(s);
}
