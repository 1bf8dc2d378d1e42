// SPDX-License-Identifier: BSD-2-Clause
/* Bisection in probe/link.c, against a kernel that is played: this program's syscall() below. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/link.h"

#define SITES	  64
#define SITE(i)	  (0x1000 + 0x10 * (uint64_t)(i))
#define PROGRAM	  77
#define OBJECT	  66
#define SEMAPHORE 0x9000

/* ---- the kernel ---- */

/* The uprobe_multi arm of BPF_LINK_CREATE, linux/bpf.h of 6.6. */
struct attributes {
	uint32_t prog_fd, target_fd, attach_type, link_flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, flags, pid;
};

static struct {
	bool bad[SITES];	/* it refuses these sites, and every set with one of them */
	int error;		/* with that errno */
	int fail_at, fail_with; /* the call of that number, from 1; 0 = none */
	int again;		/* how often it is busy first */
	const struct link_request *request; /* what it should be asked for */
	int calls;
	int linked[SITES];
	size_t links;
} played;

static int open_something(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void check_attributes(const struct attributes *a)
{
	const struct link_request *r = played.request;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->object_fd);
	assert_string_equal((const char *)(uintptr_t)a->path, path);
	assert_int_equal(a->prog_fd, r->prog_fd);
	assert_int_equal(a->attach_type, link_attach_type(r->method));
	assert_int_equal(a->link_flags, 0);
	assert_int_equal(a->flags, r->at_return);
	assert_int_equal(a->pid, r->pid);
	assert_true(a->count > 0 && a->count <= r->n_sites);
}

static int link_multi(const struct attributes *a)
{
	const uint64_t *offsets = (const void *)(uintptr_t)a->offsets;
	const uint64_t *cookies = (const void *)(uintptr_t)a->cookies;
	const uint64_t *ref_ctrs = (const void *)(uintptr_t)a->ref_ctr_offsets;

	check_attributes(a);
	for (uint32_t i = 0; i < a->count; i++) {
		size_t site = (offsets[i] - SITE(0)) / 0x10;

		assert_true(site < SITES);
		assert_int_equal(cookies[i], played.request->sites[site].cookie);
		assert_int_equal(ref_ctrs ? ref_ctrs[i] : 0,
				 played.request->sites[site].ref_ctr_offset);
		if (played.bad[site])
			return -played.error;
	}
	for (uint32_t i = 0; i < a->count; i++)
		played.linked[(offsets[i] - SITE(0)) / 0x10]++;
	played.links++;
	return open_something();
}

/* link.c and link_perf.c call the kernel through this one; libc's own calls do not come here. */
long syscall(long number, ...)
{
	va_list args;
	const void *attr;
	int ret;

	va_start(args, number);
	assert_int_equal(number, SYS_bpf);
	assert_int_equal(va_arg(args, int), BPF_LINK_CREATE);
	attr = va_arg(args, const void *);
	assert_true(va_arg(args, size_t) >= sizeof(struct attributes));
	va_end(args);
	if (played.again-- > 0)
		ret = -EAGAIN;
	else if (++played.calls == played.fail_at)
		ret = -played.fail_with;
	else
		ret = link_multi(attr);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

/* ---- requests ---- */

static struct link_site sites[SITES];
static struct link_request request;
static link_list links;

static int set_up(void **state)
{
	memset(&played, 0, sizeof(played));
	played.error = 524; /* ENOTSUPP, which user space has no name for */
	played.request = &request;
	request = (struct link_request){.method = LINK_MULTI,
					.prog_fd = PROGRAM,
					.object_fd = OBJECT,
					.pid = 4000,
					.sites = sites,
					.n_sites = SITES};
	for (size_t i = 0; i < SITES; i++)
		sites[i] = (struct link_site){SITE(i), 0, 1000 + i, -EBUSY};
	return 0;
}

static int tear_down(void **state)
{
	int *fd;

	vec_for_each (&links, fd)
		assert_int_equal(close(*fd), 0);
	vec_free(&links);
	return 0;
}

/* Every good site is linked once, every bad one is marked, and the descriptors are ours. */
static void assert_bisected(void)
{
	const int *fd;

	assert_int_equal(links.len, played.links);
	vec_for_each (&links, fd)
		assert_true(fcntl(*fd, F_GETFD) >= 0);
	for (size_t i = 0; i < request.n_sites; i++) {
		assert_int_equal(played.linked[i], !played.bad[i]);
		assert_int_equal(sites[i].refused, played.bad[i] ? -played.error : 0);
	}
}

static void all_good(void **state)
{
	assert_int_equal(link_sites(&request, &links), 0);
	assert_bisected();
	assert_int_equal(played.calls, 1);
	assert_int_equal(links.len, 1);
}

static void how_it_is_asked(void **state)
{
	request.method = LINK_SESSION;
	request.pid = 0;
	sites[5].ref_ctr_offset = SEMAPHORE; /* one is enough for all to be told */
	assert_int_equal(link_sites(&request, &links), 0);
	assert_bisected();
	assert_int_equal(link_attach_type(LINK_SESSION), ATTACH_UPROBE_SESSION);
	assert_int_equal(link_attach_type(LINK_MULTI), ATTACH_UPROBE_MULTI);
	assert_int_equal(link_attach_type(LINK_PERF), 0);
	request.method = LINK_MULTI;
	request.at_return = true;
	memset(played.linked, 0, sizeof(played.linked));
	assert_int_equal(link_sites(&request, &links), 0);
	assert_bisected();
	assert_int_equal(links.len, 2); /* those of the first are kept */
	assert_string_equal(link_method_name(LINK_SESSION), "session");
	assert_string_equal(link_method_name(LINK_MULTI), "multi");
	assert_string_equal(link_method_name(LINK_PERF), "single");
}

static void one_bad(void **state)
{
	for (size_t bad = 0; bad < SITES; bad++) {
		set_up(state);
		played.bad[bad] = true;
		assert_int_equal(link_sites(&request, &links), 0);
		assert_bisected();
		/* 2 per level of the tree, and the root. */
		assert_int_equal(played.calls, 1 + 2 * 6);
		tear_down(state);
	}
}

/* Any number of sites, any of them bad. */
static void some_bad(void **state)
{
	uint64_t random = 88172645463325252ULL;

	for (size_t n = 1; n <= SITES; n++) {
		bool any = false;

		set_up(state);
		request.n_sites = n;
		for (size_t i = 0; i < n; i++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			played.bad[i] = random >> 33 & 1;
			any |= !played.bad[i];
		}
		assert_int_equal(link_sites(&request, &links), any ? 0 : -524);
		assert_bisected();
		assert_true(played.calls <= 2 * (int)n - 1);
		tear_down(state);
	}
}

static void all_bad(void **state)
{
	memset(played.bad, true, sizeof(played.bad));
	assert_int_equal(link_sites(&request, &links), -524);
	assert_bisected();
	assert_int_equal(links.len, 0);
}

static void none(void **state)
{
	request.n_sites = 0;
	assert_int_equal(link_sites(&request, &links), 0);
	assert_int_equal(played.calls, 0);
	assert_int_equal(links.len, 0);
}

/* Asking for less would not help: it is not asked again, whatever it says of the sites. */
static void hopeless(void **state)
{
	static const int errors[] = {EPERM, EACCES, ENOMEM, ESRCH, EMFILE, ENFILE, ENOENT};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		set_up(state);
		played.fail_at = 1;
		played.fail_with = errors[i];
		assert_int_equal(link_sites(&request, &links), -errors[i]);
		assert_int_equal(played.calls, 1);
		assert_int_equal(links.len, 0);
		for (size_t s = 0; s < SITES; s++)
			assert_int_equal(sites[s].refused, -errors[i]);
	}
}

/* It becomes hopeless in between: what is linked stays, the rest is marked. */
static void hopeless_later(void **state)
{
	/* Calls: all 64, 0-31, 32-63, 32-47: the last one fails. */
	played.bad[63] = true;
	played.fail_at = 4;
	played.fail_with = ESRCH;
	assert_int_equal(link_sites(&request, &links), 0);
	assert_int_equal(played.calls, 4);
	assert_int_equal(links.len, 1);
	for (size_t s = 0; s < SITES; s++) {
		assert_int_equal(played.linked[s], s < 32);
		assert_int_equal(sites[s].refused, s < 32 ? 0 : -ESRCH);
	}
}

/* A bad half does not make the other one hopeless. */
static void hopeless_is_not_remembered_of_sites(void **state)
{
	played.error = EINVAL;
	for (size_t s = 0; s < 32; s++)
		played.bad[s] = true;
	assert_int_equal(link_sites(&request, &links), 0);
	assert_bisected();
	assert_int_equal(links.len, 1);
}

static void a_busy_kernel(void **state)
{
	played.again = 5;
	assert_int_equal(link_sites(&request, &links), 0);
	assert_bisected();
	assert_int_equal(played.calls, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_good),
		TEST(how_it_is_asked),
		TEST(one_bad),
		TEST(some_bad),
		TEST(all_bad),
		TEST(none),
		TEST(hopeless),
		TEST(hopeless_later),
		TEST(hopeless_is_not_remembered_of_sites),
		TEST(a_busy_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
