/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fixed-width integer names (__u64 ...) for headers that both sides compile. */
#ifndef PERFTRACE_ABI_TYPES_H
#define PERFTRACE_ABI_TYPES_H

#include <linux/types.h>

#endif
