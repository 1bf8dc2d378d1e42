/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PERFTRACE_TARGETS_LIB_FUNCTIONS_H
#define PERFTRACE_TARGETS_LIB_FUNCTIONS_H

/* Calls lib_helper(), a static function, twice. */
int lib_work(int n);
int also_lib_work(int n); /* the same */

#endif
