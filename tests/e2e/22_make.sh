#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# timeout: 300
# The build: a second make does nothing, an edit rebuilds what depends on it and no more, install
# puts two files that work, uninstall leaves nothing, and clean removes the output.
set -u
. "$TOP/tests/e2e/lib.sh"

# A copy, so that touching files disturbs nobody.
cp -r --preserve=timestamps "$TOP"/{Makefile,bpf,user,vmlinux,tests,tools} .
build() { make "$@" 2>&1; }

build -j"$(nproc)" >first.log || give_up "make failed: $(tail -n 20 first.log)"
again=$(build)
expect "a second make does nothing" "make: Nothing to be done for 'all'." "$again"

touch user/output/vis.c
compiled=$(build | grep -c '^  CC ')
expect "an edited source compiles one file" 1 "$compiled"
touch user/output/vis.h
build >header.log
[ "$(grep -c '^  CC ' header.log)" -gt 3 ] || fail "an edited header compiles its users: $(cat header.log)"
touch bpf/span.bpf.c
build >bpf.log
expect "an edited BPF source compiles one BPF file" 1 "$(grep -c '^  CLANG ' bpf.log)"
grep -q 'session/kernel.o' bpf.log || fail "and then the skeleton's user: $(cat bpf.log)"
expect "and afterwards make does nothing" "make: Nothing to be done for 'all'." "$(build)"

build install DESTDIR="$PWD/root" PREFIX=/usr >install.log || fail "make install: $(cat install.log)"
root/usr/bin/perftrace --version | grep -q '^perftrace [0-9]' || fail "the installed perftrace runs"
printf '#include <perftrace.h>\nint main(void) { PERF_GUARD("x"); return 0; }\n' >use.c
gcc -Wall -Wextra -Werror -Iroot/usr/include use.c -o use || fail "the installed header compiles"
build uninstall DESTDIR="$PWD/root" PREFIX=/usr >uninstall.log || fail "make uninstall"
expect "uninstall leaves no file" "" "$(find root -type f)"

build help >help.log || fail "make help"
grep -q 'make test' help.log || fail "make help tells of make test"
build clean >/dev/null || fail "make clean"
[ ! -e build ] || fail "make clean removes the output"
finish
