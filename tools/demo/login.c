// SPDX-License-Identifier: BSD-2-Clause
/*
 * Logging in, with the mistake that the demo is about: the session is copied before the password
 * is looked at, and when that is wrong nobody frees the copy.
 */
#include <perftrace.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

struct session {
	char user[64];
	char token[64];
	char preferences[1100];
};

/* Not inlined: the report shall show both functions as the source does. */
__attribute__((noinline)) static struct session *session_copy(const struct session *from)
{
	struct session *copy = malloc(sizeof(*copy));

	if (copy)
		memcpy(copy, from, sizeof(*copy));
	return copy;
}

static bool password_is_right(const char *user, const char *password)
{
	work(1000, 300);
	return *user && !strcmp(password, "secret");
}

__attribute__((noinline)) bool handle_login(const char *user, const char *password)
{
	struct session guest = {.token = "none"}, *session;

	PERF_GUARD("auth.login", user);
	snprintf(guest.user, sizeof(guest.user), "%s", user);
	session = session_copy(&guest);
	if (!session)
		return false;
	if (!password_is_right(user, password)) {
		PERF_EVENT("AUTH", PERF_FMT("LOGIN_FAILED %s", user));
		return false; /* the leak: session is still ours */
	}
	free(session);
	return true;
}
