// SPDX-License-Identifier: BSD-2-Clause
#include "session/roster.h"

#include <errno.h>
#include <unistd.h>

#include "base/notice.h"
#include "target/everybody.h"

static int open_roots(struct roster *r, const pid_list *pids, size_t named, struct error *err)
{
	struct error first = {0};

	for (size_t i = 0; i < pids->len; i++) {
		struct process *p = vec_push(&r->roots);
		struct error why = {0};
		int ret = p ? process__open(pids->data[i], p, &why) : -ENOMEM;

		if (!ret)
			continue;
		if (!p)
			return ret;
		r->roots.len--;
		if (i < named || !why.exit_code)
			return why.exit_code ? error_set(err, why.exit_code, ret, "%s", why.text)
					     : ret;
		/* Nobody asked for this one: gone again, or of a kind we cannot trace. */
		if (ret != -ESRCH)
			notice(NOTICE_WARNING, "left out: %s", why.text);
		if (!first.exit_code)
			first = why;
	}
	return r->roots.len ? 0 : error_set(err, first.exit_code, -ESRCH, "%s", first.text);
}

static bool is_listed(const struct roster *r, pid_t pid)
{
	const struct process *p;

	vec_for_each (&r->roots, p) {
		if (p->pid == pid)
			return true;
	}
	vec_for_each (&r->children, p) {
		if (p->pid == pid)
			return true;
	}
	vec_for_each (&r->joined, p) {
		if (p->pid == pid)
			return true;
	}
	return false;
}

/* Living children of the roots, as far as the mode follows them. */
static int find_children(const struct roster *r, pid_list *pids)
{
	const struct process *root;
	int ret = 0;

	vec_for_each (&r->roots, root) {
		if (!ret && r->mode == FOLLOW_ON)
			ret = process__descendants(root->pid, pids);
		else if (!ret && r->mode == FOLLOW_AUTO)
			ret = process__siblings_in_trade(root, pids);
	}
	return ret;
}

static int adopt(struct roster *r, const pid_list *pids)
{
	pid_t *pid;

	vec_for_each (pids, pid) {
		struct process *p;

		if (is_listed(r, *pid) || *pid == getpid())
			continue;
		p = vec_push(&r->children);
		if (!p)
			return -ENOMEM;
		if (process__open(*pid, p, NULL))
			r->children.len--; /* gone, or of a kind we cannot trace */
	}
	return 0;
}

int roster__open(struct roster *r, const pid_list *pids, size_t named, enum follow_mode mode,
		 struct error *err)
{
	pid_list children = {0};
	int ret = open_roots(r, pids, named, err);

	r->mode = mode;
	if (!ret)
		ret = find_children(r, &children);
	r->follow = mode == FOLLOW_ON || (mode == FOLLOW_AUTO && children.len);
	if (!ret)
		ret = adopt(r, &children);
	vec_free(&children);
	return ret;
}

int roster__open_everybody(struct roster *r)
{
	struct process *p = vec_push(&r->roots);

	if (!p)
		return -ENOMEM;
	everybody__open(p);
	r->follow = true;
	return 0;
}

int roster__adopt_children(struct roster *r)
{
	pid_list children = {0};
	int ret = r->follow && !everybody__is(&r->roots.data[0]) ? find_children(r, &children) : 0;

	if (!ret)
		ret = adopt(r, &children);
	vec_free(&children);
	return ret;
}

int roster__join(struct roster *r, const struct process *p)
{
	struct process *slot = vec_push(&r->joined);

	if (!slot)
		return -ENOMEM;
	*slot = *p;
	return 0;
}

void roster__close(struct roster *r)
{
	struct process *p;

	vec_for_each (&r->roots, p)
		process__close(p);
	vec_for_each (&r->children, p)
		process__close(p);
	vec_for_each (&r->joined, p)
		process__close(p);
	vec_free(&r->joined);
	vec_free(&r->roots);
	vec_free(&r->children);
}

const struct process *roster__root(const struct roster *r)
{
	return &r->roots.data[0];
}

bool roster__any_root_alive(const struct roster *r)
{
	const struct process *p;

	vec_for_each (&r->roots, p) {
		if (everybody__is(p) || process__is_alive(p))
			return true;
	}
	vec_for_each (&r->joined, p) {
		if (process__is_alive(p))
			return true;
	}
	return false;
}

bool roster__owns_executables(const struct roster *r)
{
	const struct process *root;

	vec_for_each (&r->roots, root) {
		pid_list running = {0};
		bool ours = process__find_by_executable(root, &running) == 0;
		pid_t *pid;

		/*
		 * One file under two identities (containers of one image) would be probed once for
		 * each, and every event seen twice.
		 */
		vec_for_each (&running, pid)
			ours &= is_listed(r, *pid) && process__runs_executable_of(root, *pid);
		vec_free(&running);
		if (!ours)
			return false;
	}
	return true;
}
