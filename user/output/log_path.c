// SPDX-License-Identifier: BSD-2-Clause
#include "output/log_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/invoker.h"

#define DIRECTORY_MODE 0700

int default_log_path(const char *name, char *path, size_t size)
{
	struct invoker invoker = invoker__find();
	const char *data = getenv("XDG_DATA_HOME");
	char home[PATH_MAX];
	int len, err;

	/* The specification: a relative path is invalid and to be ignored. */
	if (data && *data == '/') {
		len = snprintf(path, size, "%s/perftrace/logs/%s", data, name);
	} else {
		err = invoker__home(&invoker, home, sizeof(home));
		if (err)
			return err;
		len = snprintf(path, size, "%s/.local/share/perftrace/logs/%s", home, name);
	}
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static int make_all(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int err = 0;

		*slash = '\0';
		if (mkdir(path, DIRECTORY_MODE) && errno != EEXIST)
			err = -errno;
		if (err) /* `path` ends at the directory that could not be made */
			return err;
		*slash = '/';
	}
	return 0;
}

int log_path__make_directories(const char *path, struct error *err)
{
	struct invoker invoker = invoker__find();
	char copy[PATH_MAX];
	int result;

	if (strlen(path) >= sizeof(copy))
		return error_set(err, EXIT_FAILED, -ENAMETOOLONG,
				 "cannot create directories for the log: the path is too long. "
				 "Choose a file with -o.");
	strcpy(copy, path);
	invoker__assume(&invoker);
	result = make_all(copy);
	invoker__resign(&invoker);
	if (!result)
		return 0;
	return error_set(err, EXIT_FAILED, result,
			 "cannot create %s for the log: %s. Choose a file with -o, or --no-log.",
			 copy, strerror(-result));
}
