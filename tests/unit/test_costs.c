// SPDX-License-Identifier: BSD-2-Clause
/* Prices of probes: which one a probe has, and the file that remembers them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/costs.h"
#include "probe/costs_cache.h"

#define KEY "perftrace probe-costs 1\nkernel 6.18\ncpu X\nmethods session multi\n"

static char base[64], directory[96], file[128];
static const struct probe_costs known = {.ns = {1, 2.5, 3, 4, 5, 6}};

static int start(void **state)
{
	strcpy(base, "/tmp/perftrace-costs-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(directory, sizeof(directory), "%s/perftrace", base);
	snprintf(file, sizeof(file), "%s/probe-costs", directory);
	return 0;
}

static int stop(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

static void put(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int load(struct probe_costs *costs)
{
	return costs_cache__load(directory, KEY, costs);
}

/* Neither read nor believed; what was there stays. */
static void is_refused(void)
{
	struct probe_costs costs = {.ns = {77}};

	assert_true(load(&costs) < 0);
	assert_true(costs.ns[0] == 77);
}

static void what_is_stored_is_loaded(void **state)
{
	struct probe_costs costs = known, got;
	struct stat st;

	costs.ns[COST_CALL_SKIPPED] = NAN;
	is_refused();
	assert_int_equal(costs_cache__store(directory, KEY, &known), 0);
	assert_int_equal(costs_cache__store(directory, KEY, &costs), 0);
	assert_int_equal(load(&got), 0);
	assert_true(got.ns[COST_SITE_NOP] == 2.5 && got.ns[COST_CALL_STEPPED] == 5);
	assert_true(isnan(got.ns[COST_CALL_SKIPPED]));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 022, 0);
}

static void another_key_is_another_machine(void **state)
{
	struct probe_costs got;

	assert_int_equal(costs_cache__store(directory, KEY, &known), 0);
	assert_true(costs_cache__load(directory, "perftrace probe-costs 1\nkernel 6.19\n", &got) <
		    0);
	assert_true(costs_cache__load(directory, KEY "x", &got) < 0);
}

static void malformed_files_are_none(void **state)
{
	static const char *const bad[] = {
		"",
		"garbage\n",
		KEY,
		KEY "site-emulated 1\n",
		KEY "site-emulated 1\nsite-nop 1\nsite-stepped 1\ncall-emulated 1\n"
		    "call-stepped 1\ncall-skipped 1",
		KEY "site-emulated 1\nsite-nop 1\nsite-stepped 1\ncall-emulated 1\n"
		    "call-stepped 1\ncall-skipped 1\nmore\n",
		KEY "site-emulated -1\nsite-nop 1\nsite-stepped 1\ncall-emulated 1\n"
		    "call-stepped 1\ncall-skipped 1\n",
		KEY "site-emulated nan\nsite-nop 1\nsite-stepped 1\ncall-emulated 1\n"
		    "call-stepped 1\ncall-skipped 1\n",
		KEY "site-emulated 1e300\nsite-nop 1\nsite-stepped 1\ncall-emulated 1\n"
		    "call-stepped 1\ncall-skipped 1\n",
		KEY "site-nop 1\nsite-emulated 1\nsite-stepped 1\ncall-emulated 1\n"
		    "call-stepped 1\ncall-skipped 1\n",
	};
	struct probe_costs got;
	char *big = malloc(100000);

	assert_int_equal(mkdir(directory, 0755), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(bad[i]);
		is_refused();
	}
	memset(big, 'x', 99999);
	big[99999] = '\0';
	put(big);
	free(big);
	is_refused();
	/* The neighbour of all these is a good one. */
	put(KEY "site-emulated 1\nsite-nop 1\nsite-stepped 1\ncall-emulated 1\n"
		"call-stepped 1\ncall-skipped n/a\n");
	assert_int_equal(load(&got), 0);
}

static void files_that_others_can_write_are_none(void **state)
{
	struct probe_costs got;

	assert_int_equal(costs_cache__store(directory, KEY, &known), 0);
	assert_int_equal(chmod(file, 0666), 0);
	is_refused();
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(load(&got), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	is_refused();
	assert_true(costs_cache__store(directory, KEY, &known) < 0);
	assert_int_equal(chmod(directory, 0755), 0);
	if (!geteuid()) {
		assert_int_equal(chown(file, 65534, 65534), 0);
		is_refused();
	}
}

static void links_are_not_followed(void **state)
{
	struct probe_costs got;
	struct stat st;
	char moved[128];

	assert_int_equal(costs_cache__store(directory, KEY, &known), 0);
	snprintf(moved, sizeof(moved), "%s/moved", base);
	assert_int_equal(rename(file, moved), 0);
	assert_int_equal(symlink(moved, file), 0);
	is_refused();
	/* The link gives way to a file, what it led to stays. */
	assert_int_equal(truncate(moved, 3), 0);
	assert_int_equal(costs_cache__store(directory, KEY, &known), 0);
	assert_int_equal(lstat(file, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(load(&got), 0);
	assert_int_equal(stat(moved, &st), 0);
	assert_int_equal(st.st_size, 3);

	/* A directory that is a link is not ours, whatever it leads to. */
	snprintf(moved, sizeof(moved), "%s/elsewhere", base);
	assert_int_equal(rename(directory, moved), 0);
	assert_int_equal(symlink(moved, directory), 0);
	is_refused();
	assert_true(costs_cache__store(directory, KEY, &known) < 0);
}

static void no_place_is_no_error_but_an_answer(void **state)
{
	assert_true(costs_cache__store("/nonexistent/x/perftrace", KEY, &known) < 0);
	assert_true(costs_cache__store("/proc/perftrace", KEY, &known) < 0);
}

static void the_key_names_methods(void **state)
{
	struct link_support support = {.session = true, .multi = true};
	char key[COSTS_KEY_LEN];
	size_t lines = 0;

	costs_cache__key(&support, key);
	assert_non_null(strstr(key, "\nmethods session multi\n"));
	for (const char *c = key; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 4);
	support = (struct link_support){.perf = true};
	costs_cache__key(&support, key);
	assert_non_null(strstr(key, "\nmethods single single\n"));
}

static void every_probe_has_its_price(void **state)
{
	const struct link_support session = {.session = true, .multi = true};
	const struct link_support multi = {.multi = true};
	struct plan_probe malloc_probe = {
		.kind = PLAN_ALLOC, .hook = HOOK_CALL, .emulated = true, .instruction = "push"};
	struct plan_probe free_probe = {
		.kind = PLAN_ALLOC, .hook = HOOK_SITE, .emulated = true, .instruction = "je"};
	struct plan_probe span = {
		.kind = PLAN_SPAN, .hook = HOOK_SITE, .emulated = true, .instruction = "nop"};
	struct plan_probe exit = {.kind = PLAN_FUNCTION, .hook = HOOK_SITE, .instruction = "ret"};

	assert_true(probe_costs__of(&known, &session, &malloc_probe) == 4);
	assert_true(probe_costs__of(&known, &session, &free_probe) == 6);
	assert_true(probe_costs__of(&known, &multi, &free_probe) == 1);
	assert_true(probe_costs__of(&known, &session, &span) == 2.5);
	assert_true(probe_costs__of(&known, &session, &exit) == 3);
	malloc_probe.emulated = false;
	assert_true(probe_costs__of(&known, &multi, &malloc_probe) == 5);

	assert_int_equal(probe_costs__method(&session, &free_probe), LINK_SESSION);
	assert_int_equal(probe_costs__method(&session, &span), LINK_MULTI);
	assert_int_equal(probe_costs__method(&multi, &malloc_probe), LINK_MULTI);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_stored_is_loaded, start, stop),
		cmocka_unit_test_setup_teardown(another_key_is_another_machine, start, stop),
		cmocka_unit_test_setup_teardown(malformed_files_are_none, start, stop),
		cmocka_unit_test_setup_teardown(files_that_others_can_write_are_none, start, stop),
		cmocka_unit_test_setup_teardown(links_are_not_followed, start, stop),
		cmocka_unit_test(no_place_is_no_error_but_an_answer),
		cmocka_unit_test(the_key_names_methods),
		cmocka_unit_test(every_probe_has_its_price),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
