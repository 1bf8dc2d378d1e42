// SPDX-License-Identifier: BSD-2-Clause
#include "../fuzz/fuzz_elf.c"

#define CORPUS "tests/fuzz/corpus/elf"
#define SEEDS  40
#include "../fuzz/replay.h"
