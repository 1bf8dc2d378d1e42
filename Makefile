# SPDX-License-Identifier: BSD-2-Clause
# make            build/perftrace          make V=1    show the commands
# make test       everything CI runs       make help   all targets

OUTPUT   ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= gcc
CLANG    ?= clang
# bpftool lives in sbin, which is not on an ordinary user's PATH.
BPFTOOL  ?= $(or $(shell command -v bpftool),/usr/sbin/bpftool)
CFLAGS   ?= -O2 -g
VERSION  := 0.1.0

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(V),1)
Q :=
msg :=
else
Q := @
msg = @printf '  %-8s %s\n' '$(1)' '$(patsubst $(OUTPUT)/%,%,$(2))';
endif

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

WARNINGS   := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes
CPPFLAGS_U := -D_GNU_SOURCE -DPERFTRACE_VERSION='"$(VERSION)"' -Ibpf -Iuser -I$(OUTPUT)
CFLAGS_U   := -std=gnu11 $(WARNINGS) $(CFLAGS)
LIBS       := -lbpf -lelf -lz -liberty

# Optional: without them .gnu_debugdata is not unpacked, and frames have no file and line.
PKG_CONFIG ?= pkg-config
found = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo yes)
ifeq ($(call found,liblzma),yes)
CPPFLAGS_U += -DHAVE_LZMA
LIBS       += -llzma
endif
ifeq ($(call found,libdw),yes)
CPPFLAGS_U += -DHAVE_LIBDW
LIBS       += -ldw
endif
CFLAGS_BPF := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Wextra -Werror \
	      -Wno-unused-parameter -Wno-missing-declarations -Wno-address-of-packed-member \
	      -Ibpf -Ivmlinux -I/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)

BPF_SRCS  := $(sort $(wildcard bpf/*.bpf.c))
BPF_OBJS  := $(BPF_SRCS:%.c=$(OUTPUT)/%.o)
USER_SRCS := $(sort $(wildcard user/*/*.c))
USER_OBJS := $(USER_SRCS:%.c=$(OUTPUT)/%.o)
MAIN_OBJ  := $(OUTPUT)/user/main.o
SKELETON  := $(OUTPUT)/perftrace.skel.h
LIBRARY   := $(OUTPUT)/libperftrace.a

.PHONY: all
all: $(OUTPUT)/perftrace

$(OUTPUT)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call msg,CLANG,$@)
	$(Q)$(CLANG) $(CFLAGS_BPF) -MMD -MP -c $< -o $@

$(OUTPUT)/perftrace.bpf.o: $(BPF_OBJS)
	$(call msg,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKELETON): $(OUTPUT)/perftrace.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name perftrace_bpf > $@

# The only user of the generated skeleton; everything else sees session/kernel.h.
$(OUTPUT)/user/session/kernel.o: $(SKELETON)

# The version is compiled in, so its file follows the Makefile.
$(OUTPUT)/user/cli/%.o: Makefile

$(OUTPUT)/user/%.o: user/%.c
	@mkdir -p $(@D)
	$(call msg,CC,$@)
	$(Q)$(CC) $(CFLAGS_U) $(CPPFLAGS_U) -MMD -MP -c $< -o $@

$(LIBRARY): $(USER_OBJS)
	$(call msg,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(OUTPUT)/perftrace: $(MAIN_OBJ) $(LIBRARY)
	$(call msg,LD,$@)
	$(Q)$(CC) $(CFLAGS_U) $(LDFLAGS) -o $@ $(MAIN_OBJ) $(LIBRARY) $(LIBS)

include tests/tests.mk
include tools/demo/demo.mk
include tools/bench/bench.mk

.PHONY: deps vmlinux install uninstall help
deps:
	$(Q)tools/deps.sh test

# From the running kernel's BTF; commit the result.
vmlinux:
	$(Q)$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux -j | \
		python3 vmlinux/generate.py vmlinux/types.list > $(OUTPUT)-vmlinux.h
	$(Q)mv $(OUTPUT)-vmlinux.h vmlinux/vmlinux.h

install: $(OUTPUT)/perftrace
	install -D -m 755 $(OUTPUT)/perftrace $(DESTDIR)$(PREFIX)/bin/perftrace
	install -D -m 644 user/include/perftrace.h $(DESTDIR)$(PREFIX)/include/perftrace.h

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/perftrace $(DESTDIR)$(PREFIX)/include/perftrace.h

help:
	@echo 'make            build $(OUTPUT)/perftrace (V=1 shows the commands)'
	@echo 'make deps       install what is missing from Debian (root)'
	@echo 'make demo       perftrace on the bundled demo service (root)'
	@echo 'make test       all tests (root); make unit: only those without BPF'
	@echo 'make test-long  every repetition'
	@echo 'make fuzz       new inputs for the readers of untrusted files, 30 s each'
	@echo 'make vm         the core tests on other kernels, in guests (root)'
	@echo 'make bench      cost against peers, side by side (root)'
	@echo 'make install    PREFIX=$(PREFIX) DESTDIR=$(DESTDIR); make uninstall'
	@echo 'make vmlinux    regenerate vmlinux/vmlinux.h from the running kernel'
	@echo 'make clean      remove $(OUTPUT)'

.PHONY: clean
clean:
	$(call msg,CLEAN,$(OUTPUT))
	$(Q)rm -rf $(OUTPUT)

-include $(shell test -d $(OUTPUT) && find $(OUTPUT) -name '*.d')
