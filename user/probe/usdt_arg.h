/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The argument strings of stapsdt notes: "8@%rdi -4@16(%rbp,%rax,4) 4@$0", one operand per probe
 * argument, SIZE@OPERAND in AT&T syntax, a negative size meaning signed (SystemTap's
 * UserSpaceProbeImplementation wiki page).
 */
#ifndef PERFTRACE_PROBE_USDT_ARG_H
#define PERFTRACE_PROBE_USDT_ARG_H

#include <stddef.h>

#include "abi/spans.h"

#define USDT_ARGS_MAX 12 /* as SystemTap's macros allow */

/*
 * Parses up to `max` arguments. An operand that cannot be fetched from registers and memory
 * ("NBuffers(%rip)") becomes ARG_NONE and does not spoil the others. Returns their number.
 */
size_t usdt_arg__parse(const char *text, struct arg_spec *args, size_t max);

#endif
