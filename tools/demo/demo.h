/* SPDX-License-Identifier: BSD-2-Clause */
/* The demo service: a small inventory that asks slow services and lets users log in. */
#ifndef PERFTRACE_DEMO_H
#define PERFTRACE_DEMO_H

#include <stdbool.h>

/* Something that takes time: `sleep_us` of waiting and `cpu_us` of computing. */
void work(long sleep_us, long cpu_us);

/* query.c: both phases of a query over `regions` regions (1 to 4). Returns resources found. */
int run_query(int regions);

/* login.c: checks the password, true = logged in. A failed login leaks a session, on purpose. */
bool handle_login(const char *user, const char *password);

#endif
