# SPDX-License-Identifier: BSD-2-Clause
# make test       unit tests, the same under ASan and UBSan, end-to-end cases on the real kernel (root)
# make test-long  the same with more repetitions          make e2e CASE=07  one case
# make vm         tests/core in guests with other kernels
# make unit       unit tests alone: no root, no BPF
#
# Unit tests: tests/unit/test_NAME.c is one cmocka program, linked with the whole library.
# Targets: tests/targets/NAME.c(c) is one program whose truth is known by construction.
# Cases: tests/e2e/NN_NAME.sh or .py; tests/core/NAME.sh for this kernel and those of tests/vm.

UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(UNIT_SRCS:tests/unit/%.c=$(OUTPUT)/tests/unit/%)

SANITIZED       := $(OUTPUT)/sanitized
SANITIZE_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
		   -fno-sanitize-recover=undefined

$(OUTPUT)/tests/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS_U) $(CPPFLAGS_U) -Itests/unit -Itests/fuzz -MMD -MP $< -o $@ $(LIBRARY) $(LIBS) $(UNIT_LIBS) -lcmocka

# Its judge.
$(OUTPUT)/tests/unit/test_cfi_libs: UNIT_LIBS := -ldw

.PHONY: unit unit-build
unit-build: $(UNIT_BINS)
unit: unit-build
	$(Q)set -e; for t in $(UNIT_BINS); do $$t; done

include tests/targets/targets.mk
include tests/targets/go/go.mk
include tests/fuzz/fuzz.mk

# All cores, unless the caller has said how many.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

# Recipes in steps: nothing is built before deps has installed what it is built with, also with -j.
.PHONY: test test-long test-build e2e vm as-root
test e2e vm: | as-root
test: deps
	$(Q)$(MAKE) --no-print-directory $(JOBS) test-build
	$(Q)tests/run --output $(OUTPUT) --sanitized $(SANITIZED)

test-long: export PERFTRACE_LONG := 1
test-long: test

test-build: all targets unit-build
	$(Q)$(MAKE) --no-print-directory OUTPUT=$(SANITIZED) CFLAGS='$(SANITIZE_CFLAGS)' unit-build

as-root:
	@[ "$$(id -u)" = 0 ] || { echo 'tests attach to processes and need root: sudo make test' >&2; exit 1; }

e2e: deps
	$(Q)$(MAKE) --no-print-directory $(JOBS) all targets
	$(Q)tests/run --output $(OUTPUT) --only e2e $(CASE:%=--case %)

vm: deps
	$(Q)$(MAKE) --no-print-directory $(JOBS) all targets
	$(Q)tests/run --output $(OUTPUT) --only vm
