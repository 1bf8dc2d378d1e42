// SPDX-License-Identifier: BSD-2-Clause
#include "session/cpu_time.h"

#include <time.h>

#include "base/clock.h"

/* 0: it is gone. */
static uint64_t process_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		return 0;
	return used.tv_sec * NSEC_PER_SEC + used.tv_nsec;
}

static struct cpu_usage *find(struct cpu_time *t, pid_t pid)
{
	struct cpu_usage *usage;

	vec_for_each (&t->list, usage) {
		if (usage->pid == pid)
			return usage;
	}
	return NULL;
}

static void look_at(struct cpu_time *t, const struct process *p)
{
	struct cpu_usage *usage = find(t, p->pid);
	uint64_t now = process_ns(p->pid);

	if (!now || !process__is_same(p))
		return;
	if (!usage) {
		usage = vec_push(&t->list);
		if (!usage) /* it is missed in the sum, no more */
			return;
		usage->pid = p->pid;
		usage->first_ns = now;
	}
	usage->last_ns = now;
}

void cpu_time__look(struct cpu_time *t, const struct roster *roster)
{
	const struct process *p;

	vec_for_each (&roster->roots, p)
		look_at(t, p);
	vec_for_each (&roster->joined, p)
		look_at(t, p);
	vec_for_each (&roster->children, p)
		look_at(t, p);
}

uint64_t cpu_time__used_ns(const struct cpu_time *t)
{
	const struct cpu_usage *usage;
	uint64_t sum = 0;

	vec_for_each (&t->list, usage)
		sum += usage->last_ns - usage->first_ns;
	return sum;
}
