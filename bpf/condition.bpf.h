/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Whether a conditional jump that is about to run will be taken. */
#ifndef PERFTRACE_CONDITION_BPF_H
#define PERFTRACE_CONDITION_BPF_H

#include "common.bpf.h"

/* Does condition `cc` of jcc hold? Intel SDM volume 1, appendix B. */
static __always_inline int condition_holds(__u64 flags, __u32 cc)
{
	int carry = flags & 1, parity = (flags >> 2) & 1, zero = (flags >> 6) & 1;
	int sign = (flags >> 7) & 1, overflow = (flags >> 11) & 1, holds = 0;

	switch (cc >> 1) {
	case 0:
		holds = overflow;
		break;
	case 1:
		holds = carry;
		break;
	case 2:
		holds = zero;
		break;
	case 3:
		holds = carry | zero;
		break;
	case 4:
		holds = sign;
		break;
	case 5:
		holds = parity;
		break;
	case 6:
		holds = sign ^ overflow;
		break;
	case 7:
		holds = zero | (sign ^ overflow);
		break;
	}
	return holds ^ (int)(cc & 1);
}

#endif
