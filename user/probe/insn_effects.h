/* SPDX-License-Identifier: BSD-2-Clause */
/* The second half of insn_decode(), for nobody else: what an instruction does. */
#ifndef PERFTRACE_PROBE_INSN_EFFECTS_H
#define PERFTRACE_PROBE_INSN_EFFECTS_H

#include "probe/insn.h"

/* Fills kind, emulated, refused and writes of an instruction whose raw parts are known. */
void insn_find_effects(struct insn *insn);

#endif
