/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ctrl-C and friends. The first one asks the run to stop and report (through a descriptor, so
 * that nothing is interrupted halfway); the second ends the process at once, and with it every
 * probe: the kernel takes them out when their descriptors close.
 */
#ifndef PERFTRACE_CLI_SIGNALS_H
#define PERFTRACE_CLI_SIGNALS_H

/* From now on SIGINT, SIGTERM and SIGHUP only make the returned descriptor readable; -errno. */
int signals__begin(void);
/* The run is over or stopping: from now on such a signal ends the process with 130. */
void signals__leave(void);

#endif
