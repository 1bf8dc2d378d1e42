// SPDX-License-Identifier: BSD-2-Clause
#include "target/loader_watch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "elf/exports.h"
#include "elf/image.h"
#include "target/mapped_file.h"
#include "target/maps.h"

#define AUXV_MAX       64
#define STOP_WAIT_NS   NSEC_PER_SEC
#define SYSCALL_STOP   (SIGTRAP | 0x80)
#define DR7_ENABLE_0_1 0x5 /* local enable of both; their type 0 is "execute" */

struct watch {
	pid_t pid;
	uint64_t deadline_ns;
	bool by_system_calls;
	uint64_t entry;	    /* of the program */
	uint64_t base, end; /* of the dynamic linker's mappings */
	uint64_t notify_at; /* its _dl_debug_state; 0 = it has none */
	uint64_t state_at;  /* its struct r_debug; 0 = it has none */
};

int loader_watch__wait(pid_t pid, uint64_t deadline_ns, int *status)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		pid_t got = waitpid(pid, status, __WALL | WNOHANG);
		uint64_t now = clock_monotonic_ns();
		struct timespec left;

		if (got > 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (now >= deadline_ns)
			return -ETIMEDOUT;
		left.tv_sec = (time_t)((deadline_ns - now) / NSEC_PER_SEC);
		left.tv_nsec = (long)((deadline_ns - now) % NSEC_PER_SEC);
		sigtimedwait(&child, NULL, &left);
	}
}

/* ---- where to look ---- */

static int read_auxv(struct watch *w)
{
	Elf64_auxv_t auxv[AUXV_MAX];
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/auxv", w->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, auxv, sizeof(auxv));
	close(fd);
	if (n < 0)
		return -errno;
	for (size_t i = 0; i < (size_t)n / sizeof(auxv[0]) && auxv[i].a_type != AT_NULL; i++) {
		if (auxv[i].a_type == AT_ENTRY)
			w->entry = auxv[i].a_un.a_val;
		else if (auxv[i].a_type == AT_BASE)
			w->base = auxv[i].a_un.a_val;
	}
	return w->entry ? 0 : -EINVAL;
}

/* The address of a symbol in the linker that lies at w->base; 0 = it has none. */
static uint64_t find_symbol(const struct watch *w, const struct elf_image *image, const char *name)
{
	uint64_t vaddr;

	if (elf_export__find(image, name, &vaddr) || vaddr >= w->end - w->base)
		return 0;
	return w->base + vaddr;
}

static int find_linker(struct watch *w)
{
	struct maps maps = {0};
	int ret = maps__load(w->pid, &maps), fd = -1;
	const struct mapping *linker = ret ? NULL : maps__find(&maps, w->base), *m;
	struct elf_image *image;

	w->end = w->base;
	if (!ret && (!linker || !linker->inode))
		ret = -ENOENT;
	vec_for_each (&maps.list, m) {
		if (!ret && m->inode == linker->inode && m->dev_major == linker->dev_major &&
		    m->dev_minor == linker->dev_minor && m->end > w->end)
			w->end = m->end;
	}
	if (!ret)
		fd = mapped_file__open(w->pid, linker);
	if (fd >= 0 && !elf_image__open_fd(fd, &image, NULL)) {
		w->notify_at = find_symbol(w, image, "_dl_debug_state");
		w->state_at = find_symbol(w, image, "_r_debug");
		elf_image__free(image);
	}
	maps__free(&maps);
	return ret;
}

static int poke(const struct watch *w, size_t reg, uint64_t value)
{
	size_t offset = offsetof(struct user, u_debugreg) + reg * sizeof(uint64_t);

	return ptrace(PTRACE_POKEUSER, w->pid, offset, value) ? -errno : 0;
}

static int disarm(const struct watch *w)
{
	return w->by_system_calls ? 0 : poke(w, 7, 0);
}

static void arm(struct watch *w)
{
	int ret = 0;

	if (w->by_system_calls)
		return;
	if (w->notify_at)
		ret = poke(w, 0, w->notify_at);
	if (!ret)
		ret = poke(w, 1, w->entry);
	if (!ret)
		ret = poke(w, 7, w->notify_at ? DR7_ENABLE_0_1 : DR7_ENABLE_0_1 & ~1);
	w->by_system_calls = ret != 0;
}

/* A fresh image. 1: it has no dynamic linker. */
static int look_at_image(struct watch *w, bool no_breakpoints)
{
	int ret;

	w->entry = w->base = w->notify_at = w->state_at = 0;
	w->by_system_calls = no_breakpoints;
	ret = read_auxv(w);
	if (ret)
		return ret;
	if (!w->base)
		return 1;
	ret = find_linker(w);
	if (!ret)
		arm(w);
	return ret;
}

/* ---- what has stopped it ---- */

/* Is the linker's list complete? It also calls when it begins, and for its auditors' lists. */
static bool is_complete(const struct watch *w)
{
	long version, state;

	if (!w->state_at)
		return true;
	errno = 0;
	version = ptrace(PTRACE_PEEKDATA, w->pid, w->state_at + offsetof(struct r_debug, r_version),
			 NULL);
	state = ptrace(PTRACE_PEEKDATA, w->pid, w->state_at + offsetof(struct r_debug, r_state),
		       NULL);
	return !errno && (int)version && (int)state == RT_CONSISTENT;
}

/* A trap: LOADER_* if it is one we wait for, -EAGAIN: go on, -ENOENT: not ours. */
static int judge_trap(const struct watch *w)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, w->pid, NULL, &regs))
		return -errno;
	if (!w->by_system_calls && regs.rip == w->notify_at)
		return is_complete(w) ? LOADER_DONE : -EAGAIN;
	if (!w->by_system_calls && regs.rip == w->entry)
		return LOADER_PASSED;
	return -ENOENT;
}

/* While the linker works, all system calls are its own. */
static int judge_system_call(const struct watch *w)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, w->pid, sizeof(info), &info) < 0)
		return -errno;
	return info.instruction_pointer < w->base || info.instruction_pointer >= w->end
		       ? LOADER_PASSED
		       : -EAGAIN;
}

static bool is_stop_signal(int number)
{
	return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

/*
 * Decides about a stop: LOADER_*, or -EAGAIN with the request and the signal to go on with, or
 * another negative errno.
 */
static int judge(struct watch *w, const struct loader_options *options, int status,
		 enum __ptrace_request *request, int *sig)
{
	int number = WSTOPSIG(status), ret;

	*sig = 0;
	*request = w->by_system_calls ? PTRACE_SYSCALL : PTRACE_CONT;
	if (!WIFSTOPPED(status))
		return LOADER_EXITED;
	switch (status >> 16) {
	case PTRACE_EVENT_EXEC: /* a constructor or auditor has replaced the image */
		ret = look_at_image(w, options->no_breakpoints);
		*request = w->by_system_calls ? PTRACE_SYSCALL : PTRACE_CONT;
		return ret == 1 ? LOADER_DONE : ret ? ret : -EAGAIN;
	case PTRACE_EVENT_STOP:
		if (is_stop_signal(number))
			*request = PTRACE_LISTEN;
		return -EAGAIN;
	}
	if (number == SYSCALL_STOP)
		return judge_system_call(w);
	ret = number == SIGTRAP ? judge_trap(w) : -ENOENT;
	if (ret != -ENOENT)
		return ret;
	*sig = number;
	return -EAGAIN;
}

/* Out of time: stops it wherever it is. */
static int interrupt(const struct watch *w, int *status)
{
	int ret = ptrace(PTRACE_INTERRUPT, w->pid, NULL, NULL) ? -errno : 0;

	if (!ret)
		ret = loader_watch__wait(w->pid, clock_monotonic_ns() + STOP_WAIT_NS, status);
	if (ret)
		return ret;
	return WIFSTOPPED(*status) ? LOADER_TIMEOUT : LOADER_EXITED;
}

int loader_watch__run(pid_t pid, const struct loader_options *options, int *status)
{
	struct watch w = {.pid = pid, .deadline_ns = clock_monotonic_ns() + options->timeout_ns};
	enum __ptrace_request request;
	int sig = 0, ret = look_at_image(&w, options->no_breakpoints);

	if (ret)
		return ret == 1 ? LOADER_DONE : ret;
	request = w.by_system_calls ? PTRACE_SYSCALL : PTRACE_CONT;
	do {
		/* ESRCH: it was killed in its stop. */
		if (ptrace(request, pid, NULL, sig) && errno != ESRCH)
			return -errno;
		ret = loader_watch__wait(pid, w.deadline_ns, status);
		ret = ret == -ETIMEDOUT ? interrupt(&w, status)
		      : ret		? ret
					: judge(&w, options, *status, &request, &sig);
	} while (ret == -EAGAIN);
	if (ret >= 0 && ret != LOADER_EXITED && disarm(&w))
		return -EIO;
	return ret;
}
