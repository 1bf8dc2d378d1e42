/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tracer in miniature, inside the traced program: it does to the probes of perftrace.h what
 * the kernel does (breakpoint on the site, semaphore raised, arguments read where the note says)
 * and writes down what fires. So the tests of the header count exactly and need no privileges.
 */
#ifndef PERFTRACE_TESTS_TRAP_H
#define PERFTRACE_TESTS_TRAP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Attaches to every probe of every loaded object. Exits with a message when it cannot. */
void trap_attach(void);
/* Prints one line per hit so far: "span_end NAME (CTX)", and forgets them. */
void trap_print(void);

#ifdef __cplusplus
}
#endif

#endif
