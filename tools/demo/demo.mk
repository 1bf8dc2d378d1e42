# SPDX-License-Identifier: BSD-2-Clause
# make demo: a service with spans and a leak, and perftrace looking at it (as root).

DEMO_DIR    := $(OUTPUT)/demo
DEMO_BINS   := $(DEMO_DIR)/demo_service $(DEMO_DIR)/demo_load
DEMO_CFLAGS := -D_GNU_SOURCE -std=gnu11 -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Werror \
	       -Iuser/include -pthread

$(DEMO_DIR)/%.o: tools/demo/%.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(DEMO_CFLAGS) -MMD -MP -c $< -o $@

$(DEMO_DIR)/demo_service: $(addprefix $(DEMO_DIR)/,demo_service.o query.o login.o)
$(DEMO_DIR)/demo_load: $(DEMO_DIR)/demo_load.o
$(DEMO_BINS):
	$(call msg,LD,$@)
	$(Q)$(CC) $(DEMO_CFLAGS) $^ -o $@

# Two steps: nothing is built before deps has installed what it is built with, also with -j.
.PHONY: demo demo-run
demo: deps
	$(Q)$(MAKE) --no-print-directory demo-run
demo-run: $(OUTPUT)/perftrace $(DEMO_BINS)
	$(Q)tools/demo/run.sh $(OUTPUT)
