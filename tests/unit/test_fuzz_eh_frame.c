// SPDX-License-Identifier: BSD-2-Clause
#include "../fuzz/fuzz_eh_frame.c"

#define CORPUS "tests/fuzz/corpus/eh_frame"
#define SEEDS  40
#include "../fuzz/replay.h"
