/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order in which a process' dynamic linker looks symbols up: its own list of loaded objects,
 * the executable first, then preloaded libraries, then those linked, breadth first, then those
 * loaded later. Read from the process' memory (System V ABI, DT_DEBUG; <link.h>: struct r_debug
 * and link_map, which glibc and musl lay out alike), where everything may be a lie or be changing
 * while we read: at most LINK_ORDER_MAX entries, each checked to lie in a mapped file.
 */
#ifndef PERFTRACE_TARGET_LINK_ORDER_H
#define PERFTRACE_TARGET_LINK_ORDER_H

#include <sys/types.h>

#include "base/vec.h"
#include "target/maps.h"

#define LINK_ORDER_MAX 4096

/* Mappings, borrowed from `maps`: one of each object, in search order. */
typedef VEC(const struct mapping *) link_order;

/*
 * Fills *out (freed with vec_free() whatever is returned). 0, also with an empty list: statically
 * linked, or the dynamic linker has not begun; -ENOMEM; or why the memory could not be read.
 */
int link_order__load(pid_t pid, const struct maps *maps, link_order *out);

#endif
