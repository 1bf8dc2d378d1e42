// SPDX-License-Identifier: BSD-2-Clause
#include "output/profile_json.h"

#include "output/json.h"
#include "output/json_parts.h"

static void add_stack(struct json *j, const struct profile_stack *s)
{
	json_object(j, NULL);
	json_u64(j, "count", s->count);
	json_string(j, "comm", s->comm);
	json_u64(j, "pid", s->pid);
	json_u64(j, "kernel_frames", s->kernel_depth);
	json_bool(j, "complete", s->complete);
	json_stack(j, "stack", s->frames, s->depth);
	if (s->truncated)
		json_bool(j, "truncated", true);
	json_close(j);
}

static void add_function(struct json *j, const struct profile_function *f)
{
	json_object(j, NULL);
	json_string(j, "function", f->function);
	json_string(j, "module", f->module);
	if (f->unnamed_start)
		json_u64(j, "function_start", f->unnamed_start);
	else
		json_null(j, "function_start");
	json_bool(j, "kernel", f->kernel);
	json_bool(j, "inlined", f->inlined);
	json_u64(j, "flat", f->flat);
	json_u64(j, "cum", f->cum);
	json_close(j);
}

static void add_notes(struct json *j, const struct profile_report *r)
{
	/* The document has none, so there is nothing to say about it. */
	static const struct memory_growth no_rss = {.known = true, .slope_known = true};
	const struct profile *p = r->profile;
	const char *notes[] = {
		p->sampled ? NULL : "samples, stacks, functions: they could not be read",
		p->cpu_known ? NULL : "cpu_ns: not known, processes came and went",
		p->stacks.len ? "stack: function, file and line are null where no symbols or debug "
				"information tell them; "
				"function_start: where a function without name starts, null for others; "
				"module in brackets: the kernel or code without a file; offset of "
				"kernel frames: in the function"
			      : NULL,
	};

	json_notes(j, r->run, &no_rss, notes, sizeof(notes) / sizeof(notes[0]));
}

int profile_json(struct strbuf *out, const struct profile_report *r)
{
	const struct profile *p = r->profile;
	const struct profile_function *function;
	const struct profile_stack *stack;
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "schema", "perftrace/cpu/1");
	json_target(&j, &r->run->target);
	json_double(&j, "duration_s", (double)r->run->duration_ns / NSEC_PER_SEC);
	json_u64(&j, "hz", p->hz);
	json_u64(&j, "cpus", p->cpus);
	json_u64(&j, "samples", p->samples);
	json_u64(&j, "kernel_samples", p->in_kernel);
	json_u64(&j, "complete_samples", p->complete);
	json_u64(&j, "lost", p->lost);
	if (p->cpu_known)
		json_u64(&j, "cpu_ns", p->cpu_ns);
	else
		json_null(&j, "cpu_ns");
	json_array(&j, "stacks");
	vec_for_each (&p->stacks, stack)
		add_stack(&j, stack);
	json_close(&j);
	json_array(&j, "functions");
	vec_for_each (&p->functions, function)
		add_function(&j, function);
	json_close(&j);
	json_ledger(&j, r->ledger);
	json_overhead(&j, &r->run->overhead);
	add_notes(&j, r);
	json_close(&j);
	strbuf_putc(out, '\n');
	return json_end(&j);
}
