# SPDX-License-Identifier: BSD-2-Clause
# Programs with known truth, $(OUTPUT)/tests/targets/NAME from tests/targets/NAME.c or .cc. Frame
# pointers, so that their stacks are known; -O1, so that functions and calls stay what they are.

TARGET_C_SRCS   := $(sort $(wildcard tests/targets/*.c))
TARGET_CXX_SRCS := $(sort $(wildcard tests/targets/*.cc))
# The same programs with other allocators and linkage: NAME_HOW.
in_targets      = $(addprefix $(OUTPUT)/tests/targets/,$(1))
FAMILY_BINS     := $(call in_targets,$(addprefix alloc_family_,static static_pie stripped musl \
		   musl_static jemalloc tcmalloc mimalloc jemalloc_inside tcmalloc_inside own \
		   own_static))
CXX_BINS        := $(call in_targets,$(addprefix alloc_cxx_,static jemalloc tcmalloc mimalloc \
		   tcmalloc_static own))
POOL_BINS       := $(call in_targets,alloc_pool_unwinding alloc_pool_prefixed)
ALLOCATOR_BINS  := $(FAMILY_BINS) $(CXX_BINS) $(POOL_BINS) $(call in_targets,plugin.so)

NO_FP_BINS      := $(call in_targets,deep leak_site jitted chain chain_static chain_static_pie \
		   chain_musl_static)

TARGET_BINS     := $(NO_FP_BINS) $(OUTPUT)/tests/targets/execer_static $(TARGET_C_SRCS:%.c=$(OUTPUT)/%) $(TARGET_CXX_SRCS:%.cc=$(OUTPUT)/%) \
		   $(OUTPUT)/tests/targets/leaky_static $(OUTPUT)/tests/targets/early_static \
		   $(ALLOCATOR_BINS)

TARGET_CFLAGS   := -D_GNU_SOURCE -std=gnu11 -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Werror \
		   -Iuser/include -pthread
TARGET_CXXFLAGS := -D_GNU_SOURCE -std=c++17 -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Werror \
		   -Iuser/include -pthread

.PHONY: targets
targets: $(TARGET_BINS)

$(OUTPUT)/tests/targets/%: tests/targets/%.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -MMD -MP $< -o $@ $(HOW)

$(OUTPUT)/tests/targets/%: tests/targets/%.cc
	@mkdir -p $(@D)
	$(call msg,CXX,$@)
	$(Q)$(CXX) $(TARGET_CXXFLAGS) -MMD -MP $< -o $@

$(OUTPUT)/tests/targets/leaky_static: tests/targets/leaky.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -static -MMD -MP $< -o $@

# As distributions build: no frame pointers, and calls that are bound when they are first made.
NO_FP_FLAGS := -O2 -fomit-frame-pointer -Wl,-z,lazy
$(filter %/deep %/leak_site,$(NO_FP_BINS)): $(OUTPUT)/tests/targets/%: tests/targets/%.cc
	@mkdir -p $(@D)
	$(call msg,CXX,$@)
	$(Q)$(CXX) $(TARGET_CXXFLAGS) $(NO_FP_FLAGS) -MMD -MP $< -o $@ $(HOW)

$(OUTPUT)/tests/targets/jitted: tests/targets/jitted.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) $(NO_FP_FLAGS) -MMD -MP $< -o $@

# One source, two names.
$(OUTPUT)/tests/targets/libreused_first.so: SITE := first_site
$(OUTPUT)/tests/targets/libreused_second.so: SITE := second_site
$(OUTPUT)/tests/targets/libreused_first.so $(OUTPUT)/tests/targets/libreused_second.so: \
		tests/targets/lib/reused.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) $(NO_FP_FLAGS) -DSITE=$(SITE) -fPIC -shared -o $@ $<

$(OUTPUT)/tests/targets/reuse: $(OUTPUT)/tests/targets/libreused_first.so \
		$(OUTPUT)/tests/targets/libreused_second.so

$(filter %/chain %/chain_static %/chain_static_pie %/chain_musl_static,$(NO_FP_BINS)): \
		tests/targets/chain.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(or $(COMPILER),$(CC)) $(TARGET_CFLAGS) $(NO_FP_FLAGS) -MMD -MP $< -o $@ $(HOW)

OWN_MALLOC := tests/targets/parts/own_malloc.c

$(FAMILY_BINS): tests/targets/alloc_family.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(or $(COMPILER),$(CC)) $(TARGET_CFLAGS) -fno-builtin -MMD -MP $(filter %.c,$^) -o $@ $(HOW)

$(CXX_BINS): tests/targets/alloc_cxx.cc
	@mkdir -p $(@D)
	$(call msg,CXX,$@)
	$(Q)$(CXX) $(TARGET_CXXFLAGS) -MMD -MP $(filter %.cc,$^) -o $@ $(HOW)

$(POOL_BINS): tests/targets/alloc_pool.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -MMD -MP $< -o $@ $(HOW)

$(OUTPUT)/tests/targets/thrower.o: tests/targets/parts/thrower.cc
	@mkdir -p $(@D)
	$(call msg,CXX,$@)
	$(Q)$(CXX) $(TARGET_CXXFLAGS) -c $< -o $@

$(OUTPUT)/tests/targets/plugin.so: tests/targets/parts/plugin.c $(OWN_MALLOC)
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -fno-builtin -fPIC -shared -Wl,-Bsymbolic $^ -o $@

$(OUTPUT)/tests/targets/chain_static: HOW := -static
$(OUTPUT)/tests/targets/chain_static_pie: HOW := -static-pie -fPIE
$(OUTPUT)/tests/targets/chain_musl_static: HOW := -static
$(OUTPUT)/tests/targets/chain_musl_static: COMPILER := musl-gcc
$(OUTPUT)/tests/targets/alloc_family_static: HOW := -static
$(OUTPUT)/tests/targets/alloc_family_static_pie: HOW := -static-pie -fPIE
$(OUTPUT)/tests/targets/alloc_family_stripped: HOW := -static -s
$(OUTPUT)/tests/targets/alloc_family_musl_static: HOW := -static
$(OUTPUT)/tests/targets/alloc_family_jemalloc: HOW := -ljemalloc
$(OUTPUT)/tests/targets/alloc_family_tcmalloc: HOW := -ltcmalloc_minimal
$(OUTPUT)/tests/targets/alloc_family_mimalloc: HOW := -lmimalloc
$(OUTPUT)/tests/targets/alloc_family_jemalloc_inside: HOW := -l:libjemalloc_pic.a -lstdc++ -lm
$(OUTPUT)/tests/targets/alloc_family_tcmalloc_inside: HOW := -l:libtcmalloc_minimal.a -lstdc++ -lm
$(OUTPUT)/tests/targets/alloc_family_own_static: HOW := -static
$(OUTPUT)/tests/targets/alloc_cxx_static: HOW := -static
$(OUTPUT)/tests/targets/alloc_cxx_jemalloc: HOW := -ljemalloc
$(OUTPUT)/tests/targets/alloc_cxx_tcmalloc: HOW := -ltcmalloc_minimal
$(OUTPUT)/tests/targets/alloc_cxx_mimalloc: HOW := -Wl,--no-as-needed -lmimalloc
$(OUTPUT)/tests/targets/alloc_cxx_tcmalloc_static: HOW := -static -l:libtcmalloc_minimal.a
$(OUTPUT)/tests/targets/alloc_cxx_own: HOW := -DUNALIGNED
$(OUTPUT)/tests/targets/alloc_pool_unwinding: HOW := $(OUTPUT)/tests/targets/thrower.o -lstdc++
$(OUTPUT)/tests/targets/alloc_pool_prefixed: HOW := -DPREFIXED
$(OUTPUT)/tests/targets/alloc_pool_unwinding: $(OUTPUT)/tests/targets/thrower.o
$(OUTPUT)/tests/targets/alloc_cxx_own: tests/targets/parts/own_operators.cc
$(OUTPUT)/tests/targets/alloc_family_own: $(OWN_MALLOC)
$(OUTPUT)/tests/targets/alloc_family_own_static: $(OWN_MALLOC)
$(OUTPUT)/tests/targets/alloc_family_musl: COMPILER := musl-gcc
$(OUTPUT)/tests/targets/alloc_family_musl_static: COMPILER := musl-gcc
$(OUTPUT)/tests/targets/alloc_mallocx: HOW := -ljemalloc
$(OUTPUT)/tests/targets/alloc_mimalloc: HOW := -lmimalloc

# Its library stands beside it.
$(OUTPUT)/tests/targets/libearly.so: tests/targets/lib/early.c tests/targets/early.h
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -fPIC -shared -o $@ $<

$(OUTPUT)/tests/targets/early: tests/targets/early.c $(OUTPUT)/tests/targets/libearly.so
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -MMD -MP -o $@ $< -L$(@D) -learly '-Wl,-rpath,$$ORIGIN'

$(OUTPUT)/tests/targets/early_static: tests/targets/early.c tests/targets/lib/early.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -static -o $@ $^

# Functions of a library of ours.
$(OUTPUT)/tests/targets/libfunctions.so: tests/targets/lib/functions.c tests/targets/lib/functions.h
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -fPIC -shared -o $@ $<

$(OUTPUT)/tests/targets/functions: tests/targets/functions.c $(OUTPUT)/tests/targets/libfunctions.so
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -MMD -MP -o $@ $< -L$(@D) -lfunctions '-Wl,-rpath,$$ORIGIN'

# Plugins, for whoever loads them late: two files of one source.
$(OUTPUT)/tests/targets/libplug_elder.so $(OUTPUT)/tests/targets/libplug_younger.so: \
		tests/targets/lib/plug.c tests/targets/usdt.h
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -fPIC -shared -o $@ $<

$(OUTPUT)/tests/targets/plugins: tests/targets/plugins.c \
		$(OUTPUT)/tests/targets/libplug_elder.so $(OUTPUT)/tests/targets/libplug_younger.so
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -MMD -MP -o $@ $<

$(OUTPUT)/tests/targets/execer_static: tests/targets/execer.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -static -MMD -MP $< -o $@

# Two libraries, each with a semaphore of its own.
$(OUTPUT)/tests/targets/libguarded_a.so $(OUTPUT)/tests/targets/libguarded_b.so: \
		tests/targets/lib/guarded.c tests/targets/usdt.h
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -fPIC -shared -o $@ $<

$(OUTPUT)/tests/targets/operands: tests/targets/operands.c \
		$(OUTPUT)/tests/targets/libguarded_a.so $(OUTPUT)/tests/targets/libguarded_b.so
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -MMD -MP -o $@ $<

# Not a target, but run like one, also in guests: it has all BPF programs inside.
$(OUTPUT)/tests/targets/verified: HOW := -Ibpf -I$(OUTPUT) -lbpf
$(OUTPUT)/tests/targets/verified: $(SKELETON)
