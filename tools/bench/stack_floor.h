/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The elements of bench_results, both sides of stack_floor. */
#ifndef PERFTRACE_STACK_FLOOR_H
#define PERFTRACE_STACK_FLOOR_H

enum {
	KERNEL_BYTES,
	OWN_FRAMES,
	OWN_STOP,
	STACK_FLOOR_RESULTS,
};

#endif
