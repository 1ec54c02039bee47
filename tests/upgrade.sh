#!/bin/bash
# Builds the previous version in a folder that is kept, then rolls a cluster from it to this build, back, and forth.
# SPDX-License-Identifier: Apache-2.0
#
# tests/upgrade.sh BUILD: BUILD has this version, and tests/cluster_upgrade (make check TESTS= makes it). The previous
# version is the newest tag, or the commit named in tests/upgrade.base while there is none. UPGRADE_CACHE: where its
# builds are kept (default: BUILD/previous). tests/upgrade.sh --previous CACHE: makes that build only. Exit status 77: the
# sources are not a git checkout, so there is no previous.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1:-}" = --previous ]; then
	build='' cache=${2:?CACHE}
else
	build=$(cd "${1:?BUILD}" && pwd)
	cache=${UPGRADE_CACHE:-$build/previous}
fi

if ! git -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
	echo "skipped: $top is not a git checkout: there is no previous version to build"
	exit 77
fi
# On a tagged commit the previous version is the tag before.
base=$(git -C "$top" describe --tags --abbrev=0 HEAD^ 2>/dev/null || cat "$top/tests/upgrade.base")
if ! commit=$(git -C "$top" rev-parse --verify --quiet "$base^{commit}"); then
	echo "skipped: $base is not in this clone (a shallow one?): there is no previous version to build"
	exit 77
fi

old=$cache/$commit
if [ ! -x "$old/countersignd" ]; then
	begin=$SECONDS
	rm -rf -- "$old"
	mkdir -p "$old/source"
	git -C "$top" archive "$commit" | tar -x -C "$old/source"
	(
		cd "$old/source"
		autoreconf -i
		./configure --quiet --disable-shared CFLAGS=-O1
		make -j"$(nproc)" countersignd
		# Statically built from its own convenience libraries: the one file is all.
		cp countersignd "$old/"
	) >"$old/build.log" 2>&1 || {
		tail -n 40 "$old/build.log"
		echo "$base does not build"
		exit 1
	}
	rm -rf -- "$old/source"
	echo "built $base in $((SECONDS - begin)) s"
fi
[ -n "$build" ] || exit 0
echo "from $base ($("$old/countersignd" --version)) to $("$build/countersignd" --version)"
cd "$build"
UPGRADE_OLD=$old/countersignd COUNTERSIGND=./countersignd timeout --kill-after=10 140 tests/cluster_upgrade
