# SPDX-License-Identifier: BSD-2-Clause
# make fuzz    every target of tests/fuzz for FUZZ_SECONDS, from the committed corpus on; what it
#              finds is in build/fuzz. The corpus alone runs in make test, as tests/unit/test_fuzz_*.
# make seeds   writes the hand-made part of the corpus anew

FUZZ_SECONDS ?= 30
UNWIND_SRCS  := $(addprefix user/stack/unwind_,pack.c rules.c table.c translate.c)
FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS    := $(FUZZ_NAMES:%=$(OUTPUT)/fuzz/%)
# Only what reads untrusted files: the library without what needs the kernel.
FUZZ_SRCS    := $(sort $(wildcard user/base/*.c user/elf/*.c) \
		$(UNWIND_SRCS))
FUZZ_CFLAGS  := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined

$(OUTPUT)/fuzz/%: tests/fuzz/fuzz_%.c $(FUZZ_SRCS)
	@mkdir -p $(@D)
	$(call msg,FUZZER,$@)
	$(Q)$(CLANG) -std=gnu11 $(FUZZ_CFLAGS) $(CPPFLAGS_U) -Itests/fuzz -MMD -MP \
		$< $(FUZZ_SRCS) -o $@ $(LIBS)

.PHONY: fuzz seeds
fuzz:
	$(Q)tools/deps.sh fuzz
	$(Q)$(MAKE) --no-print-directory $(FUZZ_BINS)
	$(Q)status=0; for name in $(FUZZ_NAMES); do \
		mkdir -p $(OUTPUT)/fuzz/found_$$name; \
		$(OUTPUT)/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=5 \
			-rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
			-artifact_prefix=$(OUTPUT)/fuzz/$$name- \
			$(OUTPUT)/fuzz/found_$$name tests/fuzz/corpus/$$name || status=1; \
	done; exit $$status

seeds:
	$(Q)python3 tests/fuzz/seeds.py tests/fuzz/corpus
