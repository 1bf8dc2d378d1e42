/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzz targets: tests/fuzz/fuzz_NAME.c, with libFuzzer (make fuzz) or replaying the corpus that is
 * committed in tests/fuzz/corpus/NAME (tests/unit/test_fuzz_NAME.c).
 */
#ifndef PERFTRACE_TESTS_FUZZ_H
#define PERFTRACE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Ends the process when something is wrong; 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
