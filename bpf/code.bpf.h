/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a few bytes of code tell about the frame they run in. */
#ifndef PERFTRACE_CODE_BPF_H
#define PERFTRACE_CODE_BPF_H

#include "common.bpf.h"

/* Does a call instruction end at `ret`? */
int is_call_before(__u64 ret);

/*
 * Does a signal handler that returns to `ret` return to what it interrupted? The C library's
 * `mov $15,%rax; syscall` (__NR_rt_sigreturn), also with a shorter mov.
 */
static __always_inline int is_signal_return(__u64 ret)
{
	__u8 code[9];
	__u64 head = 0;

	if (bpf_probe_read_user(code, sizeof(code), (void *)ret))
		return 0;
	for (int i = 0; i < 8; i++)
		head |= (__u64)code[i] << i * 8;
	return (head == 0x0f0000000fc0c748ULL && code[8] == 0x05) ||
	       head << 8 == 0x050f0000000fb800ULL;
}

/*
 * Code with frame pointers that is just being entered or left has no frame of its own at `ip`: how
 * many bytes lie between rsp and the caller's, with rbp still or again the caller's; 0: rbp is its
 * own.
 */
static __always_inline __u32 bytes_without_frame(__u64 ip)
{
	__u8 code[4];

	if (bpf_probe_read_user(code, sizeof(code), (void *)ip))
		return 0;
	if (code[0] == 0x55 || code[0] == 0xc3 || /* push %rbp; ret */
	    (code[0] == 0xf3 && code[1] == 0x0f && code[2] == 0x1e && code[3] == 0xfa))
		return 8; /* endbr64 */
	if (code[0] == 0x48 &&
	    ((code[1] == 0x89 && code[2] == 0xe5) || (code[1] == 0x8b && code[2] == 0xec)))
		return 16; /* mov %rsp,%rbp */
	return 0;
}

#endif
