/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: commands, their help, and where messages go. */
#ifndef PERFTRACE_CLI_CLI_H
#define PERFTRACE_CLI_CLI_H

#include "base/error.h"
#include "cli/options.h"

#define INCOMPLETE_TEXT "data is incomplete (--strict), see DATA in the report"

/* Returns the process' exit code. */
int cli_main(int argc, char **argv);

/* One command. `name` is NULL for the bare form, perftrace -p PID. */
struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;   /* one line */
	unsigned int options;  /* mask of enum option_group it takes */
	enum argument_kind takes;
	int (*run)(const struct options *options, struct error *err); /* returns the exit code */
};

int command_trace(const struct options *options, struct error *err);
int command_spans(const struct options *options, struct error *err);
int command_cpu(const struct options *options, struct error *err);
int command_leaks(const struct options *options, struct error *err);
int command_run(const struct options *options, struct error *err);
int command_probes(const struct options *options, struct error *err);

#endif
