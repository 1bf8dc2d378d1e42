// SPDX-License-Identifier: BSD-2-Clause
#include "cli/cli.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/notice.h"
#include "elf/mini_debug.h"
#include "output/vis.h"
#include "stack/source_lines.h"

#define RUN_OPTIONS (OPTIONS_COMMON | OPTIONS_TARGET | OPTIONS_ALL | OPTIONS_RUN)

static const struct command commands[] = {
	{NULL, "-p PID", "spans as they happen, memory, and at the end a summary",
	 RUN_OPTIONS | OPTIONS_DRY_RUN | OPTIONS_HEAP | OPTIONS_SPANS | OPTIONS_TIMER | OPTIONS_LOG,
	 ARGUMENT_NONE, command_trace},
	{"leaks", "-p PID", "one-shot leak scan: which call sites hold memory",
	 RUN_OPTIONS | OPTIONS_DRY_RUN | OPTIONS_HEAP | OPTIONS_AGE | OPTIONS_TIMER, ARGUMENT_NONE,
	 command_leaks},
	{"spans", "-p PID", "only span timings, to standard output or a file",
	 RUN_OPTIONS | OPTIONS_DRY_RUN | OPTIONS_SPANS, ARGUMENT_NONE, command_spans},
	{"cpu", "-p PID", "which functions use the CPU: samples of live processes",
	 RUN_OPTIONS | OPTIONS_DRY_RUN | OPTIONS_CPU, ARGUMENT_NONE, command_cpu},
	{"run", "-- COMMAND [ARGS]", "start COMMAND and trace it from its first instruction",
	 (RUN_OPTIONS & ~(OPTIONS_TARGET | OPTIONS_ALL)) | OPTIONS_HEAP | OPTIONS_SPANS |
		 OPTIONS_TIMER | OPTIONS_LOG | OPTIONS_LAUNCH,
	 ARGUMENT_COMMAND, command_run},
	{"probes", "-p PID [GLOB]", "what could be traced in a process; attaches nothing",
	 OPTIONS_COMMON | OPTIONS_TARGET | OPTIONS_LIST, ARGUMENT_ONE, command_probes},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static bool verbose, quiet;

/* Everything that is not a result goes to standard error, escaped, one line each. */
static void print_notice(enum notice_level level, const char *line)
{
	struct strbuf text = {0};

	if ((level == NOTICE_DETAIL && !verbose) || quiet)
		return;
	strbuf_puts(&text, level == NOTICE_WARNING ? "perftrace: " : "> ");
	vis(&text, line, VIS_CONTEXT_MAX);
	strbuf_putc(&text, '\n');
	fputs(strbuf_str(&text), stderr);
	strbuf_free(&text);
}

/* `own`: the code is perftrace's, not that of a command it ran. */
static int print_error(const struct error *err, int code, bool own)
{
	struct strbuf text = {0};

	if (err->exit_code) {
		vis(&text, err->text, sizeof(err->text));
		fprintf(stderr, "perftrace: %s\n", strbuf_str(&text));
	} else if (own && code != EXIT_DONE && code != EXIT_INCOMPLETE) {
		fprintf(stderr, "perftrace: not enough memory\n");
	} else if (own && code == EXIT_INCOMPLETE) {
		fprintf(stderr, "perftrace: %s\n", INCOMPLETE_TEXT);
	}
	strbuf_free(&text);
	return code;
}

static void print_overview(FILE *out)
{
	fprintf(out, "perftrace: why is a running process slow, and why does its memory grow?\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  perftrace %s%s%-*s %s\n", commands[i].name ? commands[i].name : "",
			commands[i].name ? " " : "",
			22 - (int)(commands[i].name ? strlen(commands[i].name) + 1 : 0),
			commands[i].arguments, commands[i].summary);
	fprintf(out, "\nOptions of perftrace -p:\n");
	options__print_help(out, commands[0].options);
	fprintf(out,
		"\nperftrace COMMAND --help lists a command's own. Exit codes: 0 done, 1 failed, "
		"2 wrong\nusage, 3 not permitted or not supported, 4 no such target, 6 data "
		"incomplete with\n--strict.\n");
}

static void print_command_help(const struct command *c)
{
	printf("perftrace %s %s: %s\n\n", c->name, c->arguments, c->summary);
	options__print_help(stdout, c->options);
}

static int print_version(void)
{
	struct utsname kernel;

	printf("perftrace %s\n", PERFTRACE_VERSION);
	printf("libbpf %s\n", libbpf_version_string());
	printf("libdw (file, line, inlined functions): %s\n",
	       source_lines_supported ? "yes" : "no");
	printf("liblzma (symbols in .gnu_debugdata): %s\n", mini_debug_supported ? "yes" : "no");
	if (!uname(&kernel))
		printf("kernel %s\n", kernel.release);
	return EXIT_DONE;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (commands[i].name && !strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct error err = {0};
	struct options options;
	int code = EXIT_USAGE, ret;

	options__init(&options);
	ret = options__parse(&options, argc, argv, command->options, command->takes, command->name,
			     &err);
	verbose = options.verbose;
	quiet = options.quiet;
	if (!ret && options.help) {
		if (command->name)
			print_command_help(command);
		else
			print_overview(stdout);
		code = EXIT_DONE;
	} else if (!ret) {
		code = command->run(&options, &err);
	} else if (!err.exit_code) {
		code = EXIT_FAILED;
	}
	options__free(&options);
	return print_error(&err, code, command->takes != ARGUMENT_COMMAND);
}

int cli_main(int argc, char **argv)
{
	const struct command *command = &commands[0];
	struct error err = {0};

	/* A reader that goes away is an error of write(2), not our end. */
	signal(SIGPIPE, SIG_IGN);
	notice_set_sink(print_notice);
	/* Lines appear whole and in order, whatever standard error is. */
	setvbuf(stderr, NULL, _IOLBF, 0);
	if (argc < 2) {
		print_overview(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version"))
		return print_version();
	if (!strcmp(argv[1], "help")) {
		print_overview(stdout);
		return EXIT_DONE;
	}
	if (argv[1][0] != '-') {
		command = find_command(argv[1]);
		if (!command) {
			error_set(&err, EXIT_USAGE, -EINVAL,
				  "no command '%s'. perftrace --help lists them; a process is "
				  "given with -p PID.",
				  argv[1]);
			return print_error(&err, EXIT_USAGE, true);
		}
		argc--;
		argv++;
	}
	return run_command(command, argc, argv);
}
