# SPDX-License-Identifier: BSD-2-Clause
# The target in Go. Debian's golang-1.19-go is not on the path; without any Go the program is left
# out, and the cases that need it fail.

GO ?= $(firstword $(shell command -v go) $(wildcard /usr/lib/go-*/bin/go))

targets: $(if $(GO),$(OUTPUT)/tests/targets/go_cgo)

# Off line; the cache stays in the output directory.
$(OUTPUT)/tests/targets/go_cgo: tests/targets/go/main.go
	@mkdir -p $(@D)
	$(call msg,GO,$@)
	$(Q)GOCACHE=$(abspath $(OUTPUT))/tests/go-cache GO111MODULE=off GOFLAGS=-trimpath \
		CC=$(CC) CGO_CFLAGS='-O1 -g -fno-omit-frame-pointer' $(GO) build -o $@ $<
