// SPDX-License-Identifier: BSD-2-Clause
#include "target/process.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PF_KTHREAD	 0x00200000
#define CAP_SYS_PTRACE_N 19
#define CAP_SYS_ADMIN_N	 21
#define CAP_PERFMON_N	 38
#define CAP_BPF_N	 39

/* The fields of /proc/PID/stat we use. */
struct stat_line {
	char comm[16];
	char state;
	pid_t ppid;
	unsigned int flags;
	uint64_t start_ticks;
};

static int read_proc_file(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

static int read_stat(pid_t pid, struct stat_line *s)
{
	char buf[1024], *open_paren, *close_paren;
	unsigned long long start;
	int n = read_proc_file(pid, "stat", buf, sizeof(buf));

	if (n < 0)
		return n;
	/* comm may hold any byte, ')' included: it ends at the last one. */
	open_paren = strchr(buf, '(');
	close_paren = strrchr(buf, ')');
	if (!open_paren || !close_paren || close_paren < open_paren)
		return -EINVAL;
	*close_paren = '\0';
	snprintf(s->comm, sizeof(s->comm), "%.15s", open_paren + 1);
	n = sscanf(close_paren + 1,
		   " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &s->state, &s->ppid, &s->flags, &start);
	if (n != 4)
		return -EINVAL;
	s->start_ticks = start;
	return 0;
}

static uint64_t start_realtime_ns(uint64_t ticks)
{
	struct timespec boot, now;
	uint64_t since_boot, hz = sysconf(_SC_CLK_TCK);

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &now);
	since_boot = boot.tv_sec * 1000000000ULL + boot.tv_nsec;
	return now.tv_sec * 1000000000ULL + now.tv_nsec - since_boot + ticks * (1000000000ULL / hz);
}

/*
 * The kernel appends " (deleted)" to the name of a file that has none any more; a file may also
 * really be called that.
 */
static bool cut_deleted(char *path, const struct stat *st)
{
	static const char suffix[] = " (deleted)";
	size_t len = strlen(path);

	if (st->st_nlink || len <= sizeof(suffix) - 1 ||
	    strcmp(path + len - (sizeof(suffix) - 1), suffix) != 0)
		return false;
	path[len - (sizeof(suffix) - 1)] = '\0';
	return true;
}

/* Is the executable one whose registers and ELF files we understand? */
static int check_image(pid_t pid, struct process *p, struct error *err)
{
	unsigned char ident[20];
	char path[64];
	struct stat st;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, p->exe, sizeof(p->exe) - 1);
	if (n < 0) {
		if ((errno == EACCES || errno == EPERM) && geteuid() == 0)
			return error_set(
				err, EXIT_UNSUPPORTED, -EPERM,
				"cannot read process %d: this system refuses it even to root", pid);
		if (errno == EACCES || errno == EPERM)
			return error_set(err, EXIT_UNSUPPORTED, -EPERM,
					 "cannot read process %d: not permitted. Run it with sudo.",
					 pid);
		return error_set(err, EXIT_NO_TARGET, -ESRCH,
				 "process %d vanished before it could be traced", pid);
	}
	p->exe[n] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		if (fd >= 0)
			close(fd);
		return error_set(err, EXIT_NO_TARGET, -ESRCH,
				 "process %d vanished before it could be traced", pid);
	}
	p->exe_dev = st.st_dev;
	p->exe_inode = st.st_ino;
	p->exe_deleted = cut_deleted(p->exe, &st);
	n = pread(fd, ident, sizeof(ident), 0);
	close(fd);
	if (n != sizeof(ident) || memcmp(ident, ELFMAG, SELFMAG))
		return error_set(err, EXIT_UNSUPPORTED, -ENOTSUP,
				 "cannot trace %d: its executable is not an ELF file", pid);
	if (ident[EI_CLASS] != ELFCLASS64)
		return error_set(
			err, EXIT_UNSUPPORTED, -ENOTSUP,
			"cannot trace %d: it is a 32-bit program, only x86-64 is supported", pid);
	if (ident[EI_DATA] != ELFDATA2LSB || (ident[18] | ident[19] << 8) != EM_X86_64)
		return error_set(err, EXIT_UNSUPPORTED, -ENOTSUP,
				 "cannot trace %d: it is not an x86-64 program", pid);
	return 0;
}

static int no_such_process(pid_t pid, struct error *err)
{
	return error_set(err, EXIT_NO_TARGET, -ESRCH,
			 "no process %d. Find it with pgrep -a NAME, or trace by name: "
			 "perftrace -n NAME",
			 pid);
}

int process__open(pid_t pid, struct process *p, struct error *err)
{
	struct stat_line s;
	int ret;

	memset(p, 0, sizeof(*p));
	p->pid = pid;
	p->pidfd = -1;
	if (pid == getpid())
		return error_set(err, EXIT_USAGE, -EINVAL,
				 "cannot trace %d: that is perftrace itself. Give another PID.",
				 pid);
	p->pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (p->pidfd < 0) {
		/* A thread's id is answered with EINVAL (ENOENT on newer kernels). */
		if (errno != ESRCH && read_stat(pid, &s) == 0)
			return error_set(err, EXIT_NO_TARGET, -ESRCH,
					 "%d is a thread, not a process. Give its process ID: "
					 "grep Tgid /proc/%d/status",
					 pid, pid);
		return no_such_process(pid, err);
	}
	ret = read_stat(pid, &s);
	if (ret) {
		no_such_process(pid, err);
	} else if (s.flags & PF_KTHREAD) {
		ret = error_set(err, EXIT_UNSUPPORTED, -ENOTSUP,
				"cannot trace %d: it is a kernel thread, it has no user code", pid);
	} else if (s.state == 'Z' || s.state == 'X') {
		ret = error_set(err, EXIT_UNSUPPORTED, -ENOTSUP,
				"cannot trace %d: it is a zombie, already dead and waiting for its "
				"parent %d",
				pid, s.ppid);
	} else {
		ret = check_image(pid, p, err);
	}
	/* While it lives nobody else can have its number: all of the above was about it. */
	if (!ret && !process__is_alive(p))
		ret = error_set(err, EXIT_NO_TARGET, -ESRCH,
				"process %d vanished before it could be traced", pid);
	if (ret) {
		process__close(p);
		return ret;
	}
	memcpy(p->comm, s.comm, sizeof(p->comm));
	p->start_ticks = s.start_ticks;
	p->started_realtime_ns = start_realtime_ns(s.start_ticks);
	return 0;
}

void process__close(struct process *p)
{
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pidfd = -1;
}

bool process__is_alive(const struct process *p)
{
	struct pollfd fd = {.fd = p->pidfd, .events = POLLIN};

	return p->pidfd >= 0 && poll(&fd, 1, 0) == 0;
}

bool process__is_same(const struct process *p)
{
	struct stat_line s;

	return read_stat(p->pid, &s) == 0 && s.start_ticks == p->start_ticks;
}

/* Calls fn for every process directory of /proc until it returns non-zero. */
static int for_each_process(int (*fn)(pid_t pid, void *arg), void *arg)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int ret = 0;

	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (*end == '\0' && pid > 0)
			ret = fn(pid, arg);
	}
	closedir(dir);
	return ret;
}

static int push_pid(pid_list *list, pid_t pid)
{
	pid_t *slot = vec_push(list);

	if (!slot)
		return -ENOMEM;
	*slot = pid;
	return 0;
}

static int list_one(pid_t pid, void *arg)
{
	return push_pid(arg, pid);
}

int process__list(pid_list *out)
{
	return for_each_process(list_one, out);
}

struct name_search {
	const char *name;
	pid_list *out;
};

static int match_name(pid_t pid, void *arg)
{
	struct name_search *search = arg;
	char path[64], exe[4096];
	struct stat_line s;
	struct stat st;
	const char *base;
	ssize_t n;

	if (pid == getpid() || read_stat(pid, &s) || s.state == 'Z' || s.flags & PF_KTHREAD)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	if (n > 0 && !stat(path, &st))
		cut_deleted(exe, &st);
	base = strrchr(exe, '/');
	if (strcmp(s.comm, search->name) && strcmp(base ? base + 1 : exe, search->name))
		return 0;
	return push_pid(search->out, pid);
}

int process__find_by_name(const char *name, pid_list *out)
{
	struct name_search search = {name, out};

	return for_each_process(match_name, &search);
}

struct aged_pid {
	pid_t pid;
	uint64_t start_ticks;
};

static int compare_ages(const void *left, const void *right)
{
	const struct aged_pid *a = left, *b = right;

	if (a->start_ticks != b->start_ticks)
		return a->start_ticks < b->start_ticks ? -1 : 1;
	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

int process__keep_programs(pid_list *pids)
{
	struct aged_pid *kept;
	struct stat_line s;
	size_t n = 0;
	pid_t *pid;

	if (!pids->len)
		return 0;
	kept = calloc(pids->len, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	vec_for_each (pids, pid) {
		if (*pid != getpid() && !read_stat(*pid, &s) && !strchr("ZX", s.state) &&
		    !(s.flags & PF_KTHREAD))
			kept[n++] = (struct aged_pid){*pid, s.start_ticks};
	}
	qsort(kept, n, sizeof(*kept), compare_ages);
	for (size_t i = 0; i < n; i++)
		pids->data[i] = kept[i].pid;
	pids->len = n;
	free(kept);
	return 0;
}

pid_t process__of_thread(pid_t tid)
{
	char buf[4096], *line;

	if (read_proc_file(tid, "status", buf, sizeof(buf)) <= 0)
		return 0;
	line = strstr(buf, "\nTgid:");
	return line ? (pid_t)strtol(line + 6, NULL, 10) : 0;
}

struct child_search {
	pid_t parent;
	pid_list *out;
};

static int match_child(pid_t pid, void *arg)
{
	struct child_search *search = arg;
	struct stat_line s;

	if (read_stat(pid, &s) || s.ppid != search->parent || s.state == 'Z')
		return 0;
	return push_pid(search->out, pid);
}

static int stat_executable(pid_t pid, struct stat *st, bool *on_overlay)
{
	struct statfs fs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, st) || statfs(path, &fs))
		return -errno;
	*on_overlay = fs.f_type == OVERLAYFS_SUPER_MAGIC;
	return 0;
}

bool process__runs_executable_of(const struct process *p, pid_t pid)
{
	struct stat st;
	bool on_overlay;

	return !stat_executable(pid, &st, &on_overlay) && st.st_dev == p->exe_dev &&
	       st.st_ino == p->exe_inode;
}

struct executable_search {
	const struct process *p;
	struct stat st;
	bool on_overlay;
	pid_list *out;
};

static int match_executable(pid_t pid, void *arg)
{
	struct executable_search *search = arg;
	struct stat st;
	bool on_overlay;

	if (stat_executable(pid, &st, &on_overlay))
		return 0;
	if ((st.st_dev == search->p->exe_dev && st.st_ino == search->p->exe_inode) ||
	    (on_overlay && search->on_overlay && st.st_size == search->st.st_size &&
	     st.st_mtim.tv_sec == search->st.st_mtim.tv_sec &&
	     st.st_mtim.tv_nsec == search->st.st_mtim.tv_nsec))
		return push_pid(search->out, pid);
	return 0;
}

int process__find_by_executable(const struct process *p, pid_list *out)
{
	struct executable_search search = {.p = p, .out = out};

	/* Of one that is gone nothing can be alike. */
	if (stat_executable(p->pid, &search.st, &search.on_overlay))
		search.on_overlay = false;
	return for_each_process(match_executable, &search);
}

int process__siblings_in_trade(const struct process *p, pid_list *out)
{
	pid_list children = {0};
	struct child_search search = {p->pid, &children};
	int ret = for_each_process(match_child, &search);
	pid_t *pid;

	vec_for_each (&children, pid) {
		if (!ret && process__runs_executable_of(p, *pid))
			ret = push_pid(out, *pid);
	}
	vec_free(&children);
	return ret;
}

int process__descendants(pid_t pid, pid_list *out)
{
	size_t next = out->len;
	struct child_search search = {pid, out};
	int ret = for_each_process(match_child, &search);

	while (!ret && next < out->len) {
		search.parent = out->data[next++];
		ret = for_each_process(match_child, &search);
	}
	return ret;
}

int process__memory(pid_t pid, struct process_memory *m)
{
	unsigned long long size, resident, shared, text, data;
	uint64_t page = sysconf(_SC_PAGESIZE);
	char buf[4096], *line;
	int n = read_proc_file(pid, "statm", buf, sizeof(buf));

	memset(m, 0, sizeof(*m));
	if (n < 0)
		return n;
	if (sscanf(buf, "%llu %llu %llu %llu %*u %llu", &size, &resident, &shared, &text, &data) !=
	    5)
		return -EINVAL;
	m->virtual_bytes = size * page;
	m->resident_bytes = resident * page;
	m->shared_bytes = shared * page;
	m->text_bytes = text * page;
	m->data_bytes = data * page;
	n = read_proc_file(pid, "status", buf, sizeof(buf));
	line = n > 0 ? strstr(buf, "\nVmStk:") : NULL;
	if (line)
		m->stack_bytes = strtoull(line + 7, NULL, 10) * 1024;
	/* A dead process' directory stays until it is reaped, with all sizes zero. */
	return size ? 0 : -ESRCH;
}

bool process__memory_lags(void)
{
	struct utsname kernel;
	unsigned int major_nr, minor_nr;

	return !uname(&kernel) && sscanf(kernel.release, "%u.%u", &major_nr, &minor_nr) == 2 &&
	       (major_nr < 6 || (major_nr == 6 && minor_nr < 2));
}

void process__missing_capabilities(char *text, size_t size)
{
	static const struct {
		int bit;
		const char *name;
	} wanted[] = {{CAP_BPF_N, "CAP_BPF"},
		      {CAP_PERFMON_N, "CAP_PERFMON"},
		      {CAP_SYS_PTRACE_N, "CAP_SYS_PTRACE"}};
	char buf[4096], *line;
	uint64_t effective = 0;
	size_t used = 0;

	text[0] = '\0';
	if (read_proc_file(getpid(), "status", buf, sizeof(buf)) > 0 &&
	    (line = strstr(buf, "\nCapEff:")))
		effective = strtoull(line + 8, NULL, 16);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		/* CAP_SYS_ADMIN stands in for the two it was split into. */
		if (effective & (1ULL << wanted[i].bit) ||
		    (wanted[i].bit != CAP_SYS_PTRACE_N && effective & (1ULL << CAP_SYS_ADMIN_N)))
			continue;
		used += snprintf(text + used, used < size ? size - used : 0, "%s%s",
				 used ? ", " : "", wanted[i].name);
	}
}
