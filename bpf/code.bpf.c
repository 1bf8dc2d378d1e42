// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "code.bpf.h"

GLOBAL int is_call_before(__u64 ret)
{
	__u8 code[8];

	if (bpf_probe_read_user(code, sizeof(code), (void *)(ret - sizeof(code))))
		return 0;
	return code[3] == 0xe8 ||				/* call rel32 */
	       (code[6] == 0xff && (code[7] & 0x38) == 0x10) || /* call *reg, *(reg) */
	       (code[5] == 0xff && (code[6] & 0x38) == 0x10) || /* call *disp8(reg) */
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) || /* call *disp8(reg,index) */
	       (code[2] == 0xff && (code[3] & 0x38) == 0x10) || /* call *disp32(reg) */
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10);	/* call *disp32(reg,index) */
}
