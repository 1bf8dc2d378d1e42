// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "cli/cli.h"
#include "cli/options.h"

#define ALL_GROUPS   ((unsigned int)(LAST_GROUP << 1) - 1)
#define LAST_GROUP   OPTIONS_CPU
#define ARGUMENT_MAX 30

/* FAULTS.md F49, and their kin: none of them is a number of anything. */
static const char *const never_values[] = {
	"",	  " ",	      "-1",
	"+1",	  "-0",	      "1e9",
	"1e-3",	  "0x10",     "99999999999999999999",
	"10kk",	  "5 s",      " 5",
	"5 ",	  "5s ",      "inf",
	"nan",	  "infinity", "k",
	"s",	  ".",	      ".5",
	"1.2.3",  "1..2",     "1,5",
	"5\n",	  "5\t",      "5\033[m",
	"--help", "5;5",      "5ss",
	"5xs",	  "\xc2\xb2", "\xef\xbc\x95",
};

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"0", 0},
		{"5", 5000000000},
		{"5s", 5000000000},
		{"1.5", 1500000000},
		{"1.5s", 1500000000},
		{"500ms", 500000000},
		{"10us", 10000},
		{"0.5us", 500},
		{"2m", 120000000000},
		{"2min", 120000000000},
		{"1h", 3600000000000},
		{"1d", 86400000000000},
		{"366d", 31622400000000000},
		{"010", 10000000000},
		{"0.000000001", 1},
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t ns = 77;

		if (!parse_duration(good[i].text, &ns) || ns != good[i].ns)
			fail_msg("'%s' became %llu ns", good[i].text, (unsigned long long)ns);
	}
}

static void bad_durations(void **state)
{
	static const char *const bad[] = {"5S",	  "5MS",   "5k",       "5ns", "367d",
					  "1e3s", "9000h", "31622401", "5m5s"};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(never_values) / sizeof(never_values[0]); i++)
		if (parse_duration(never_values[i], &ns))
			fail_msg("'%s' was taken for a duration", never_values[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_duration(bad[i], &ns))
			fail_msg("'%s' was taken for a duration", bad[i]);
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"10", 10},
		{"10B", 10},
		{"64K", 65536},
		{"64k", 65536},
		{"64KB", 65536},
		{"8M", 8 << 20},
		{"8m", 8 << 20},
		{"8MB", 8 << 20},
		{"1G", 1 << 30},
		{"1.5M", 3 << 19},
		{"1048576G", 1ULL << 50},
		{"1125899906842624", 1ULL << 50},
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t bytes = 77;

		if (!parse_size(good[i].text, &bytes) || bytes != good[i].bytes)
			fail_msg("'%s' became %llu", good[i].text, (unsigned long long)bytes);
	}
}

static void bad_sizes(void **state)
{
	static const char *const bad[] = {"10kb", "10Kk", "10KM", "10T", "1048577G", "5s", "K10"};
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(never_values) / sizeof(never_values[0]); i++)
		if (parse_size(never_values[i], &bytes))
			fail_msg("'%s' was taken for a size", never_values[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_size(bad[i], &bytes))
			fail_msg("'%s' was taken for a size", bad[i]);
}

struct run {
	struct options o;
	struct error err;
	int ret;
};

/* Parses the words after the program's name; they end with NULL. */
static struct run parse_words(unsigned int groups, bool takes_argument, const char *command,
			      const char *const *words)
{
	char *argv[ARGUMENT_MAX + 2] = {"perftrace"};
	struct run run = {0};
	int argc = 1;

	while (*words && argc <= ARGUMENT_MAX)
		argv[argc++] = (char *)*words++;
	options__init(&run.o);
	run.ret = options__parse(&run.o, argc, argv, groups, takes_argument, command, &run.err);
	return run;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PARSE(...) parse_words(ALL_GROUPS, true, NULL, WORDS(__VA_ARGS__))
#define PARSE_LEAKS(...) \
	parse_words(ALL_GROUPS & ~OPTIONS_SPANS & ~OPTIONS_LIST, false, "leaks", WORDS(__VA_ARGS__))

static void assert_good(struct run *run)
{
	if (run->ret || run->err.exit_code)
		fail_msg("%d: %s", run->ret, run->err.text);
}

/* One sentence with exit code 2 that contains all of `wanted` (NULL at the end). */
static void assert_refused(struct run run, const char *const *wanted)
{
	assert_int_equal(run.ret, -EINVAL);
	assert_int_equal(run.err.exit_code, EXIT_USAGE);
	for (; *wanted; wanted++)
		if (!strstr(run.err.text, *wanted))
			fail_msg("no '%s' in: %s", *wanted, run.err.text);
	options__free(&run.o);
}

static void defaults(void **state)
{
	struct run run = parse_words(ALL_GROUPS, false, NULL, (const char *const[]){NULL});

	assert_good(&run);
	assert_int_equal(run.o.pids.len, 0);
	assert_null(run.o.name);
	assert_null(run.o.output);
	assert_null(run.o.argument);
	assert_false(run.o.duration_set || run.o.interval_set);
	assert_false(run.o.json || run.o.strict || run.o.dry_run || run.o.verbose || run.o.quiet ||
		     run.o.no_log);
	assert_int_equal(run.o.follow, FOLLOW_AUTO);
	assert_int_equal(run.o.color, COLOR_AUTO);
	assert_int_equal(run.o.ring_bytes & (run.o.ring_bytes - 1), 0);
	assert_true(run.o.ring_bytes >= 4096);
	assert_true(run.o.live_max > 0 && run.o.top > 0);
	options__free(&run.o);
}

static void all_options(void **state)
{
	struct run run = PARSE("-p", "12", "--pid=34", "-d", "1.5", "--interval", "500ms", "-o",
			       "file", "--json", "--follow", "--strict", "--older", "1m");

	assert_good(&run);
	assert_int_equal(run.o.pids.len, 2);
	assert_int_equal(run.o.pids.data[0], 12);
	assert_int_equal(run.o.pids.data[1], 34);
	assert_true(run.o.duration_set && run.o.interval_set);
	assert_int_equal(run.o.duration_ns, 1500000000);
	assert_int_equal(run.o.interval_ns, 500000000);
	assert_string_equal(run.o.output, "file");
	assert_true(run.o.json && run.o.strict);
	assert_int_equal(run.o.follow, FOLLOW_ON);
	assert_int_equal(run.o.older_ns, 60000000000);
	options__free(&run.o);

	run = PARSE("-n", "postgres", "--ring", "3M", "--max-live", "5", "--top", "7", "--min-size",
		    "64K", "--min", "10ms", "--no-follow", "--no-log", "-vq", "--color", "never",
		    "-u");
	assert_int_equal(run.ret, -EINVAL); /* -u without its value, all else was good */
	assert_string_equal(run.o.name, "postgres");
	assert_int_equal(run.o.ring_bytes, 4 << 20); /* up to a power of two */
	assert_int_equal(run.o.live_max, 5);
	assert_int_equal(run.o.top, 7);
	assert_int_equal(run.o.min_size, 65536);
	assert_int_equal(run.o.min_ns, 10000000);
	assert_int_equal(run.o.follow, FOLLOW_OFF);
	assert_true(run.o.no_log && run.o.verbose && run.o.quiet);
	assert_int_equal(run.o.color, COLOR_NEVER);
	options__free(&run.o);
}

static void frequencies(void **state)
{
	struct run run = PARSE("-p", "1");

	assert_good(&run);
	assert_int_equal(run.o.cpu_hz, 99);
	assert_false(run.o.folded);
	options__free(&run.o);
	run = PARSE("-p", "1", "-F", "1", "--folded");
	assert_good(&run);
	assert_int_equal(run.o.cpu_hz, 1);
	assert_true(run.o.folded);
	options__free(&run.o);
	run = PARSE("-p", "1", "--frequency=10000");
	assert_good(&run);
	assert_int_equal(run.o.cpu_hz, 10000);
	options__free(&run.o);
}

static void rules_are_kept(void **state)
{
	struct run run = PARSE("-u", "pg:a..b", "--pair", "pg:c*");

	assert_good(&run);
	assert_int_equal(run.o.rules.len, 2);
	assert_string_equal(run.o.rules.data[1].start, "c*");
	options__free(&run.o);
	assert_refused(PARSE("-u", "nonsense"), WORDS("-u", "nonsense", "PROVIDER:"));
}

static void unknown_options(void **state)
{
	assert_refused(PARSE("--frobnicate"), WORDS("unknown option --frobnicate", "--help"));
	assert_refused(PARSE("-Z"), WORDS("unknown option -Z", "--help"));
	assert_refused(PARSE_LEAKS("--frobnicate"), WORDS("perftrace leaks --help"));
	/* With a value, and in a cluster behind a good one. */
	assert_refused(PARSE("--frobnicate=3"), WORDS("--frobnicate"));
	assert_refused(PARSE("-vZ"), WORDS("unknown option -Z"));
	/* An unfinished name that could be several. */
	assert_refused(PARSE("--mi", "5"), WORDS("--mi"));
	/* A switch takes no value. */
	assert_refused(PARSE("--json=yes"), WORDS("--json"));
	assert_refused(PARSE("-\x80"), WORDS("unknown option"));
}

/* A switch exists: to be told that it is unknown sends the user the wrong way. */
static void a_switch_with_a_value(void **state)
{
	struct run run = PARSE("--json=yes");

	assert_int_equal(run.ret, -EINVAL);
	assert_null(strstr(run.err.text, "unknown"));
	options__free(&run.o);
}

static void missing_values(void **state)
{
	assert_refused(PARSE("-p"), WORDS("-p needs a value", "--help"));
	assert_refused(PARSE("--ring"), WORDS("--ring needs a value"));
	assert_refused(PARSE("--json", "-d"), WORDS("-d needs a value"));
}

static void options_of_other_commands(void **state)
{
	assert_refused(PARSE_LEAKS("-u", "a:b"),
		       WORDS("leaks does not take --pair", "perftrace leaks --help"));
	assert_refused(PARSE_LEAKS("--min", "5ms"), WORDS("leaks does not take --min."));
	assert_refused(
		parse_words(OPTIONS_COMMON | OPTIONS_TARGET, true, "probes", WORDS("--ring", "8M")),
		WORDS("probes does not take --ring"));
}

static void positional_arguments(void **state)
{
	struct run run = PARSE("-p", "1", "query*");

	assert_good(&run);
	assert_string_equal(run.o.argument, "query*");
	options__free(&run.o);
	run = PARSE("query*", "-p", "1"); /* in any order */
	assert_good(&run);
	assert_string_equal(run.o.argument, "query*");
	assert_int_equal(run.o.pids.len, 1);
	options__free(&run.o);
	run = PARSE("--", "--json");
	assert_good(&run);
	assert_string_equal(run.o.argument, "--json");
	assert_false(run.o.json);
	options__free(&run.o);

	assert_refused(PARSE("one", "two"), WORDS("unexpected argument 'two'"));
	assert_refused(PARSE_LEAKS("1234"), WORDS("unexpected argument '1234'", "-p 1234"));
}

static void bad_values(void **state)
{
	static const char *const numbers[] = {"-p", "--pid", "--top", "--max-live"};
	static const char *const times[] = {"-d", "-i", "--older", "--min"};

	for (size_t v = 0; v < sizeof(never_values) / sizeof(never_values[0]); v++) {
		for (size_t i = 0; i < 4; i++) {
			assert_refused(PARSE(numbers[i], never_values[v]), WORDS("' is not a"));
			assert_refused(PARSE(times[i], never_values[v]), WORDS("' is not a time"));
		}
		assert_refused(PARSE("--ring", never_values[v]), WORDS("--ring: '"));
		assert_refused(PARSE("--min-size", never_values[v]), WORDS("--min-size: '"));
		assert_refused(PARSE("-F", never_values[v]), WORDS("--frequency: '"));
		assert_refused(PARSE("--mode", never_values[v]), WORDS("--mode: '"));
		assert_refused(PARSE("--color", never_values[v]), WORDS("--color: '"));
	}
	assert_refused(PARSE("--ring", "10kk"), WORDS("--ring: '10kk' is not a size", "try 8M"));
	assert_refused(PARSE("--ring", "0"), WORDS("--ring: '0' is not a size"));
	assert_refused(PARSE("--ring", "2G"), WORDS("--ring: '2G' is not a size"));
	assert_refused(PARSE("-p", "0"), WORDS("'0' is not a process ID"));
	assert_refused(PARSE("-p", "2147483648"), WORDS("not a process ID"));
	assert_refused(PARSE("-p", "postgres"), WORDS("'postgres' is not a process ID", "pgrep"));
	assert_refused(PARSE("-p", "1.5"), WORDS("not a process ID"));
	assert_refused(PARSE("-p", "12,13"), WORDS("not a process ID"));
	assert_refused(PARSE("-d", "0"), WORDS("'0' is not a time"));
	assert_refused(PARSE("-d", "0.0000000001"), WORDS("not a time"));
	assert_refused(PARSE("--top", "0"), WORDS("--top: '0'"));
	assert_refused(PARSE("-F", "0"), WORDS("--frequency: '0'", "1 to 10000"));
	assert_refused(PARSE("-F", "10001"), WORDS("--frequency: '10001'"));
	assert_refused(PARSE("-F", "99.5"), WORDS("--frequency: '99.5'"));
	assert_refused(PARSE("-F", "99Hz"), WORDS("--frequency: '99Hz'"));
	assert_refused(PARSE("--max-live", "100000001"), WORDS("--max-live"));
	assert_refused(PARSE("-o", ""), WORDS("--output"));
	assert_refused(PARSE("-n", ""), WORDS("--name"));
	/* The first bad value ends it: the good ones after it do not cover it up. */
	assert_refused(PARSE("-d", "x", "-d", "5"), WORDS("'x' is not a time"));
}

/* A value may be as long as the kernel lets it be. */
/* Ours end where the command begins; its own are left alone. */
static void a_command_keeps_its_options(void **state)
{
	static const char *const forms[][8] = {
		{"-d", "3", "--", "ls", "-d", "9", NULL},
		{"-d", "3", "ls", "-d", "9", NULL},
	};

	for (size_t i = 0; i < 2; i++) {
		char *argv[10] = {"perftrace"};
		struct error err = {0};
		struct options o;
		int argc = 1;

		while (forms[i][argc - 1]) {
			argv[argc] = (char *)forms[i][argc - 1];
			argc++;
		}
		options__init(&o);
		assert_int_equal(
			options__parse(&o, argc, argv, ALL_GROUPS, ARGUMENT_COMMAND, "run", &err),
			0);
		assert_int_equal(o.duration_ns, 3 * NSEC_PER_SEC);
		assert_non_null(o.command);
		assert_string_equal(o.command[0], "ls");
		assert_string_equal(o.command[1], "-d");
		assert_string_equal(o.command[2], "9");
		assert_null(o.command[3]);
		options__free(&o);
	}
}

static void no_command_is_none(void **state)
{
	char *argv[] = {"perftrace", "--", NULL};
	struct options o;

	options__init(&o);
	assert_int_equal(options__parse(&o, 2, argv, ALL_GROUPS, ARGUMENT_COMMAND, "run", NULL), 0);
	assert_null(o.command);
	options__free(&o);
}

static void a_long_value(void **state)
{
	static char value[100000];

	memset(value, '9', sizeof(value) - 1);
	assert_refused(PARSE("--ring", value), WORDS("--ring: '9999"));
	assert_refused(PARSE("-d", value), WORDS("--duration: '9999"));
	assert_refused(PARSE("-p", value), WORDS("--pid: '9999"));
}

static char *help(unsigned int groups)
{
	static char *text; /* static: gcc takes the stream for a keeper of the local's address */
	size_t size;
	FILE *out = open_memstream(&text, &size);

	options__print_help(out, groups);
	fclose(out);
	return text;
}

static bool help_has(const char *text, const char *option)
{
	size_t len = strlen(option);

	for (const char *p = strstr(text, option); p; p = strstr(p + 1, option))
		if (p > text && p[-1] == ' ' && strchr(" \n", p[len]))
			return true;
	return false;
}

static const char *const options[] = {
	"--pid",     "--name",	     "--duration",    "--interval",  "--pair",	 "--min",
	"--output",  "--json",	     "--follow",      "--no-follow", "--mode",	 "--top",
	"--older",   "--min-size",   "--max-live",    "--ring",	     "--no-log", "--strict",
	"--dry-run", "--function",   "--stack-depth", "--unit",	     "--cgroup", "--user",
	"--color",   "--verbose",    "--quiet",	      "--help",	     "--alloc",	 "--free",
	"--all",     "--inode-wide", "--frequency",   "--folded",
};

/* Whatever the parser knows stands in the help, and the other way round. */
static void every_option_is_in_the_help(void **state)
{
	char *all = help(ALL_GROUPS);
	size_t listed = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!help_has(all, options[i]))
			fail_msg("no %s in the help", options[i]);
	for (const char *p = strstr(all, " --"); p; p = strstr(p + 1, " --")) {
		char word[64] = "";
		struct run run;

		assert_int_equal(sscanf(p, " %63s", word), 1);
		listed++;
		run = PARSE(word);
		/* A value may be missing; unknown it is not. */
		if (run.ret && !strstr(run.err.text, "needs a value"))
			fail_msg("help lists %s, but: %s", word, run.err.text);
		options__free(&run.o);
	}
	assert_int_equal(listed, sizeof(options) / sizeof(options[0]));
	free(all);
}

/* Every group brings options of its own, and nothing reaches behind the last group. */
static void every_group_has_help(void **state)
{
	char *none = help(0), *behind = help(~ALL_GROUPS), *all = help(ALL_GROUPS);

	assert_string_equal(none, "");
	assert_string_equal(behind, "");
	for (unsigned int group = 1; group <= LAST_GROUP; group <<= 1) {
		char *text = help(group), *line, *save = NULL;

		if (!*text)
			fail_msg("group %#x has no option", group);
		assert_true(strlen(text) < strlen(all));
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			assert_non_null(strstr(all, line));
		free(text);
	}
	free(none);
	free(behind);
	free(all);
}

/* What `perftrace COMMAND --help` prints, by a child so that our own output stays as it is. */
static void add_command_help(const char *command, struct strbuf *text)
{
	char *argv[] = {"perftrace", (char *)command, "--help", NULL}, buf[4096];
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		status = command ? cli_main(3, argv) : cli_main(2, (char *[]){argv[0], argv[2]});
		fflush(stdout);
		_exit(status);
	}
	close(ends[1]);
	while ((n = read(ends[0], buf, sizeof(buf))) > 0)
		strbuf_add(text, buf, n);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void every_option_belongs_to_a_command(void **state)
{
	static const char *const commands[] = {NULL, "leaks", "spans", "cpu", "run", "probes"};
	struct strbuf text = {0};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		add_command_help(commands[i], &text);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!help_has(strbuf_str(&text), options[i]))
			fail_msg("no command takes %s", options[i]);
	strbuf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(bad_durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(bad_sizes),
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_options),
		cmocka_unit_test(frequencies),
		cmocka_unit_test(rules_are_kept),
		cmocka_unit_test(unknown_options),
		cmocka_unit_test(a_switch_with_a_value),
		cmocka_unit_test(missing_values),
		cmocka_unit_test(options_of_other_commands),
		cmocka_unit_test(positional_arguments),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(a_long_value),
		cmocka_unit_test(every_option_is_in_the_help),
		cmocka_unit_test(every_group_has_help),
		cmocka_unit_test(a_command_keeps_its_options),
		cmocka_unit_test(no_command_is_none),
		cmocka_unit_test(every_option_belongs_to_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
