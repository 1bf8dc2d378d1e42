# SPDX-License-Identifier: BSD-2-Clause
# Programs with known truth, $(OUTPUT)/tests/targets/NAME from tests/targets/NAME.c or .cc. Frame
# pointers, so that their stacks are known; -O1, so that functions and calls stay what they are.

TARGET_C_SRCS   := $(sort $(wildcard tests/targets/*.c))
TARGET_CXX_SRCS := $(sort $(wildcard tests/targets/*.cc))
TARGET_BINS     := $(TARGET_C_SRCS:%.c=$(OUTPUT)/%) $(TARGET_CXX_SRCS:%.cc=$(OUTPUT)/%) \
		   $(OUTPUT)/tests/targets/leaky_static

TARGET_CFLAGS   := -D_GNU_SOURCE -std=gnu11 -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Werror \
		   -Iuser/include -pthread
TARGET_CXXFLAGS := -D_GNU_SOURCE -std=c++17 -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Werror \
		   -Iuser/include -pthread

.PHONY: targets
targets: $(TARGET_BINS)

$(OUTPUT)/tests/targets/%: tests/targets/%.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -MMD -MP $< -o $@

$(OUTPUT)/tests/targets/%: tests/targets/%.cc
	@mkdir -p $(@D)
	$(call msg,CXX,$@)
	$(Q)$(CXX) $(TARGET_CXXFLAGS) -MMD -MP $< -o $@

$(OUTPUT)/tests/targets/leaky_static: tests/targets/leaky.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(TARGET_CFLAGS) -static -MMD -MP $< -o $@
