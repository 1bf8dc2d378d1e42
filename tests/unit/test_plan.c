// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../targets/usdt.h"
#include "abi/heap.h"
#include "include/perftrace.h"
#include "probe/insn.h"
#include "probe/plan.h"

#if defined(__SANITIZE_ADDRESS__)
#define OWN_ALLOCATOR "AddressSanitizer's malloc"
#else
#define OWN_ALLOCATOR "glibc malloc"
#endif

/* ---- the probes that this very program offers ---- */

USDT_SEMAPHORE(plan_test_semaphore);

/* A site at an instruction of one's choice; the note may be repeated, as compilers do. */
#define SITE_AT(instruction, name, note2) \
	__asm__ volatile("990: " instruction "\n" NOTE(name) note2)
#define NOTE(name)                                            \
	".pushsection .note.stapsdt, \"\", \"note\"\n"        \
	".balign 4\n"                                         \
	".4byte 992f - 991f, 994f - 993f, 3\n"                \
	"991: .asciz \"stapsdt\"\n"                           \
	"992: .balign 4\n"                                    \
	"993: .8byte 990b, _.stapsdt.base, 0\n"               \
	".asciz \"unit\"\n.asciz \"" name "\"\n.asciz \"\"\n" \
	"994: .balign 4\n"                                    \
	".popsection\n"

__attribute__((noinline, noclone)) static void one_function(const char *text, int n)
{
	USDT2("unit", "job__start", "plan_test_semaphore", text, n);
	USDT1("unit", "job__done", "plan_test_semaphore", n);
	USDT0("unit", "lonely", "0");
}

__attribute__((noinline, noclone)) static void begins(long n)
{
	USDT1("unit", "far__start", "0", n);
}

__attribute__((noinline, noclone)) static void commits(void)
{
	USDT0("unit", "far__commit", "0");
}

__attribute__((noinline, noclone)) static void aborts(void)
{
	USDT0("unit", "far__abort", "0");
}

__attribute__((noinline, noclone)) static void odd_sites(void)
{
	SITE_AT(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00", "wide__start", "");
	SITE_AT("nop", "wide__end", NOTE("wide__end"));
	SITE_AT("cld", "nonop", "");
}

__attribute__((noinline, noclone)) static void own_macros(const char *text)
{
	PERF_START("work");
	PERF_CHECKPOINT("half", text);
	PERF_EVENT("TAG", text);
	PERF_END("work", text);
}

static void use_probes(void)
{
	one_function("text", 1);
	begins(2);
	commits();
	aborts();
	odd_sites();
	own_macros("text");
}

/* ---- children to plan for ---- */

static pid_t start_self(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* An ordinary program without probes, linked with glibc alone, whatever this one is linked with. */
static pid_t start_program(const char *path)
{
	char exe[64], there[4096] = "";
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, "sleep", "1000", (char *)NULL);
		_exit(127);
	}
	snprintf(exe, sizeof(exe), "/proc/%d/wchan", pid);
	/* Planned once it sleeps: its libraries are mapped then. */
	for (int i = 0; i < 5000 && !strstr(there, "nanosleep"); i++) {
		int fd = open(exe, O_RDONLY);
		ssize_t n = read(fd, there, sizeof(there) - 1);

		there[n > 0 ? n : 0] = '\0';
		close(fd);
		usleep(1000);
	}
	return pid;
}

static void end_child(pid_t pid)
{
	assert_true(pid > 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

struct planned {
	struct plan plan;
	struct process process;
	struct maps maps;
};

static void add(struct plan *plan, struct planned *p, pid_t pid, bool heap, bool spans,
		const pair_rule_list *rules)
{
	struct plan_options options = {.heap = heap, .spans = spans, .rules = rules};
	struct error err = {0};

	if (process__open(pid, &p->process, &err) || maps__load(pid, &p->maps) ||
	    plan__add_process(plan, &p->process, &p->maps, &options, &err))
		fail_msg("%d: %s", pid, err.text);
}

static void done(struct planned *p)
{
	plan__free(&p->plan);
	maps__free(&p->maps);
	process__close(&p->process);
	memset(p, 0, sizeof(*p));
}

static const struct plan_probe *find_probe(const struct plan *plan, const char *symbol)
{
	const struct plan_probe *probe;

	vec_for_each (&plan->probes, probe)
		if (!strcmp(probe->symbol, symbol))
			return probe;
	return NULL;
}

static const struct span_site *site_of(const struct plan *plan, const char *symbol)
{
	const struct plan_probe *probe = find_probe(plan, symbol);

	if (!probe)
		fail_msg("no probe %s", symbol);
	assert_null(probe->refused);
	assert_true(probe->cookie < plan->sites.len);
	return &plan->sites.data[probe->cookie];
}

/* What must hold for every plan. */
static void assert_sound(const struct plan *plan)
{
	const struct plan_object *object;
	const struct plan_probe *probe, *other;

	vec_for_each (&plan->objects, object) {
		struct stat st;

		assert_int_equal(fstat(object->fd, &st), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(st.st_ino, object->inode);
		assert_true(fcntl(object->fd, F_GETFD) & FD_CLOEXEC);
	}
	vec_for_each (&plan->probes, probe) {
		struct stat st;

		assert_true(probe->object < plan->objects.len);
		assert_int_equal(fstat(plan->objects.data[probe->object].fd, &st), 0);
		assert_true(probe->offset > 0 && probe->offset < (uint64_t)st.st_size);
		assert_true(probe->site_offset >= probe->offset);
		assert_true(probe->site_offset < (uint64_t)st.st_size);
		assert_true(probe->ref_ctr_offset < (uint64_t)st.st_size);
		assert_true(probe->instruction[0] != '\0');
		/* No two probes of one kind at one place: each call would be counted twice. */
		for (other = plan->probes.data; other < probe; other++)
			if (other->kind == probe->kind && other->object == probe->object &&
			    other->site_offset == probe->site_offset &&
			    !strcmp(other->symbol, probe->symbol))
				fail_msg("%s is planned twice", probe->symbol);
	}
}

static void glibc_malloc(void **state)
{
	static const struct {
		const char *symbol;
		enum heap_function function;
	} want[] = {
		{"malloc", HEAP_MALLOC},
		{"calloc", HEAP_CALLOC},
		{"realloc", HEAP_REALLOC},
		{"reallocarray", HEAP_REALLOCARRAY},
		{"posix_memalign", HEAP_POSIX_MEMALIGN},
		{"memalign", HEAP_MEMALIGN},
		{"valloc", HEAP_MALLOC},
		{"pvalloc", HEAP_MALLOC},
		{"free", HEAP_FREE},
	};
	pid_t pid = start_program("/bin/sleep");
	const struct plan_allocator *allocator;
	const struct plan_probe *probe, *other;
	struct planned p = {0};

	add(&p.plan, &p, pid, true, false, NULL);
	assert_sound(&p.plan);
	allocator = plan__allocator(&p.plan, &p.process);
	assert_non_null(allocator);
	assert_true(allocator->found);
	assert_string_equal(allocator->label, "glibc malloc");
	assert_int_equal(allocator->objects.len, 1);
	assert_non_null(strstr(p.plan.objects.data[allocator->objects.data[0]].path, "/libc"));
	assert_int_equal(p.plan.bad_objects, 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		probe = find_probe(&p.plan, want[i].symbol);
		if (!probe)
			fail_msg("no %s", want[i].symbol);
		assert_int_equal(probe->kind, PLAN_ALLOC);
		assert_int_equal(probe->cookie, want[i].function);
		assert_true(plan_allocator__serves(allocator, probe->object));
		assert_null(probe->refused);
		assert_non_null(probe->why);
	}
	/* memalign and aligned_alloc are one function in glibc before 2.38: one probe then. */
	vec_for_each (&p.plan.probes, probe)
		for (other = p.plan.probes.data; other < probe; other++)
			assert_true(probe->offset != other->offset);
	assert_int_equal(plan__count(&p.plan, PLAN_ALLOC) + plan__count(&p.plan, PLAN_LOADER),
			 p.plan.probes.len);
	assert_int_equal(plan__count(&p.plan, PLAN_SPAN), 0);
	end_child(pid);
	done(&p);
}

/* As they are when a program has just begun. */
static void without_libc(struct maps *maps)
{
	size_t kept = 0;

	for (size_t i = 0; i < maps->list.len; i++) {
		if (strstr(maps->list.data[i].path, "/libc"))
			free(maps->list.data[i].path);
		else
			maps->list.data[kept++] = maps->list.data[i];
	}
	assert_true(kept < maps->list.len);
	maps->list.len = kept;
}

/* Known from another program, libc is found to be the malloc also of one that maps it later. */
static void a_known_library_is_mapped_later(void **state)
{
	struct plan_options options = {.heap = true};
	char copy[] = "/tmp/perftrace-plan.XXXXXX", command[128];
	struct planned first = {0}, second = {0};
	const struct plan_allocator *allocator;
	struct maps early = {0};
	pid_t pids[2];
	size_t probes;

	assert_non_null(mkdtemp(copy));
	snprintf(command, sizeof(command), "cp /bin/sleep %s/sleep", copy);
	assert_int_equal(system(command), 0);
	pids[0] = start_program("/bin/sleep");
	add(&first.plan, &first, pids[0], true, false, NULL);
	snprintf(command, sizeof(command), "%s/sleep", copy);
	pids[1] = start_program(command);

	assert_int_equal(process__open(pids[1], &second.process, NULL), 0);
	assert_int_equal(maps__load(pids[1], &early), 0);
	without_libc(&early);
	assert_int_equal(plan__add_process(&first.plan, &second.process, &early, &options, NULL),
			 0);
	allocator = plan__allocator(&first.plan, &second.process);
	assert_non_null(allocator);
	assert_false(allocator->found);
	process__close(&second.process);

	probes = first.plan.probes.len;
	add(&first.plan, &second, pids[1], true, false, NULL);
	allocator = plan__allocator(&first.plan, &second.process);
	assert_true(allocator->found);
	assert_int_equal(allocator->objects.len, 1);
	assert_non_null(strstr(first.plan.objects.data[allocator->objects.data[0]].path, "/libc"));
	assert_int_equal(first.plan.probes.len, probes);

	end_child(pids[0]);
	end_child(pids[1]);
	maps__free(&early);
	done(&second);
	done(&first);
	unlink(command);
	rmdir(copy);
}

/* free() begins with `test`, which would be single-stepped: 33 times the price (FACTS.md 2). */
static void free_is_moved_off_its_entry(void **state)
{
	pid_t pid = start_program("/bin/sleep");
	const struct plan_probe *probe;
	struct planned p = {0};
	struct insn insn;
	uint8_t code[INSN_LENGTH_MAX];
	int fd;

	add(&p.plan, &p, pid, true, false, NULL);
	probe = find_probe(&p.plan, "free");
	assert_non_null(probe);
	fd = p.plan.objects.data[probe->object].fd;
	assert_int_equal(pread(fd, code, sizeof(code), probe->offset), sizeof(code));
	assert_int_equal(insn_decode(code, sizeof(code), &insn), 0);
	if (!insn.emulated)
		assert_true(probe->site_offset > probe->offset);
	assert_true(probe->site_offset < probe->offset + 64);
	assert_int_equal(pread(fd, code, sizeof(code), probe->site_offset), sizeof(code));
	assert_int_equal(insn_decode(code, sizeof(code), &insn), 0);
	assert_true(insn.emulated);
	assert_false(insn.refused);
	end_child(pid);
	done(&p);
}

static void own_allocator(void **state)
{
	pid_t pid = start_self();
	const struct plan_allocator *allocator;
	struct planned p = {0};

	add(&p.plan, &p, pid, true, false, NULL);
	assert_sound(&p.plan);
	allocator = plan__allocator(&p.plan, &p.process);
	assert_non_null(allocator);
	assert_true(allocator->found);
	assert_string_equal(allocator->label, OWN_ALLOCATOR);
	assert_non_null(find_probe(&p.plan, "malloc"));
	assert_non_null(find_probe(&p.plan, "free"));
	assert_int_equal(p.plan.sites.len, 0);
	end_child(pid);
	done(&p);
}

/* Whose probes may be linked for every process that runs it: the executable, nothing else. */
static void the_executable_is_known(void **state)
{
	pid_t pid = start_self();
	const struct plan_object *object;
	struct planned p = {0};
	size_t executables = 0;

	add(&p.plan, &p, pid, true, true, NULL);
	assert_true(p.plan.objects.len >= 3);
	vec_for_each (&p.plan.objects, object) {
		executables += object->is_executable;
		assert_int_equal(object->is_executable, !strcmp(object->path, p.process.exe));
	}
	assert_int_equal(executables, 1);
	end_child(pid);
	done(&p);
}

static void usdt_pairs(void **state)
{
	pid_t pid = start_self();
	const struct plan_pair *job, *far;
	const struct plan_probe *probe;
	const struct span_site *site;
	struct planned p = {0};

	add(&p.plan, &p, pid, false, true, NULL);
	assert_sound(&p.plan);
	assert_null(find_probe(&p.plan, "malloc"));

	site = site_of(&p.plan, "unit:job__start");
	assert_int_equal(site->role, SITE_START);
	assert_int_equal(site->named, 0);
	job = &p.plan.pairs.data[site->pair];
	assert_string_equal(job->name, "unit.job");
	assert_int_equal(job->abi.scoped_hint, 1);
	assert_int_equal(job->abi.by_name, 0);
	/* The text is 8 bytes and in a register; the int beside it cannot be text. */
	assert_int_equal(site->strings, 1);
	assert_true(site->string[0].kind == ARG_REG || site->string[0].kind == ARG_DEREF);
	assert_int_equal(site->string[0].size, 8);
	assert_int_equal(site_of(&p.plan, "unit:job__done")->role, SITE_END);
	assert_int_equal(site_of(&p.plan, "unit:job__done")->pair, site->pair);
	assert_int_equal(site_of(&p.plan, "unit:job__done")->strings, 0);

	site = site_of(&p.plan, "unit:far__start");
	far = &p.plan.pairs.data[site->pair];
	assert_string_equal(far->name, "unit.far");
	assert_int_equal(far->abi.scoped_hint, 0);
	assert_int_equal(site_of(&p.plan, "unit:far__commit")->role, SITE_END);
	assert_int_equal(site_of(&p.plan, "unit:far__commit")->pair, site->pair);
	assert_int_equal(site_of(&p.plan, "unit:far__abort")->role, SITE_END);
	assert_int_equal(site_of(&p.plan, "unit:far__abort")->pair, site->pair);
	assert_true(job != far);

	/* What belongs to no pair is listed, and costs no site. */
	probe = find_probe(&p.plan, "unit:lonely");
	assert_non_null(probe);
	assert_int_equal(probe->kind, PLAN_USDT);
	assert_int_equal(plan__span_pairs(&p.plan), 3); /* job, far, wide */
	end_child(pid);
	done(&p);
}

static void sites_are_at_nops(void **state)
{
	pid_t pid = start_self();
	const struct plan_probe *probe;
	struct planned p = {0};
	unsigned short semaphore = 1;
	int fd;

	add(&p.plan, &p, pid, false, true, NULL);
	vec_for_each (&p.plan.probes, probe) {
		uint8_t byte = 0;

		if (probe->kind == PLAN_LOADER)
			continue;
		fd = p.plan.objects.data[probe->object].fd;
		assert_int_equal(pread(fd, &byte, 1, probe->site_offset), 1);
		if (!probe->refused)
			assert_int_equal(byte, 0x90);
	}
	probe = find_probe(&p.plan, "unit:job__start");
	assert_true(probe->ref_ctr_offset > 0);
	fd = p.plan.objects.data[probe->object].fd;
	assert_int_equal(pread(fd, &semaphore, 2, probe->ref_ctr_offset), 2);
	assert_int_equal(semaphore, 0);
	assert_int_equal(find_probe(&p.plan, "unit:job__done")->ref_ctr_offset,
			 probe->ref_ctr_offset);
	assert_int_equal(find_probe(&p.plan, "unit:far__start")->ref_ctr_offset, 0);
	end_child(pid);
	done(&p);
}

static void dangerous_sites_are_refused(void **state)
{
	pid_t pid = start_self();
	const struct plan_probe *probe;
	struct planned p = {0};
	size_t ends = 0, sites;

	add(&p.plan, &p, pid, false, true, NULL);
	probe = find_probe(&p.plan, "unit:wide__start");
	assert_non_null(probe);
	assert_non_null(probe->refused);
	assert_non_null(strstr(probe->refused, "five-byte nop"));
	probe = find_probe(&p.plan, "unit:nonop");
	assert_non_null(probe);
	assert_non_null(probe->refused);
	/* The other end of the pair, noted twice at one place, is one good site. */
	vec_for_each (&p.plan.probes, probe)
		ends += !strcmp(probe->symbol, "unit:wide__end");
	assert_int_equal(ends, 1);
	assert_int_equal(site_of(&p.plan, "unit:wide__end")->role, SITE_END);
	/* Sites, cookies and attachable probes are one to one. */
	sites = plan__count(&p.plan, PLAN_SPAN) + plan__count(&p.plan, PLAN_MARK);
	assert_int_equal(p.plan.sites.len, sites);
	vec_for_each (&p.plan.probes, probe)
		if (!probe->refused && probe->kind != PLAN_USDT)
			ends += probe->cookie;
	assert_int_equal(ends - 1, sites * (sites - 1) / 2);
	end_child(pid);
	done(&p);
}

static void own_macro_sites(void **state)
{
	static const struct {
		const char *symbol;
		enum plan_kind kind;
		enum site_role role;
		int strings;
	} want[] = {
		{"perftrace:span_start", PLAN_SPAN, SITE_START, 0},
		{"perftrace:span_end", PLAN_SPAN, SITE_END, 1},
		{"perftrace:checkpoint", PLAN_MARK, SITE_CHECKPOINT, 1},
		{"perftrace:event", PLAN_MARK, SITE_EVENT, 1},
	};
	pid_t pid = start_self();
	struct planned p = {0};

	add(&p.plan, &p, pid, false, true, NULL);
	assert_true(plan__has_own_macros(&p.plan));
	assert_int_equal(p.plan.pairs.data[PLAN_OWN_PAIR].abi.by_name, 1);
	assert_null(p.plan.pairs.data[PLAN_OWN_PAIR].name);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct span_site *site = site_of(&p.plan, want[i].symbol);

		assert_int_equal(find_probe(&p.plan, want[i].symbol)->kind, want[i].kind);
		assert_true(find_probe(&p.plan, want[i].symbol)->ref_ctr_offset > 0);
		assert_int_equal(site->pair, PLAN_OWN_PAIR);
		assert_int_equal(site->role, want[i].role);
		assert_int_equal(site->named, 1);
		assert_int_equal(site->name.size, 8);
		assert_int_equal(site->name.kind, ARG_REG);
		assert_int_equal(site->strings, want[i].strings);
	}
	end_child(pid);
	done(&p);
}

static void rules_restrict_the_plan(void **state)
{
	pid_t pid = start_self();
	pair_rule_list rules = {0};
	struct planned p = {0};

	assert_int_equal(pair_rule__parse("unit:far*", &rules, NULL), 0);
	add(&p.plan, &p, pid, false, true, &rules);
	assert_int_equal(plan__span_pairs(&p.plan), 1);
	assert_int_equal(find_probe(&p.plan, "unit:far__abort")->kind, PLAN_SPAN);
	assert_int_equal(find_probe(&p.plan, "unit:job__start")->kind, PLAN_USDT);
	/* Macros are chosen like any provider. */
	assert_false(plan__has_own_macros(&p.plan));
	end_child(pid);
	done(&p);
	memset(&p, 0, sizeof(p));
	assert_int_equal(pair_rule__parse("perf*:*", &rules, NULL), 0);
	pid = start_self();
	add(&p.plan, &p, pid, false, true, &rules);
	assert_true(plan__has_own_macros(&p.plan));
	end_child(pid);
	pair_rules__free(&rules);
	done(&p);
}

/* Processes of one program add up to one plan; those of another add only what is new. */
static void processes_share_objects(void **state)
{
	pid_t one = start_self(), two = start_self(), other = start_program("/bin/sleep");
	struct planned p = {0}, q = {0}, r = {0};
	size_t probes, objects;

	add(&p.plan, &p, one, true, true, NULL);
	probes = p.plan.probes.len;
	objects = p.plan.objects.len;
	add(&p.plan, &q, two, true, true, NULL);
	assert_int_equal(p.plan.probes.len, probes);
	assert_int_equal(p.plan.objects.len, objects);
	assert_int_equal(p.plan.allocators.len, 1);

	add(&p.plan, &r, other, true, true, NULL);
	assert_sound(&p.plan);
	assert_int_equal(p.plan.allocators.len, 2);
	assert_int_equal(p.plan.objects.len, objects + 1); /* libc and ld.so were there */
	assert_string_equal(plan__allocator(&p.plan, &r.process)->label, "glibc malloc");
	if (!strcmp(OWN_ALLOCATOR, "glibc malloc"))
		assert_int_equal(p.plan.probes.len, probes);
	end_child(one);
	end_child(two);
	end_child(other);
	done(&q);
	done(&r);
	done(&p);
}

static void copy_file(const char *from, const char *to)
{
	char buf[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0700);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, n), n);
	close(in);
	close(out);
}

/* Upgraded under a running service: the file is gone, the mapping is not. */
static void a_deleted_executable(void **state)
{
	char dir[] = "/tmp/perftrace-plan-XXXXXX", path[64];
	const struct plan_object *object;
	size_t executables = 0;
	struct planned p = {0};
	pid_t pid;

	if (geteuid())
		skip(); /* map_files is for root alone */
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sleep", dir);
	copy_file("/bin/sleep", path);
	pid = start_program(path);
	unlink(path);
	copy_file("/bin/true", path); /* another file of its name */
	add(&p.plan, &p, pid, true, true, NULL);
	unlink(path);
	rmdir(dir);
	assert_sound(&p.plan);
	assert_int_equal(p.plan.bad_objects, 0);
	assert_true(plan__allocator(&p.plan, &p.process)->found);
	vec_for_each (&p.plan.objects, object)
		executables += object->is_executable;
	assert_int_equal(executables, 1);
	end_child(pid);
	done(&p);
}

static void nothing_asked_for(void **state)
{
	pid_t pid = start_self();
	struct planned p = {0};

	add(&p.plan, &p, pid, false, false, NULL);
	assert_int_equal(p.plan.probes.len, 0);
	assert_int_equal(p.plan.sites.len, 0);
	assert_null(plan__allocator(&p.plan, &p.process));
	end_child(pid);
	done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(glibc_malloc),
		cmocka_unit_test(a_known_library_is_mapped_later),
		cmocka_unit_test(free_is_moved_off_its_entry),
		cmocka_unit_test(own_allocator),
		cmocka_unit_test(the_executable_is_known),
		cmocka_unit_test(usdt_pairs),
		cmocka_unit_test(sites_are_at_nops),
		cmocka_unit_test(dangerous_sites_are_refused),
		cmocka_unit_test(own_macro_sites),
		cmocka_unit_test(rules_restrict_the_plan),
		cmocka_unit_test(processes_share_objects),
		cmocka_unit_test(a_deleted_executable),
		cmocka_unit_test(nothing_asked_for),
	};

	use_probes();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
