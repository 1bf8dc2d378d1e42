// SPDX-License-Identifier: BSD-2-Clause
#include "target/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/invoker.h"
#include "target/loader_watch.h"
#include "target/process.h"

#define EXEC_WAIT_NS   (30 * NSEC_PER_SEC) /* a command on a slow network file system */
#define LOADER_WAIT_NS (30 * NSEC_PER_SEC)

/* Whom the command runs as. */
struct identity {
	bool change;
	uid_t uid;
	gid_t gid;
	char name[256], home[4096], shell[4096]; /* "" = unknown */
};

/* What the child tells before it becomes the command; nothing if that succeeds. */
struct failure {
	int error;
	bool at_exec; /* else: on its way to its user */
};

struct start {
	const struct launch_options *options;
	struct identity who;
	sigset_t mask;	       /* to be restored in the child */
	struct sigaction chld; /* likewise */
	int go[2], told[2];
};

/* ---- who ---- */

static void take_entry(struct identity *who, const struct passwd *entry)
{
	snprintf(who->name, sizeof(who->name), "%s", entry->pw_name);
	snprintf(who->home, sizeof(who->home), "%s", entry->pw_dir);
	snprintf(who->shell, sizeof(who->shell), "%s", entry->pw_shell);
}

static int identity_of_user(struct identity *who, const char *user, struct error *err)
{
	struct passwd *entry = getpwnam(user);
	unsigned long uid;
	char *end;

	if (!entry && *user >= '0' && *user <= '9') {
		errno = 0;
		uid = strtoul(user, &end, 10);
		entry = !*end && !errno && uid < 0xffffffffUL ? getpwuid((uid_t)uid) : NULL;
	}
	if (!entry)
		return error_set(err, EXIT_USAGE, -ENOENT,
				 "--user: there is no user '%s'. getent passwd lists them.", user);
	who->uid = entry->pw_uid;
	who->gid = entry->pw_gid;
	who->change = who->uid != geteuid();
	take_entry(who, entry);
	if (who->change && geteuid())
		return error_set(err, EXIT_UNSUPPORTED, -EPERM,
				 "cannot start a command as %s: not permitted. Run it with sudo.",
				 user);
	return 0;
}

static int find_identity(struct identity *who, const char *user, struct error *err)
{
	struct invoker invoker = invoker__find();
	struct passwd *entry;

	memset(who, 0, sizeof(*who));
	if (user)
		return identity_of_user(who, user, err);
	who->change = invoker.sudo;
	who->uid = invoker.uid;
	who->gid = invoker.gid;
	entry = who->change ? getpwuid(who->uid) : NULL;
	if (entry)
		take_entry(who, entry);
	return 0;
}

/* ---- the child ---- */

static int become(const struct identity *who)
{
	if (!who->change)
		return 0;
	if (who->name[0] ? initgroups(who->name, who->gid) : setgroups(1, &who->gid))
		return -errno;
	if (setresgid(who->gid, who->gid, who->gid) || setresuid(who->uid, who->uid, who->uid))
		return -errno;
	if (who->name[0] && (setenv("USER", who->name, 1) || setenv("LOGNAME", who->name, 1)))
		return -errno;
	if ((who->home[0] && setenv("HOME", who->home, 1)) ||
	    (who->shell[0] && setenv("SHELL", who->shell, 1)))
		return -errno;
	return 0;
}

static void tell(int fd, int error, bool at_exec)
{
	struct failure f = {error, at_exec};

	if (write(fd, &f, sizeof(f)) != sizeof(f))
		_exit(126);
	_exit(127);
}

static void be_the_command(struct start *s)
{
	char byte;
	int ret;

	close(s->go[1]);
	close(s->told[0]);
	/* Our parent takes hold of us first; if it dies there is nothing to do. */
	if (read(s->go[0], &byte, 1) != 1)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	sigaction(SIGCHLD, &s->chld, NULL);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
	ret = become(&s->who);
	if (ret)
		tell(s->told[1], -ret, false);
	execvp(s->options->argv[0], s->options->argv);
	tell(s->told[1], errno, true);
}

/* ---- the parent ---- */

static int explain(const struct start *s, const struct failure *f, struct error *err)
{
	const char *name = s->options->argv[0];

	if (!f->at_exec)
		return error_set(err, EXIT_UNSUPPORTED, -f->error, "cannot become user %s: %s",
				 s->who.name[0] ? s->who.name : "of SUDO_UID", strerror(f->error));
	switch (f->error) {
	case ENOENT:
	case ENOTDIR:
		if (!access(name, F_OK))
			return error_set(err, EXIT_NO_TARGET, -f->error,
					 "cannot start %s: the interpreter it asks for is missing",
					 name);
		return error_set(err, EXIT_NO_TARGET, -f->error, "no command '%s'%s", name,
				 strchr(name, '/') ? "" : " in PATH");
	case EACCES:
	case EPERM:
	case ENOEXEC:
	case ELIBBAD:
		return error_set(err, EXIT_UNSUPPORTED, -f->error, "cannot start %s: %s", name,
				 strerror(f->error));
	}
	return error_set(err, EXIT_FAILED, -f->error, "cannot start %s: %s", name,
			 strerror(f->error));
}

/* Until it has become the command; what else stops it meanwhile are signals, which it gets. */
static int wait_for_exec(const struct start *s, struct launch *l, struct error *err)
{
	uint64_t deadline = clock_monotonic_ns() + EXEC_WAIT_NS;
	struct failure f;
	int ret;

	for (;;) {
		ret = loader_watch__wait(l->pid, deadline, &l->status);
		if (ret)
			return error_set(err, EXIT_FAILED, ret, "cannot start %s: %s",
					 s->options->argv[0], strerror(-ret));
		if (!WIFSTOPPED(l->status))
			break;
		if (l->status >> 16 == PTRACE_EVENT_EXEC)
			return 0;
		ptrace(PTRACE_CONT, l->pid, NULL, l->status >> 16 ? 0 : (long)WSTOPSIG(l->status));
	}
	l->ended = true;
	if (read(s->told[0], &f, sizeof(f)) == sizeof(f))
		return explain(s, &f, err);
	return error_set(err, EXIT_FAILED, -ECHILD, "%s was ended before it began",
			 s->options->argv[0]);
}

/* From the exec to the point where everything is mapped. */
static int load(const struct start *s, struct launch *l, struct error *err)
{
	uint64_t timeout_ns = s->options->timeout_ms * 1000000ULL;
	struct loader_options options = {timeout_ns ? timeout_ns : LOADER_WAIT_NS,
					 s->options->no_breakpoints};
	struct process image;
	int ret = process__open(l->pid, &image, err);

	if (ret)
		return ret;
	process__close(&image);
	ret = loader_watch__run(l->pid, &options, &l->status);
	if (ret < 0)
		return error_set(err, EXIT_FAILED, ret, "cannot follow how %s is loaded: %s",
				 s->options->argv[0], strerror(-ret));
	if (ret == LOADER_PASSED)
		l->caveat = "what its libraries' constructors did is not seen: they ran before it "
			    "could be held";
	if (ret == LOADER_TIMEOUT)
		l->caveat = "it took too long to load: what it did up to now is not seen";
	l->ended = ret == LOADER_EXITED;
	l->held = !l->ended;
	/* Whatever becomes of us now, it can go its way: it has no breakpoints any more. */
	if (l->held)
		ptrace(PTRACE_SETOPTIONS, l->pid, NULL, 0);
	return 0;
}

static int hold(struct start *s, struct launch *l, struct error *err)
{
	long options = PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	int ret;

	if (ptrace(PTRACE_SEIZE, l->pid, NULL, options))
		return error_set(err, EXIT_UNSUPPORTED, -errno,
				 "cannot hold %s at its start: %s. Start it yourself, and trace it "
				 "with perftrace -p PID.",
				 s->options->argv[0], strerror(errno));
	if (write(s->go[1], "", 1) != 1)
		return -EIO;
	ret = wait_for_exec(s, l, err);
	return ret ? ret : load(s, l, err);
}

static int start_child(struct start *s, struct launch *l, struct error *err)
{
	int ret;

	if (pipe2(s->go, O_CLOEXEC))
		return -errno;
	if (pipe2(s->told, O_CLOEXEC)) {
		ret = -errno;
		close(s->go[0]);
		close(s->go[1]);
		return ret;
	}
	l->pid = fork();
	if (!l->pid)
		be_the_command(s);
	ret = l->pid < 0 ? -errno : 0;
	close(s->go[0]);
	close(s->told[1]);
	if (!ret) {
		ret = hold(s, l, err);
		if (ret)
			launch__kill(l);
	}
	close(s->go[1]);
	close(s->told[0]);
	return ret;
}

int launch__start(const struct launch_options *options, struct launch *l, struct error *err)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	struct start s = {.options = options};
	sigset_t chld;
	int ret;

	memset(l, 0, sizeof(*l));
	ret = find_identity(&s.who, options->user, err);
	if (ret)
		return ret;
	/* Ignored, as it may be handed down to us, it would make children vanish unseen. */
	sigaction(SIGCHLD, &by_default, &s.chld);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &s.mask);
	ret = start_child(&s, l, err);
	sigprocmask(SIG_SETMASK, &s.mask, NULL);
	return ret ? error_set(err, EXIT_FAILED, ret, "cannot start %s: %s", options->argv[0],
			       strerror(-ret))
		   : 0;
}

void launch__release(struct launch *l)
{
	if (l->held)
		ptrace(PTRACE_DETACH, l->pid, NULL, 0);
	l->held = false;
}

void launch__kill(struct launch *l)
{
	if (l->pid <= 0 || l->ended)
		return;
	kill(l->pid, SIGKILL);
	/* Stops that were on their way may be reported first. */
	while (waitpid(l->pid, &l->status, __WALL) == l->pid && WIFSTOPPED(l->status))
		;
	l->ended = true;
	l->held = false;
}

int launch__wait(struct launch *l, unsigned int timeout_ms)
{
	struct pollfd fd = {.events = POLLIN};
	int ret;

	if (l->ended)
		return 0;
	fd.fd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	ret = fd.fd < 0 ? -errno : poll(&fd, 1, (int)timeout_ms);
	if (fd.fd >= 0)
		close(fd.fd);
	if (ret <= 0)
		return ret < 0 && errno != EINTR ? -errno : -ETIMEDOUT;
	do {
		ret = waitpid(l->pid, &l->status, __WALL);
	} while ((ret < 0 && errno == EINTR) || (ret > 0 && WIFSTOPPED(l->status)));
	if (ret < 0)
		return -errno;
	l->ended = true;
	return 0;
}

int launch__exit_code(const struct launch *l)
{
	return WIFSIGNALED(l->status) ? 128 + WTERMSIG(l->status) : WEXITSTATUS(l->status);
}
