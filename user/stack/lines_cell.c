// SPDX-License-Identifier: BSD-2-Clause
#include "stack/lines_cell.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stack/lines_worker.h"

#define NOBODY	      65534
#define FIRST_FD      3
#define HEAP_MAX      (1ULL << 30) /* bytes of memory that can be written */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* What reading files, asking for memory and answering takes; all else is refused. */
static const uint32_t allowed[] = {
	SYS_read,	SYS_pread64,	   SYS_write,	     SYS_lseek,	      SYS_fstat,
	SYS_newfstatat, SYS_mmap,	   SYS_munmap,	     SYS_mremap,      SYS_mprotect,
	SYS_madvise,	SYS_brk,	   SYS_futex,	     SYS_exit,	      SYS_exit_group,
	SYS_getrandom,	SYS_clock_gettime, SYS_rt_sigreturn, SYS_sigaltstack, SYS_gettid,
};

static int close_all_others(int *fds, size_t n)
{
	int end = FIRST_FD + (int)n;

	if (n > LINES_CELL_FDS_MAX)
		return -EINVAL;
	/* Out of the way first: one may have the number that another one gets. */
	for (size_t i = 0; i < n; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD, end);
		if (fds[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < n; i++) {
		fds[i] = dup2(fds[i], FIRST_FD + (int)i);
		if (fds[i] < 0)
			return -errno;
	}
	if (close_range(0, FIRST_FD - 1, 0) || close_range((unsigned int)end, ~0U, 0))
		return -errno;
	return 0;
}

static int limit(int resource, uint64_t value)
{
	struct rlimit now, wanted = {value, value};

	if (getrlimit(resource, &now))
		return -errno;
	if (now.rlim_max < value)
		wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
	return setrlimit(resource, &wanted) ? -errno : 0;
}

/* Bounds count from what the process has: it is a copy of one that may be large. */
static int limit_memory(void)
{
#ifndef __SANITIZE_ADDRESS__ /* which reserves terabytes */
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), size, data;
	FILE *f = fopen("/proc/self/statm", "re");
	int fields, ret;

	if (!f)
		return -errno;
	fields = fscanf(f, "%" SCNu64 " %*u %*u %*u %*u %" SCNu64, &size, &data);
	fclose(f);
	if (fields != 2)
		return -EIO;
	ret = limit(RLIMIT_AS, size * page + LINES_WORKER_MEMORY);
	return ret ? ret : limit(RLIMIT_DATA, data * page + HEAP_MAX);
#else
	return 0;
#endif
}

static int limit_everything(void)
{
	int ret = limit_memory();

	if (!ret)
		ret = limit(RLIMIT_CPU, LINES_WORKER_SECONDS + 1);
	if (!ret)
		ret = limit(RLIMIT_CORE, 0);
	if (!ret)
		ret = limit(RLIMIT_FSIZE, 0);
	return ret;
}

static int give_up_rights(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	/* Where this fails, as in a user namespace without that user, we are not root anyway. */
	if (!geteuid() &&
	    (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	     setresuid(NOBODY, NOBODY, NOBODY)) &&
	    errno != EINVAL && errno != EPERM)
		return -errno;
	if (syscall(SYS_capset, &head, none) || prctl(PR_SET_DUMPABLE, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	return 0;
}

static int filter_system_calls(void)
{
	struct sock_filter code[LENGTH(allowed) + 6];
	struct sock_fprog program = {.filter = code};
	size_t n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, arch));
	code[n++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < LENGTH(allowed); i++) /* on a match over the rest, to the end */
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
							 (uint8_t)(LENGTH(allowed) - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	/* A kernel without it has the other walls. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) && errno != EINVAL)
		return -errno;
	return 0;
}

int lines_cell__enter(int *fds, size_t n)
{
	int ret = limit_everything();

	if (!ret)
		ret = close_all_others(fds, n);
	if (!ret)
		ret = give_up_rights();
	if (!ret)
		ret = filter_system_calls();
	return ret;
}
