// SPDX-License-Identifier: BSD-2-Clause
/* What could be traced in a process, and where each probe would go. Attaches nothing. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/tracing.h"
#include "output/probes_report.h"
#include "output/sink.h"

static int plan_one(struct plan *plan, const struct process *process, const struct options *options,
		    struct error *err)
{
	struct plan_options what = {.heap = true,
				    .spans = true,
				    .rules = &options->rules,
				    .functions = &options->functions};
	struct maps maps = {0};
	int ret = maps__load(process->pid, &maps);

	if (!ret)
		ret = plan__add_process(plan, process, &maps, &what, err);
	maps__free(&maps);
	if (ret == -EACCES || ret == -EPERM)
		return error_set(
			err, EXIT_UNSUPPORTED, ret,
			"cannot read the memory map of %d: not permitted. Run it with sudo.",
			process->pid);
	if (ret)
		return error_set(err, EXIT_FAILED, ret, "cannot read %d: %s", process->pid,
				 strerror(-ret));
	return 0;
}

/* The rows of the report, borrowed from the plan. */
static int list_rows(const struct plan *plan, const char *glob, struct probes_report *report)
{
	const struct plan_probe *probe;

	vec_for_each (&plan->probes, probe) {
		const struct plan_object *object = &plan->objects.data[probe->object];
		struct probe_row *row;

		if (glob && fnmatch(glob, probe->symbol, 0))
			continue;
		row = vec_push(&report->rows);
		if (!row)
			return -ENOMEM;
		*row = (struct probe_row){
			.kind = probe->kind == PLAN_ALLOC      ? "alloc"
				: probe->kind == PLAN_SPAN     ? "span"
				: probe->kind == PLAN_MARK     ? "mark"
				: probe->kind == PLAN_FUNCTION ? "function"
				: probe->kind == PLAN_LOADER   ? "loader"
							       : "usdt",
			.object = object->path,
			.symbol = probe->symbol,
			.offset = probe->offset,
			.site_offset = probe->site_offset,
			.instruction = probe->instruction[0] ? probe->instruction : NULL,
			.method = probe->refused || probe->kind == PLAN_USDT ? NULL
				  : probe->kind == PLAN_ALLOC		     ? "session"
									     : "multi",
			.why = probe->why,
			.refused = probe->refused,
		};
	}
	return 0;
}

static int write_report(const struct options *options, const struct probes_report *report,
			struct error *err)
{
	struct text_style style = tracing__style(options);
	struct sink *out = sink__open(options->output, SINK_DOCUMENT, err, NULL);
	struct strbuf text = {0};
	int ret;

	if (!out)
		return -EIO;
	ret = options->json ? probes_json(&text, report) : probes_text(&text, report, &style);
	if (ret) {
		sink__discard(out);
	} else {
		sink__write(out, text.data, text.len);
		ret = sink__close(out, err);
	}
	strbuf_free(&text);
	return ret == -EPIPE ? 0 : ret;
}

int command_probes(const struct options *options, struct error *err)
{
	struct probes_report report = {0};
	struct process process = {.pidfd = -1};
	struct plan plan = {0};
	pid_list pids = {0};
	int ret = tracing__find_pids(options, &pids, err);

	if (!ret)
		ret = process__open(pids.data[0], &process, err);
	if (!ret)
		ret = plan_one(&plan, &process, options, err);
	if (!ret)
		ret = list_rows(&plan, options->argument, &report);
	if (!ret) {
		const struct plan_allocator *allocator = plan__allocator(&plan, &process);

		report.target = (struct run_target){
			.pid = process.pid,
			.comm = process.comm,
			.exe = process.exe,
			.allocator = allocator && allocator->found ? allocator->label : NULL,
			.started_ns = process.started_realtime_ns,
		};
		report.span_pairs = plan__span_pairs(&plan);
		report.own_macros = plan__has_own_macros(&plan);
		ret = write_report(options, &report, err);
	}
	vec_free(&report.rows);
	plan__free(&plan);
	process__close(&process);
	vec_free(&pids);
	if (ret)
		return err->exit_code ? err->exit_code : EXIT_FAILED;
	return EXIT_DONE;
}
