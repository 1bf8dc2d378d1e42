// SPDX-License-Identifier: BSD-2-Clause
#include "target/everybody.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void everybody__open(struct process *p)
{
	memset(p, 0, sizeof(*p));
	p->pidfd = -1;
	snprintf(p->comm, sizeof(p->comm), "all processes");
}

bool everybody__is(const struct process *p)
{
	return p->pid == 0;
}

int everybody__pids(pid_list *out)
{
	int ret = process__list(out);

	return ret ? ret : process__keep_programs(out);
}

int everybody__memory(struct process_memory *sum)
{
	pid_list pids = {0};
	pid_t *pid;
	int ret = process__list(&pids);

	memset(sum, 0, sizeof(*sum));
	vec_for_each (&pids, pid) {
		struct process_memory m;

		if (process__memory(*pid, &m))
			continue; /* gone meanwhile, or a kernel thread */
		sum->virtual_bytes += m.virtual_bytes;
		sum->resident_bytes += m.resident_bytes;
		sum->shared_bytes += m.shared_bytes;
		sum->text_bytes += m.text_bytes;
		sum->data_bytes += m.data_bytes;
		sum->stack_bytes += m.stack_bytes;
	}
	vec_free(&pids);
	return ret;
}
