// SPDX-License-Identifier: BSD-2-Clause
#include "session/cpu_facts.h"

#include <errno.h>
#include <string.h>

#include "base/notice.h"
#include "session/named_stack.h"
#include "stack/kallsyms.h"

#define FRAMES_MAX (CPU_KERNEL_DEPTH_MAX + STACK_DEPTH_MAX)

struct reading {
	struct symbolizer *symbolizer;
	struct names *names;
	struct profile *profile;
	struct kallsyms *kallsyms; /* read when the first kernel address is met */
};

/* Where the kernel lies is another place after every boot: offsets are those in the function. */
static void name_kernel_frame(struct reading *r, uint64_t address, struct heap_frame *out)
{
	struct kernel_symbol symbol;

	*out = (struct heap_frame){.module = KALLSYMS_CORE};
	if (!r->kallsyms || !kallsyms__find(r->kallsyms, address - 1, &symbol))
		return;
	out->function = names__intern(r->names, symbol.name);
	out->module = names__intern(r->names, symbol.module);
	out->offset = address - symbol.start;
}

/* Returns how many. */
static uint32_t name_kernel_frames(struct reading *r, const struct cpu_stack *stack,
				   struct heap_frame *frames)
{
	uint32_t n = stack->kernel_depth;

	if (n > CPU_KERNEL_DEPTH_MAX)
		n = CPU_KERNEL_DEPTH_MAX;
	if (n && !r->kallsyms) {
		r->kallsyms = kallsyms__load(KALLSYMS_PATH);
		if (r->kallsyms && !kallsyms__count(r->kallsyms))
			notice(NOTICE_WARNING, "the kernel hides its addresses "
					       "(kernel.kptr_restrict): its functions have no "
					       "names");
	}
	for (uint32_t i = 0; i < n; i++)
		name_kernel_frame(r, stack->kernel[i], &frames[i]);
	return n;
}

static int add_stack(void *arg, const struct cpu_stack *stack)
{
	struct heap_frame frames[FRAMES_MAX];
	struct reading *r = arg;
	uint32_t kernel = name_kernel_frames(r, stack, frames);
	uint32_t user = stack->depth < STACK_DEPTH_MAX ? stack->depth : STACK_DEPTH_MAX;
	struct profile_stack *out;

	user = named_stack(r->symbolizer, r->names, stack->layout, (const uint64_t *)stack->frames,
			   user, stack->stop, frames + kernel);
	out = profile__add_stack(r->profile, frames, kernel + user);
	if (!out)
		return -ENOMEM;
	out->kernel_depth = kernel;
	out->complete = stack->stop == UNWIND_STOP_END && user == stack->depth;
	out->truncated = !out->complete || stack->kernel_cut;
	out->count = stack->count;
	out->pid = stack->tgid;
	memcpy(out->comm, stack->comm, sizeof(out->comm));
	out->comm[sizeof(out->comm) - 1] = '\0';
	return 0;
}

int cpu_facts__read(const struct kernel *kernel, struct symbolizer *symbolizer, struct names *names,
		    struct profile *profile)
{
	struct reading r = {symbolizer, names, profile, NULL};
	uint64_t counters[COUNTER_COUNT];
	int ret = kernel__for_each_cpu_stack(kernel, add_stack, &r);

	kallsyms__free(r.kallsyms);
	if (!ret)
		ret = kernel__counters(kernel, counters);
	if (!ret)
		ret = profile__settle(profile);
	if (ret)
		return ret;
	profile->lost = counters[COUNTER_SAMPLES_LOST];
	profile->cost_ns = counters[COUNTER_SAMPLES_NS];
	profile->sampled = true;
	return 0;
}
