# SPDX-License-Identifier: BSD-2-Clause
# make bench: what perftrace costs its target, beside bpftrace doing the same job (as root).

BENCH_BINS := $(addprefix $(OUTPUT)/tests/targets/,bench_alloc bench_span bench_function \
	      bench_libraries) \
	      $(OUTPUT)/tools/bench/floor $(OUTPUT)/tools/bench/symbolize_rate

$(OUTPUT)/tools/bench/floor $(OUTPUT)/tools/bench/symbolize_rate: \
$(OUTPUT)/tools/bench/%: tools/bench/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS_U) $(CPPFLAGS_U) -MMD -MP $< -o $@ $(LIBRARY) $(LIBS)

# Two steps: nothing is built before deps has installed what it is built with, also with -j.
.PHONY: bench bench-deps bench-run
bench: bench-deps
	$(Q)$(MAKE) --no-print-directory bench-run
bench-deps:
	$(Q)tools/deps.sh bench
bench-run: $(OUTPUT)/perftrace $(BENCH_BINS)
	$(Q)tools/bench/run.sh $(OUTPUT)
	$(Q)printf '\nNames for addresses, ns each: ' && $(OUTPUT)/tools/bench/symbolize_rate
