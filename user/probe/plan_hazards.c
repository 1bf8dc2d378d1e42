// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "probe/plan.h"
#include "target/hazards.h"

static struct plan_program *program_of(struct plan *plan, const struct process *process)
{
	struct plan_program *p;

	vec_for_each (&plan->programs, p) {
		if (p->exe_dev == process->exe_dev && p->exe_inode == process->exe_inode)
			return p;
	}
	p = vec_push(&plan->programs);
	if (p) {
		p->exe_dev = process->exe_dev;
		p->exe_inode = process->exe_inode;
	}
	return p;
}

const char *plan__no_return_hooks(const struct plan *plan, const struct process *process)
{
	const struct plan_program *p;

	vec_for_each (&plan->programs, p) {
		if (p->exe_dev == process->exe_dev && p->exe_inode == process->exe_inode)
			return p->return_hook;
	}
	return NULL;
}

/* Exceptions and panics pass through the frames of all images, whoever throws them. */
static const char *judge(const struct process_runtime *all, const struct hazards *process)
{
	if (process->shadow_stack)
		return "the process has a shadow stack: a hooked return would end it";
	if (all->has_go)
		return "parts of the process are Go: its stacks move";
	if (all->switches_stacks)
		return "the process switches stacks (coroutines, or a stack for signals)";
	return all->can_unwind ? all->why : NULL;
}

int plan_hazards__find(struct plan *plan, const struct process *process, const struct maps *maps,
		       const struct plan_options *options, struct plan_hazards *out)
{
	struct plan_program *program = program_of(plan, process);
	struct process_runtime all = {0};
	struct hazards hazards = {0};
	const struct mapping *m;

	if (!program)
		return -ENOMEM;
	vec_for_each (&maps->list, m) {
		const struct plan_object *object;

		if (!m->executable || !m->inode)
			continue;
		object = plan__object_of(plan, m);
		if (object)
			process_runtime__add(&all, &object->runtime);
	}
	hazards__read(process->pid, &hazards);
	/* What was found once stays: a library that is gone may have left frames. */
	if (!program->return_hook)
		program->return_hook =
			options->no_return_hooks ? options->no_return_hooks : judge(&all, &hazards);
	*out = (struct plan_hazards){.return_hook = program->return_hook};
	return 0;
}
