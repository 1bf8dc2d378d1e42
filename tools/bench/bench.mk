# SPDX-License-Identifier: BSD-2-Clause
# make bench: what perftrace costs its target, beside bpftrace doing the same job (as root).

BENCH_BINS := $(addprefix $(OUTPUT)/tests/targets/,bench_alloc bench_span bench_function \
	      bench_libraries) \
	      $(OUTPUT)/tools/bench/floor $(OUTPUT)/tools/bench/stack_floor \
	      $(OUTPUT)/tools/bench/stack_floor.o $(OUTPUT)/tools/bench/symbolize_rate

$(OUTPUT)/tools/bench/floor $(OUTPUT)/tools/bench/stack_floor \
$(OUTPUT)/tools/bench/symbolize_rate: $(OUTPUT)/tools/bench/%: tools/bench/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS_U) $(CPPFLAGS_U) -MMD -MP $< -o $@ $(LIBRARY) $(LIBS)

# Our walk as it is, under probes that do nothing else.
STACK_FLOOR_OBJS := $(OUTPUT)/tools/bench/stack_floor.bpf.o \
		    $(filter-out %/heap.bpf.o %/span.bpf.o %/args.bpf.o %/function.bpf.o \
		    %/cpu.bpf.o %/life.bpf.o,$(BPF_OBJS))

$(OUTPUT)/tools/bench/stack_floor.bpf.o: tools/bench/stack_floor.bpf.c
	@mkdir -p $(@D)
	$(call msg,CLANG,$@)
	$(Q)$(CLANG) $(CFLAGS_BPF) -MMD -MP -c $< -o $@

$(OUTPUT)/tools/bench/stack_floor.o: $(STACK_FLOOR_OBJS)
	$(call msg,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

# Two steps: nothing is built before deps has installed what it is built with, also with -j.
.PHONY: bench bench-deps bench-run
bench: bench-deps
	$(Q)$(MAKE) --no-print-directory bench-run
bench-deps:
	$(Q)tools/deps.sh bench
bench-run: $(OUTPUT)/perftrace $(BENCH_BINS)
	$(Q)tools/bench/run.sh $(OUTPUT)
