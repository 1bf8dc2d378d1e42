/* SPDX-License-Identifier: BSD-2-Clause */
/* What the BPF sources get for "vmlinux.h" when a test compiles them as host C. */
#include "bpfhost/kernel_types.h"
