#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# fetch.sh DIR: makes DIR/NAME/vmlinuz and DIR/NAME/version for each kernel of kernels.lock. What is
# there stays. Packages come through apt with a state of its own below DIR, so that the machine's
# lists and packages are not touched; apt checks them against the archive's signed index. Nothing
# is installed: only the kernel image is taken out of the package.
set -eu

lock=$(dirname "$0")/kernels.lock
[ $# = 1 ] || { echo "usage: fetch.sh DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)

# What kernels.lock holds, without comments: NAME PACKAGE SUITES...
rows() {
	sed 's/#.*//; /^[[:space:]]*$/d' "$lock"
}

die() {
	echo "fetch: $*" >&2
	exit 1
}

missing=
for name in $(rows | cut -d' ' -f1); do
	[ -s "$dir/$name/vmlinuz" ] && [ -s "$dir/$name/version" ] || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

work=$(mktemp -d "$dir/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
# apt's own unprivileged user downloads.
chmod 755 "$work"

# Where this machine gets a suite from; backports come from where the suite itself does.
archive_of() {
	case $1 in
	*-backports) base=${1%-backports} ;;
	*) base=$1 ;;
	esac
	apt-get indextargets --no-release-info \
		--format '$(CREATED_BY) $(RELEASE) $(COMPONENT) $(REPO_URI)' |
		awk -v suite="$base" '$1 == "Packages" && $2 == suite && $3 == "main" { print $4; exit }'
}

keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -s $keys ] || die "$keys is missing; it is in the package debian-archive-keyring"

# apt with nothing but the suites of one row.
isolated() {
	tool=$1
	shift
	"$tool" -q -o Dir::State="$state" -o Dir::State::status=/dev/null -o Dir::Cache="$state/cache" \
		-o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

quietly() {
	"$@" >"$state/log" 2>&1 && return
	tail -n 20 "$state/log" >&2
	die "$name: apt failed, its last words are above"
}

fetch() {
	name=$1
	package=$2
	shift 2
	state=$work/$name
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
	for suite; do
		archive=$(archive_of "$suite")
		[ -n "$archive" ] || die "no source of $suite in this machine's apt sources"
		echo "deb [signed-by=$keys arch=amd64] $archive $suite main"
	done >"$state/sources.list"
	quietly isolated apt-get -o APT::Update::Error-Mode=any update
	image=$(isolated apt-cache show --no-all-versions "$package" |
		sed -n 's/^Depends:.*\(linux-image-[^ ,]*\).*/\1/p')
	[ -n "$image" ] || die "$name: $package names no kernel in $*"
	case $image in
	linux-image-"$name".*) ;;
	*) die "$name: $package is $image by now; tests/vm/kernels.lock wants another row" ;;
	esac
	(cd "$state" && quietly isolated apt-get download "$image")
	dpkg-deb -x "$state/$image"_*.deb "$state/root"
	mkdir -p "$dir/$name"
	mv "$state/root/boot/vmlinuz-"* "$dir/$name/vmlinuz"
	dpkg-deb -f "$state/$image"_*.deb Package Version |
		sed -n 's/^Package: linux-image-//p; s/^Version: //p' | paste -sd' ' >"$dir/$name/version"
	echo "fetch: $name is $(cat "$dir/$name/version")"
}

rows | while read -r name package suites; do
	case " $missing " in
	*" $name "*) fetch "$name" "$package" $suites ;;
	esac
done
