// SPDX-License-Identifier: BSD-2-Clause
#include "session/roster.h"

#include <errno.h>
#include <unistd.h>

static int open_roots(struct roster *r, const pid_list *pids, struct error *err)
{
	pid_t *pid;

	vec_for_each (pids, pid) {
		struct process *p = vec_push(&r->roots);
		int ret = p ? process__open(*pid, p, err) : -ENOMEM;

		if (ret) {
			if (p)
				r->roots.len--;
			return ret;
		}
	}
	return 0;
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

int roster__open(struct roster *r, const pid_list *pids, enum follow_mode mode, struct error *err)
{
	pid_list children = {0};
	int ret = open_roots(r, pids, err);

	r->mode = mode;
	if (!ret)
		ret = find_children(r, &children);
	r->follow = mode == FOLLOW_ON || (mode == FOLLOW_AUTO && children.len);
	if (!ret)
		ret = adopt(r, &children);
	vec_free(&children);
	return ret;
}

int roster__adopt_children(struct roster *r)
{
	pid_list children = {0};
	int ret = r->follow ? find_children(r, &children) : 0;

	if (!ret)
		ret = adopt(r, &children);
	vec_free(&children);
	return ret;
}

void roster__close(struct roster *r)
{
	struct process *p;

	vec_for_each (&r->roots, p)
		process__close(p);
	vec_for_each (&r->children, p)
		process__close(p);
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

		vec_for_each (&running, pid)
			ours &= is_listed(r, *pid);
		vec_free(&running);
		if (!ours)
			return false;
	}
	return true;
}
