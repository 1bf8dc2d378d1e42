// SPDX-License-Identifier: BSD-2-Clause
/* From -p, -n, -U and --cgroup to a list of PIDs. */
#include <errno.h>
#include <string.h>

#include "cli/tracing.h"
#include "target/cgroup.h"

static bool is_listed(const pid_list *pids, pid_t pid)
{
	const pid_t *known;

	vec_for_each (pids, known) {
		if (*known == pid)
			return true;
	}
	return false;
}

static int add_pids(pid_list *pids, const pid_list *more)
{
	const pid_t *pid;

	vec_for_each (more, pid) {
		pid_t *slot = is_listed(pids, *pid) ? NULL : vec_push(pids);

		if (slot)
			*slot = *pid;
		else if (!is_listed(pids, *pid))
			return -ENOMEM;
	}
	return 0;
}

static int find_by_name(const char *name, pid_list *found, struct error *err)
{
	int ret = process__find_by_name(name, found);

	if (!ret)
		ret = process__keep_programs(found);
	if (ret)
		return error_set(err, EXIT_FAILED, ret, "cannot list processes: %s",
				 strerror(-ret));
	if (!found->len)
		return error_set(err, EXIT_NO_TARGET, -ESRCH,
				 "no process called '%s'. pgrep -a PATTERN searches whole command "
				 "lines.",
				 name);
	return 0;
}

/* What is in the groups now and can be traced. `what` names them in sentences. */
static int find_in_groups(const struct cgroup_list *groups, const char *what, const char *name,
			  pid_list *found, struct error *err)
{
	int ret = cgroup__pids(groups, found);

	if (!ret)
		ret = process__keep_programs(found);
	if (ret)
		return error_set(err, EXIT_FAILED, ret, "cannot list the processes of %s %s: %s",
				 what, name, strerror(-ret));
	if (!found->len)
		return error_set(err, EXIT_NO_TARGET, -ESRCH, "no process runs in %s %s", what,
				 name);
	return 0;
}

static int find_by_group(const char *name, bool is_unit, pid_list *found, struct error *err)
{
	struct cgroup_mounts mounts = {0};
	struct cgroup_list groups = {0};
	int ret = cgroup_mounts__load(&mounts);

	if (!ret)
		ret = is_unit ? cgroup__find_unit(&mounts, name, &groups, err)
			      : cgroup__find_path(&mounts, name, &groups, err);
	if (!ret)
		ret = find_in_groups(&groups, is_unit ? "unit" : "control group", name, found, err);
	cgroup_list__free(&groups);
	cgroup_mounts__free(&mounts);
	return ret;
}

int tracing__find_members(void *arg, pid_list *pids)
{
	const struct options *options = arg;
	struct error err = {0};
	int ret = 0;

	/* An empty group is none to complain about now. */
	if (options->unit)
		ret = find_by_group(options->unit, true, pids, &err);
	if (options->cgroup && (!ret || ret == -ESRCH || ret == -ENOENT))
		ret = find_by_group(options->cgroup, false, pids, &err);
	return ret;
}

int tracing__find_pids(const struct options *options, pid_list *pids, size_t *named,
		       struct error *err)
{
	pid_list by_name = {0}, by_unit = {0}, by_cgroup = {0};
	int ret = add_pids(pids, &options->pids);

	*named = pids->len;
	if (!ret && options->name)
		ret = find_by_name(options->name, &by_name, err);
	if (!ret && options->unit)
		ret = find_by_group(options->unit, true, &by_unit, err);
	if (!ret && options->cgroup)
		ret = find_by_group(options->cgroup, false, &by_cgroup, err);
	if (!ret)
		ret = add_pids(pids, &by_name);
	if (!ret)
		ret = add_pids(pids, &by_unit);
	if (!ret)
		ret = add_pids(pids, &by_cgroup);
	vec_free(&by_name);
	vec_free(&by_unit);
	vec_free(&by_cgroup);
	if (!ret && !pids->len)
		ret = error_set(err, EXIT_USAGE, -EINVAL,
				"which process? Give -p PID, -n NAME or -U UNIT.");
	return ret;
}
