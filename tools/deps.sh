#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deps.sh build|test|fuzz|bench|demo: installs from Debian what is missing for that, and nothing else.
# Quiet when everything is there; the only place of the project that installs anything.
set -eu

build="gcc libc6-dev make clang bpftool libbpf-dev libelf-dev zlib1g-dev libiberty-dev uthash-dev
       linux-libc-dev pkg-config libdw-dev liblzma-dev"
demo="$build"
fuzz="$build libclang-rt-dev python3"
bench="$build g++ elfutils bpftrace redis-server redis-tools postgresql-15 heaptrack valgrind"
test="$build g++ libcmocka-dev binutils python3 procps postgresql-15 postgresql-contrib redis-server
      redis-tools libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0 bpftrace util-linux gcc-multilib
      qemu-system-x86 busybox-static libjemalloc-dev libgoogle-perftools-dev libmimalloc-dev
      musl-tools golang-1.19-go libdw-dev python3.11 nodejs libllvm14 libclang-cpp14 gdb xz-utils
      dwz"

case "${1:-}" in
build | test | fuzz | bench | demo) eval "wanted=\$$1" ;;
*)
	echo "usage: deps.sh build|test|fuzz|bench|demo" >&2
	exit 2
	;;
esac

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
	[ "$state" = "ii " ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "deps: missing packages:$missing. Install them with: sudo make deps" >&2
	exit 1
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# Services of the test packages are started by the tests themselves, never by their installation.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f $policy' EXIT
fi
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "deps: apt-get failed, its last words are above" >&2
	exit 1
fi
rm -f "$log"
